/* SPDX-License-Identifier: BSD-3-Clause */
/* Comparing two disks, unless the library has done it.  The caller's thread
 * walks both maps and finds the units whose bytes have to be compared; threads
 * do that.
 */

#include "export/difference.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/error.h"
#include "export/interrupt.h"
#include "export/pipeline.h"
#include "util/align.h"
#include "util/iszero.h"
#include "util/minmax.h"

#define PIECE_LENGTH (1 << 20)
#define SECTOR 512

struct difference {
  uint64_t disk_size;           /* whole sectors: what formats that have
                                   nothing smaller show of the disk */
  uint64_t shown_size;          /* and to the byte */
  uint64_t unit_size, count;
  uint64_t *changed, *zeros;    /* bits: memory of zeros that the kernel
                                   provides where a bit is set */
};

/* A comparison under way. */
struct comparison {
  struct difference *difference;
  struct vdisk *disk, *base;
  struct pipeline *pipeline;
  uint64_t compared;            /* units below this were put already */
};

/* What a thread finds out of a unit. */
enum finding { SAME, DIFFERS, BECAME_ZERO };

static bool
get_bit (const uint64_t *bits, uint64_t n)
{
  return bits[n / 64] >> n % 64 & 1;
}

static void
set_bit (uint64_t *bits, uint64_t n)
{
  bits[n / 64] |= UINT64_C (1) << n % 64;
}

/* Read what there is of a range, and zeros past the end of the disk. */
static int
read_padded (struct vdisk *disk, uint8_t *buffer, const struct range *range,
             struct vdisk_error *error)
{
  const uint64_t size = vdisk_size (disk);
  const uint64_t left = range->offset < size ? size - range->offset : 0;
  const size_t present = min_u64 (range->length, left);

  memset (buffer + present, 0, range->length - present);
  return present == 0 ? 0
    : vdisk_pread (disk, buffer, present, range->offset, error);
}

static uint8_t
compare_unit (const uint8_t *now, const uint8_t *before, size_t size)
{
  if (memcmp (now, before, size) == 0)
    return SAME;
  return is_zero (now, size) ? BECAME_ZERO : DIFFERS;
}

static int
compare_piece (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  const struct comparison *comparison = opaque;
  const uint64_t unit_size = comparison->difference->unit_size;
  uint8_t *now = piece->buffer, *before = now + piece->length;
  uint8_t *found = piece->extra;
  unsigned i;

  for (i = 0; i < piece->range_count; ++i) {
    const struct range *range = &piece->ranges[i];
    uint64_t done, n;

    if (read_padded (comparison->disk, now, range, error) == -1 ||
        read_padded (comparison->base, before, range, error) == -1)
      return -1;
    for (done = 0; done < range->length; done += n) {
      n = min_u64 (unit_size, range->length - done);
      *found++ = compare_unit (now + done, before + done, n);
    }
  }
  return 0;
}

static int
note_piece (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  struct difference *difference =
    ((const struct comparison *) opaque)->difference;
  const uint8_t *found = piece->extra;
  unsigned i;

  (void) error;
  for (i = 0; i < piece->range_count; ++i) {
    uint64_t unit = piece->ranges[i].offset / difference->unit_size;
    uint64_t n = divide_up (piece->ranges[i].length, difference->unit_size);

    for (; n > 0; --n, ++unit, ++found)
      if (*found != SAME) {
        set_bit (difference->changed, unit);
        if (*found == BECAME_ZERO)
          set_bit (difference->zeros, unit);
      }
  }
  return 0;
}

static int
take_first (void *opaque, const struct vdisk_extent *extent)
{
  *(struct vdisk_extent *) opaque = *extent;
  return 1;
}

/* The extent at an offset.  Past the end of the disk is a hole. */
static int
extent_at (struct vdisk *disk, uint64_t offset, struct vdisk_extent *extent,
           struct vdisk_error *error)
{
  const uint64_t size = vdisk_size (disk);

  *extent = (struct vdisk_extent) {
    .offset = offset, .length = UINT64_MAX - offset, .kind = VDISK_HOLE,
  };
  return offset >= size ? 0
    : vdisk_extents (disk, offset, size - offset, take_first, extent, error);
}

static bool
reads_as_zeros (const struct vdisk_extent *extent)
{
  return extent->kind == VDISK_HOLE || extent->kind == VDISK_ZERO;
}

