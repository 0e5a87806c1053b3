/* SPDX-License-Identifier: BSD-3-Clause */
/* Compare what vdisk reads with raw files that another program has made of
 * the same images.  For differential.py, which has thousands of them, so
 * one process does all.
 *
 * On standard input come lines "IMAGE<tab>OPTIONS<tab>RAW", where OPTIONS
 * are "name=value" with spaces between, and RAW may be "-" for none; for
 * each, one line goes out:
 *
 *   same SIZE              or, without a raw file, all can be read
 *   differ OFFSET          the first byte that differs
 *   size OURS THEIRS       the same as far as both go
 *   open MESSAGE           the image cannot be opened
 *   read OFFSET MESSAGE    the first sector that cannot be read; what can
 *                          be is the same
 */

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/minmax.h"
#include "vdisk.h"

#define PIECE ((size_t) 64 << 10)
#define SECTOR 512

/* The raw file; -1: none. */
struct raw {
  int fd;
  uint64_t size;
};

static void
die (const char *what)
{
  perror (what);
  exit (EXIT_FAILURE);
}

/* Options from words, or NULL if one is wrong: that has been told. */
static struct vdisk_options *
take_options (char *words)
{
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk_error error;
  char *rest = NULL, *word;

  for (word = strtok_r (words, " ", &rest); word;
       word = strtok_r (NULL, " ", &rest)) {
    char *value = strchr (word, '=');

    if (value)
      *value++ = '\0';
    if (vdisk_options_set (options, word, value ? value : "",
                           &error) == -1) {
      fprintf (stderr, "%s\n", error.message);
      exit (EXIT_FAILURE);
    }
  }
  return options;
}

static struct raw
open_raw (const char *path)
{
  struct raw raw = { .fd = -1 };
  struct stat st;

  if (strcmp (path, "-") == 0)
    return raw;
  raw.fd = open (path, O_RDONLY);
  if (raw.fd == -1 || fstat (raw.fd, &st) == -1)
    die (path);
  raw.size = st.st_size;
  return raw;
}

/* The first of 'count' bytes at 'offset' that is not that of the raw file,
 * or 'count'. */
static size_t
find_difference (const struct raw *raw, const uint8_t *bytes, size_t count,
                 uint64_t offset)
{
  static uint8_t theirs[PIECE];
  size_t i, both = offset < raw->size ? min_u64 (count, raw->size - offset)
    : 0;

  if (raw->fd == -1 || both == 0)
    return count;
  if (pread (raw->fd, theirs, both, offset) != (ssize_t) both)
    die ("raw file");
  if (memcmp (bytes, theirs, both) == 0)
    return count;
  for (i = 0; bytes[i] == theirs[i]; ++i)
    ;
  return i;
}

/* What has been seen of an image so far. */
struct result {
  bool damaged, differs;
  uint64_t damage, difference;  /* the first */
  struct vdisk_error error;
};

/* Compare a piece.  -1 if it cannot be read. */
static int
compare_piece (struct vdisk *vdisk, const struct raw *raw, uint64_t offset,
               size_t count, struct result *result)
{
  static uint8_t bytes[PIECE];
  struct vdisk_error error;
  size_t same;

  if (vdisk_pread (vdisk, bytes, count, offset, &error) == -1) {
    result->error = error;
    return -1;
  }
  same = find_difference (raw, bytes, count, offset);
  if (same < count) {
    result->differs = true;
    result->difference = offset + same;
  }
  return 0;
}

/* Compare sector by sector what can be read of a piece that has damage. */
static void
compare_sectors (struct vdisk *vdisk, const struct raw *raw,
                 uint64_t offset, size_t count, struct result *result)
{
  struct result sector = { 0 };
  size_t at;

  for (at = 0; at < count && !result->differs; at += SECTOR)
    if (compare_piece (vdisk, raw, offset + at, min_u64 (SECTOR, count - at),
                       &sector) == -1 && !result->damaged) {
      result->damaged = true;
      result->damage = offset + at;
      result->error = sector.error;
    }
    else if (sector.differs) {
      result->differs = true;
      result->difference = sector.difference;
    }
}

static void
compare (struct vdisk *vdisk, const struct raw *raw)
{
  const uint64_t size = vdisk_size (vdisk);
  struct result result = { 0 }, piece = { 0 };
  uint64_t offset;
  size_t count;

  for (offset = 0; offset < size && !result.differs; offset += count) {
    count = min_u64 (PIECE, size - offset);
    if (compare_piece (vdisk, raw, offset, count, &piece) == -1)
      compare_sectors (vdisk, raw, offset, count, &result);
    else if (piece.differs)
      result = piece;
  }
  if (result.differs)
    printf ("differ %" PRIu64 "\n", result.difference);
  else if (result.damaged)
    printf ("read %" PRIu64 " %s\n", result.damage, result.error.message);
  else if (raw->fd != -1 && raw->size != size)
    printf ("size %" PRIu64 " %" PRIu64 "\n", size, raw->size);
  else
    printf ("same %" PRIu64 "\n", size);
}

static void
do_line (char *line)
{
  const char *path = strtok (line, "\t");
  char *words = strtok (NULL, "\t");
  const char *raw_path = strtok (NULL, "\t\n");
  struct vdisk_options *options;
  struct vdisk_error error;
  struct vdisk *vdisk;
  struct raw raw;

  if (raw_path == NULL) {
    fprintf (stderr, "not a line: %s\n", line);
    exit (EXIT_FAILURE);
  }
  options = take_options (words);
  vdisk = vdisk_open (path, options, &error);
  vdisk_options_free (options);
  raw = open_raw (raw_path);
  if (vdisk)
    compare (vdisk, &raw);
  else
    printf ("open %s\n", error.message);
  fflush (stdout);
  vdisk_close (vdisk);
  if (raw.fd != -1)
    close (raw.fd);
}

int
main (void)
{
  char line[8192];

  while (fgets (line, sizeof line, stdin))
    do_line (line);
  return EXIT_SUCCESS;
}
