/* SPDX-License-Identifier: BSD-3-Clause */
/* Files in memory, each before a page that cannot be touched. */

#include "files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/error.h"
#include "fuzz.h"
#include "source/read-ahead.h"
#include "util/align.h"
#include "util/minmax.h"

/* What a hole starts and ends at a multiple of. */
#define HOLE_UNIT 512
#define KIND_UNIT 4096

#define UNITS_MAX (FUZZ_FILE_SIZE_MAX / HOLE_UNIT)

struct file {
  uint8_t *end;                 /* where the bytes end, always */
  size_t size;
  bool zeros_known;
  bool is_zero[UNITS_MAX];
  bool large;
};

static struct file files[FUZZ_FILES_MAX];
static unsigned file_count, open_count;
static uint64_t meter;
static unsigned fault;          /* reads until one fails; 0: none will */
static bool fault_taken;
static bool reads_ahead;        /* a small read brings a large block */

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
  file->zeros_known = false;
  file->large = false;
  if (size > 0)
    memcpy (file->end - size, bytes, size);
  file_count++;
  return true;
}

/* Count a read; true if it is to fail. */
static bool
count_read (uint64_t units)
{
  meter += units;
  if (fault == 0 || --fault > 0)
    return false;
  fault_taken = true;
  return true;
}

static int
guarded_pread (struct source *source, void *buffer, size_t count,
               uint64_t offset, struct vdisk_error *error)
{
  const struct file *file = ((const struct guarded *) source)->file;
  const size_t present = offset < file->size
    ? min_u64 (count, file->size - offset) : 0;

  fuzz_assert (count > 0 && offset <= source->size &&
               count <= source->size - offset,
               "%zu bytes at offset %llu of %s are asked for", count,
               (unsigned long long) offset, source->name);
  if (count_read (1 + count / 512))
    return error_set (error, EIO, "%s: a read fails", source->name);
  if (present > 0)
    memcpy (buffer, bytes_of (file) + offset, present);
  memset ((uint8_t *) buffer + present, 0, count - present);
  return 0;
}

/* Find the units that are all zeros. */
static void
find_zeros (struct file *file)
{
  size_t i, unit;

  if (file->zeros_known)
    return;
  for (i = 0; i < file->size; i += HOLE_UNIT) {
    unit = min_u64 (HOLE_UNIT, file->size - i);
    file->is_zero[i / HOLE_UNIT] = fuzz_is_zeros (bytes_of (file) + i, unit);
  }
  file->zeros_known = true;
}

/* What the unit is that 'offset' is in.  Where it is all zeros, it is now a
 * hole and now space that is reserved. */
static enum vdisk_kind
kind_at (const struct file *file, uint64_t offset)
{
  if (offset >= round_up (file->size, HOLE_UNIT))
    return VDISK_HOLE;
  if (!file->is_zero[offset / HOLE_UNIT])
    return VDISK_DATA;
  return offset / KIND_UNIT % 2 == 1 ? VDISK_ZERO : VDISK_HOLE;
}

static int
guarded_extent (struct source *source, uint64_t offset, uint64_t *length,
                enum vdisk_kind *kind, struct vdisk_error *error)
{
  const struct file *file = ((const struct guarded *) source)->file;
  uint64_t end = (offset / HOLE_UNIT + 1) * HOLE_UNIT;

  fuzz_assert (offset < source->size, "the extent at offset %llu of %s is "
               "asked for", (unsigned long long) offset, source->name);
  if (count_read (1))
    return error_set (error, EIO, "%s: a search fails", source->name);
  *kind = kind_at (file, offset);
  while (end < file->size && kind_at (file, end) == *kind)
    end += HOLE_UNIT;
  if (end >= file->size && *kind == VDISK_HOLE)
    end = source->size;
  *length = min_u64 (end, source->size) - offset;
  return 0;
}

static void
guarded_close (struct source *source)
{
  open_count--;
  read_ahead_free (source->ahead);
  free (source->name);
  free (source);
}

static const struct source_ops guarded_ops = {
  .pread = guarded_pread,
  .extent = guarded_extent,
  .close = guarded_close,
};

struct source *
fuzz_files_open (unsigned number, const struct fuzz_control *control)
{
  const char name[] = { 'a' + number, '\0' };
  struct file *file = &files[number];
  struct guarded *guarded;

  if (number >= file_count)
    return NULL;
  guarded = calloc (1, sizeof *guarded);
  fuzz_assert (guarded && (guarded->source.name = strdup (name)),
               "out of memory");
  file->large = control->large;
  reads_ahead = control->ahead;
  guarded->source.ops = &guarded_ops;
  guarded->source.size = fuzz_files_size (number);
  guarded->source.sparse = control->sparse;
  guarded->source.inode = control->anonymous ? 0 : number + 1;
  guarded->file = file;
  if (control->sparse)
    find_zeros (file);
  if (control->ahead)
    guarded->source.ahead = read_ahead_new (&guarded->source);
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

void
fuzz_files_get (unsigned number, uint64_t offset, uint8_t *bytes,
                size_t count)
{
  const struct file *file = &files[number];
  const size_t present = offset < file->size
    ? min_u64 (count, file->size - offset) : 0;

  memset (bytes, 0, count);
  if (present > 0)
    memcpy (bytes, bytes_of (file) + offset, present);
}

bool
fuzz_files_has (unsigned number, uint64_t offset, const uint8_t *bytes,
                size_t count)
{
  const struct file *file = &files[number];
  const size_t present = offset < file->size
    ? min_u64 (count, file->size - offset) : 0;

  if (present > 0 && memcmp (bytes, bytes_of (file) + offset, present) != 0)
    return false;
  return fuzz_is_zeros (bytes + present, count - present);
}

uint64_t
fuzz_files_size (unsigned number)
{
  return files[number].size + (files[number].large ? FUZZ_FILE_TAIL : 0);
}

uint64_t
fuzz_files_total (void)
{
  uint64_t total = 0;
  unsigned i;

  for (i = 0; i < file_count; ++i)
    total += fuzz_files_size (i);
  return total;
}

void
fuzz_files_arm (unsigned n)
{
  fault = n;
  fault_taken = false;
}

bool
fuzz_files_has_failed (void)
{
  return fault_taken;
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
  if (reads_ahead)
    limit *= READ_AHEAD_BLOCK / 512;
  fuzz_assert (meter <= limit, "%s: %llu reads, must be at most %llu",
               what, (unsigned long long) meter,
               (unsigned long long) limit);
}
