/* SPDX-License-Identifier: BSD-3-Clause */
/* Files in memory, each before a page that cannot be touched. */

#include "files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "util/minmax.h"

/* What a hole starts and ends at a multiple of. */
#define HOLE_UNIT 512

#define UNITS_MAX (FUZZ_FILE_SIZE_MAX / HOLE_UNIT)

struct file {
  uint8_t *end;                 /* where the bytes end, always */
  size_t size;
  bool holes_known;
  bool is_hole[UNITS_MAX];
};

static struct file files[FUZZ_FILES_MAX];
static unsigned file_count, open_count;
static uint64_t meter;

/* A source of one of them. */
struct guarded {
  struct source source;
  const struct file *file;
};

static const uint8_t *
bytes_of (const struct file *file)
{
  return file->end - file->size;
}

static void
make_room (struct file *file)
{
  const size_t page = sysconf (_SC_PAGESIZE);
  uint8_t *room = mmap (NULL, FUZZ_FILE_SIZE_MAX + page,
                        PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  fuzz_assert (room != MAP_FAILED, "no memory for a file");
  file->end = room + FUZZ_FILE_SIZE_MAX;
  fuzz_assert (mprotect (file->end, page, PROT_NONE) == 0,
               "a page cannot be guarded");
}

void
fuzz_files_clear (void)
{
  fuzz_assert (open_count == 0, "%u files were left open", open_count);
  file_count = 0;
}

bool
fuzz_files_add (const uint8_t *bytes, size_t size)
{
  struct file *file = &files[file_count];

  if (file_count == FUZZ_FILES_MAX || size > FUZZ_FILE_SIZE_MAX)
    return false;
  if (file->end == NULL)
    make_room (file);
  file->size = size;
  file->holes_known = false;
  if (size > 0)
    memcpy (file->end - size, bytes, size);
  file_count++;
  return true;
}

static int
guarded_pread (struct source *source, void *buffer, size_t count,
               uint64_t offset, struct vdisk_error *error)
{
  const struct guarded *guarded = (const struct guarded *) source;

  (void) error;
  fuzz_assert (count > 0 && offset <= source->size &&
               count <= source->size - offset,
               "%zu bytes at offset %llu of %s are asked for", count,
               (unsigned long long) offset, source->name);
  meter += 1 + count / 512;
  memcpy (buffer, bytes_of (guarded->file) + offset, count);
  return 0;
}

/* Find the units that are all zeros. */
static void
find_holes (struct file *file)
{
  size_t i, unit;

  if (file->holes_known)
    return;
  for (i = 0; i < file->size; i += HOLE_UNIT) {
    unit = min_u64 (HOLE_UNIT, file->size - i);
    file->is_hole[i / HOLE_UNIT] = fuzz_is_zeros (bytes_of (file) + i, unit);
  }
  file->holes_known = true;
}

static int
guarded_extent (struct source *source, uint64_t offset, uint64_t *length,
                bool *hole, struct vdisk_error *error)
{
  const bool *is_hole =
    ((const struct guarded *) source)->file->is_hole;
  uint64_t end = (offset / HOLE_UNIT + 1) * HOLE_UNIT;

  (void) error;
  fuzz_assert (offset < source->size, "the extent at offset %llu of %s is "
               "asked for", (unsigned long long) offset, source->name);
  meter++;
  *hole = is_hole[offset / HOLE_UNIT];
  while (end < source->size && is_hole[end / HOLE_UNIT] == *hole)
    end += HOLE_UNIT;
  *length = min_u64 (end, source->size) - offset;
  return 0;
}

static void
guarded_close (struct source *source)
{
  open_count--;
  free (source->name);
  free (source);
}

static const struct source_ops guarded_ops = {
  .pread = guarded_pread,
  .extent = guarded_extent,
  .close = guarded_close,
};

struct source *
fuzz_files_open (unsigned number, bool sparse, bool anonymous)
{
  const char name[] = { 'a' + number, '\0' };
  struct guarded *guarded;

  if (number >= file_count)
    return NULL;
  guarded = calloc (1, sizeof *guarded);
  fuzz_assert (guarded && (guarded->source.name = strdup (name)),
               "out of memory");
  guarded->source.ops = &guarded_ops;
  guarded->source.size = files[number].size;
  guarded->source.sparse = sparse;
  guarded->source.inode = anonymous ? 0 : number + 1;
  guarded->file = &files[number];
  if (sparse)
    find_holes (&files[number]);
  open_count++;
  return &guarded->source;
}

int
fuzz_files_find (const char *name)
{
  const unsigned number = name[0] - 'a';

  return name[0] && name[1] == '\0' && number < file_count
    ? (int) number : -1;
}

const uint8_t *
fuzz_files_bytes (unsigned number, size_t *size)
{
  *size = files[number].size;
  return bytes_of (&files[number]);
}

size_t
fuzz_files_total (void)
{
  size_t total = 0;
  unsigned i;

  for (i = 0; i < file_count; ++i)
    total += files[i].size;
  return total;
}

unsigned
fuzz_files_opened (void)
{
  return open_count;
}

void
fuzz_meter_start (void)
{
  meter = 0;
}

void
fuzz_meter_check (const char *what, uint64_t limit)
{
  fuzz_assert (meter <= limit, "%s: %llu reads, must be at most %llu",
               what, (unsigned long long) meter,
               (unsigned long long) limit);
}
