/* SPDX-License-Identifier: BSD-3-Clause */
/* Give inputs to a fuzz target, without libFuzzer.
 *
 *   replay-TARGET [FILE...]
 *
 * Without files it takes tests/fuzz/regressions/TARGET/: inputs that once
 * made something fail.  A file whose name ends in .hex is text (see
 * regressions/README), any other is the input itself.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define REGRESSIONS "tests/fuzz/regressions"
#define INPUT_MAX ((size_t) 1 << 20)

static uint8_t input[INPUT_MAX];

static void
give_up (const char *path, const char *why)
{
  fprintf (stderr, "%s: %s\n", path, why);
  exit (EXIT_FAILURE);
}

/* Take "OFFSET: BYTES" into the input.  "OFFSET:" alone says where the
 * input ends. */
static bool
take_line (const char *line, size_t *size)
{
  char *p;
  unsigned long at = strtoul (line, &p, 16);

  if (p == line || *p++ != ':')
    return false;
  if (at > INPUT_MAX)
    return false;
  *size = at;
  for (;;) {
    unsigned byte;
    int used;

    p += strspn (p, " \n");
    if (*p == '\0')
      return true;
    if (sscanf (p, "%2x%n", &byte, &used) != 1 || used != 2 ||
        *size == INPUT_MAX)
      return false;
    input[(*size)++] = byte;
    p += used;
  }
}

static size_t
read_hex (FILE *file, const char *path)
{
  char line[1024];
  size_t size = 0;

  memset (input, 0, sizeof input);
  while (fgets (line, sizeof line, file))
    if (line[0] != '#' && line[0] != '\n' && !take_line (line, &size))
      give_up (path, line);
  return size;
}

static void
replay (const char *path)
{
  const char *dot = strrchr (path, '.');
  FILE *file = fopen (path, "rb");
  uint8_t *copy;
  size_t size;

  if (file == NULL)
    give_up (path, strerror (errno));
  if (dot && strcmp (dot, ".hex") == 0)
    size = read_hex (file, path);
  else
    size = fread (input, 1, sizeof input, file);
  fclose (file);

  printf ("%s: %zu bytes\n", path, size);
  fflush (stdout);
  /* Of the right size, for sanitizers to know where it ends. */
  copy = malloc (size ? size : 1);
  if (copy == NULL)
    give_up (path, "out of memory");
  memcpy (copy, input, size);
  LLVMFuzzerTestOneInput (copy, size);
  free (copy);
}

static int
is_hex (const struct dirent *entry)
{
  return strstr (entry->d_name, ".hex") != NULL;
}

/* Replay what is there for a target; returns how many there are. */
static int
replay_regressions (const char *target)
{
  struct dirent **entries;
  char path[4096];
  int i, n;

  snprintf (path, sizeof path, "%s/%s", REGRESSIONS, target);
  n = scandir (path, &entries, is_hex, alphasort);
  if (n == -1)
    give_up (path, strerror (errno));
  for (i = 0; i < n; ++i) {
    snprintf (path, sizeof path, "%s/%s/%s", REGRESSIONS, target,
              entries[i]->d_name);
    replay (path);
    free (entries[i]);
  }
  free (entries);
  return n;
}

int
main (int argc, char **argv)
{
  const char *dash = strrchr (argv[0], '-');
  int i;

  for (i = 1; i < argc; ++i)
    replay (argv[i]);
  if (argc == 1)
    i = 1 + replay_regressions (dash ? dash + 1 : "");
  printf ("checks: %d\n", i - 1);
  return i > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