/* Is the data of both in one file? */
static bool
is_same_file (const struct comparison *comparison, unsigned depth,
              unsigned base_depth)
{
  const int fd = vdisk_layer_data_descriptor (comparison->disk, depth);
  const int base_fd = vdisk_layer_data_descriptor (comparison->base,
                                                   base_depth);
  struct stat st, base_st;

  return fd >= 0 && base_fd >= 0 && fstat (fd, &st) == 0 &&
    fstat (base_fd, &base_st) == 0 && st.st_dev == base_st.st_dev &&
    st.st_ino == base_st.st_ino && st.st_rdev == base_st.st_rdev;
}

/* Do both read the same bytes, as far as can be told without reading?
 * Both start at the same guest offset, so that the same part of one
 * compressed cluster is meant. */
static bool
is_surely_same (const struct comparison *comparison,
                const struct vdisk_extent *a, const struct vdisk_extent *b)
{
  if (reads_as_zeros (a) || reads_as_zeros (b))
    return reads_as_zeros (a) && reads_as_zeros (b);
  return a->kind == b->kind && a->host_offset == b->host_offset &&
    (a->kind != VDISK_PACKED ||
     strcmp (vdisk_layer_format (comparison->disk, a->depth),
             vdisk_layer_format (comparison->base, b->depth)) == 0) &&
    is_same_file (comparison, a->depth, b->depth);
}

/* Compare the units that a range of the disk lies in. */
static int
compare_range (struct comparison *comparison, uint64_t offset, uint64_t end,
               struct vdisk_error *error)
{
  const uint64_t unit_size = comparison->difference->unit_size;
  uint64_t start = round_down (offset, unit_size);

  end = min_u64 (round_up (end, unit_size),
                 comparison->difference->disk_size);
  start = max_u64 (start, comparison->compared);
  if (start >= end)
    return 0;
  comparison->compared = end;
  return pipeline_put (comparison->pipeline, start, end - start, error);
}

static int
compare_disks (struct comparison *comparison, struct vdisk_error *error)
{
  const uint64_t size = comparison->difference->disk_size;
  struct vdisk_extent a, b;
  uint64_t offset, end;

  for (offset = 0; offset < size; offset = end) {
    if (interrupt_check (error) == -1 ||
        extent_at (comparison->disk, offset, &a, error) == -1 ||
        extent_at (comparison->base, offset, &b, error) == -1)
      return -1;
    end = min_u64 (offset + min_u64 (a.length, b.length), size);
    if (!is_surely_same (comparison, &a, &b) &&
        compare_range (comparison, offset, end, error) == -1)
      return -1;
  }
  return pipeline_finish (comparison->pipeline, error);
}

static struct difference *
allocate (uint64_t disk_size, uint64_t unit_size)
{
  struct difference *difference = calloc (1, sizeof *difference);
  const uint64_t count = divide_up (disk_size, unit_size);
  const size_t words = count / 64 + 1;

  if (difference == NULL)
    return NULL;
  difference->disk_size = round_up (disk_size, SECTOR);
  difference->shown_size = disk_size;
  difference->unit_size = unit_size;
  difference->count = count;
  difference->changed = calloc (words, sizeof *difference->changed);
  difference->zeros = calloc (words, sizeof *difference->zeros);
  if (difference->changed && difference->zeros)
    return difference;
  difference_free (difference);
  return NULL;
}

struct difference *
difference_new (struct vdisk *disk, struct vdisk *base, uint64_t unit_size,
                unsigned threads, struct vdisk_error *error)
{
  const size_t piece_length = max_u64 (unit_size, PIECE_LENGTH);
  const struct pipeline_ops ops = {
    .piece_length = piece_length, .buffer_size = 2 * piece_length,
    .extra_size = piece_length / unit_size,
    .work = compare_piece, .write = note_piece,
  };
  struct comparison comparison = { .disk = disk, .base = base };
  int r = -1;

  comparison.difference = allocate (vdisk_size (disk), unit_size);
  if (comparison.difference == NULL) {
    error_no_memory (error, "comparing");
    return NULL;
  }
  comparison.pipeline = pipeline_new (&ops, &comparison, threads, error);
  if (comparison.pipeline)
    r = compare_disks (&comparison, error);
  pipeline_free (comparison.pipeline);
  if (r == 0)
    return comparison.difference;
  difference_free (comparison.difference);
  return NULL;
}

/* --- What the library knows -------------------------------------------- */

/* Taking extents of a difference, in their order. */
struct noting {
  struct difference *difference;
  uint64_t known;
  uint64_t zeros_start, zeros_end;      /* the last run of zeros */
  struct vdisk_error *error;
};

static void
set_bits (uint64_t *bits, uint64_t first, uint64_t end)
{
  for (; first < end; ++first)
    if (first % 64 == 0 && end - first >= 64) {
      bits[first / 64] = UINT64_MAX;
      first += 63;
    }
    else
      set_bit (bits, first);
}

static void
note_changed (const struct noting *noting, uint64_t offset, uint64_t end)
{
  struct difference *difference = noting->difference;

  set_bits (difference->changed, offset / difference->unit_size,
            divide_up (end, difference->unit_size));
}

/* Units are zeros from the first whole one of a run. */
static void
note_zeros (struct noting *noting, uint64_t offset, uint64_t end)
{
  struct difference *difference = noting->difference;
  const uint64_t unit_size = difference->unit_size;
  uint64_t first;

  note_changed (noting, offset, end);
  if (offset != noting->zeros_end || noting->zeros_start == noting->zeros_end)
    noting->zeros_start = offset;
  noting->zeros_end = end;
  first = max_u64 (divide_up (noting->zeros_start, unit_size),
                   offset / unit_size);
  set_bits (difference->zeros, first, end == difference->shown_size
            ? difference->count : end / unit_size);
}

static int
note_extent (void *opaque, const struct vdisk_extent *extent)
{
  struct noting *noting = opaque;
  const uint64_t end = extent->offset + extent->length;

  if (interrupt_check (noting->error) == -1)
    return -1;
  if (extent->kind == VDISK_ZERO)
    note_zeros (noting, extent->offset, end);
  else if (extent->kind != VDISK_HOLE)
    note_changed (noting, extent->offset, end);
  else if (end > noting->known)
    note_zeros (noting, max_u64 (extent->offset, noting->known), end);
  return 0;
}

struct difference *
difference_of_view (struct vdisk *changed, uint64_t unit_size,
                    uint64_t known, struct vdisk_error *error)
{
  const uint64_t size = vdisk_size (changed);
  struct vdisk_error interrupted = { 0 };
  struct noting noting = {
    .difference = allocate (size, unit_size), .known = known,
    .error = &interrupted,
  };

  if (noting.difference == NULL) {
    error_no_memory (error, "comparing");
    return NULL;
  }
  if (vdisk_extents (changed, 0, size, note_extent, &noting, error) == 0) {
    if (interrupted.errnum == 0)
      return noting.difference;
    *error = interrupted;
  }
  difference_free (noting.difference);
  return NULL;
}

void
difference_free (struct difference *difference)
{
  if (difference == NULL)
    return;
  free (difference->changed);
  free (difference->zeros);
  free (difference);
}

struct vdisk_changes
difference_changes (const struct difference *difference)
{
  return (struct vdisk_changes) {
    .struct_size = sizeof (struct vdisk_changes),
    .unit_size = difference->unit_size,
    .changed = difference->changed, .zeros = difference->zeros,
  };
}

/* True if no unit of the word that starts at 'unit' differs. */
static bool
word_is_same (const struct difference *difference, uint64_t unit)
{
  return unit % 64 == 0 && difference->changed[unit / 64] == 0;
}

static enum finding
finding_at (const struct difference *difference, uint64_t unit,
            bool zeros_are_data)
{
  if (!get_bit (difference->changed, unit))
    return SAME;
  return !zeros_are_data && get_bit (difference->zeros, unit) ? BECAME_ZERO
    : DIFFERS;
}

int
difference_walk (const struct difference *difference, bool zeros_are_data,
                 unit_visitor *visit, void *opaque,
                 struct vdisk_error *error)
{
  uint64_t unit = 0;

  while (unit < difference->count) {
    struct unit_run run = { .first = unit };
    enum finding finding;

    if (word_is_same (difference, unit)) {
      unit += 64;
      continue;
    }
    finding = finding_at (difference, unit, zeros_are_data);
    do
      unit++;
    while (unit < difference->count &&
           finding_at (difference, unit, zeros_are_data) == finding &&
           (finding != SAME || unit % 64 != 0));
    run.count = unit - run.first;
    run.zero = finding == BECAME_ZERO;
    if (finding != SAME && visit (opaque, &run, error) == -1)
      return -1;
  }
  return 0;
}
