/* SPDX-License-Identifier: BSD-3-Clause */
/* The units of a disk that are stored, with what frames them. */

#include "output/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/error.h"
#include "util/minmax.h"

static bool
has_last_unit (const struct unit_index *index, bool *has_last,
               struct vdisk_error *error)
{
  const uint64_t units = unit_index_units (index);
  struct unit_run run = { 0 };

  if (units > 0 &&
      unit_index_next_run (index, units - 1, units, &run, error) == -1)
    return false;
  *has_last = run.count > 0;
  return true;
}

int
output_add_units (struct vdisk_output *output,
                  const struct output_region *region,
                  struct vdisk_error *error)
{
  const uint64_t unit_size = unit_index_unit_size (region->index);
  struct output_region units = *region;
  bool has_last;

  if (!has_last_unit (region->index, &has_last, error))
    return -1;
  units.kind = REGION_UNITS;
  if (__builtin_mul_overflow (unit_index_stored (region->index),
                              region->before + unit_size + region->after,
                              &units.length))
    units.length = UINT64_MAX;
  else if (has_last)
    units.length -= unit_size - region->last_length;
  return output_add_region (output, units, error);
}

/* A read of some of the stored units. */
struct units_read {
  const struct vdisk_output *output;
  const struct output_region *region;
  uint8_t *buffer;
  uint64_t offset, end;         /* in the region */
  struct vdisk_error *error;
};

/* Read the part of [start, start + length), of the region, that is wanted,
 * of what frames a unit.  'data': see output_frame. */
static int
read_frame (const struct units_read *read, uint64_t start, uint32_t length,
            output_frame *frame, uint64_t unit, const uint8_t *data)
{
  const uint64_t from = max_u64 (start, read->offset);
  const uint64_t to = min_u64 (start + length, read->end);
  CLEANUP_FREE uint8_t *bytes = NULL;

  if (from >= to)
    return 0;
  bytes = malloc (length);
  if (bytes == NULL)
    return error_no_memory (read->error, "output");
  if (frame (read->output, read->region, unit, data, bytes,
             read->error) == -1)
    return -1;
  memcpy (read->buffer + (from - read->offset), bytes + (from - start),
          to - from);
  return 0;
}

/* Read the wanted part of so many guest bytes, which lie at 'start' in the
 * region. */
static int
read_guest (const struct units_read *read, uint64_t start, uint64_t length,
            uint64_t guest)
{
  const uint64_t from = max_u64 (start, read->offset);
  const uint64_t to = min_u64 (start + length, read->end);
  struct vdisk *disk = unit_index_disk (read->region->index);
  const uint64_t size = vdisk_size (disk);
  uint64_t present;
  uint8_t *buffer;

  if (from >= to)
    return 0;
  guest += from - start;
  buffer = read->buffer + (from - read->offset);
  present = guest < size ? min_u64 (to - from, size - guest) : 0;
  memset (buffer + present, 0, to - from - present);
  return present == 0 ? 0
    : vdisk_pread (disk, buffer, present, guest, read->error);
}

/* How many bytes a unit takes in the file, without what frames it. */
static uint64_t
unit_length (const struct output_region *region, uint64_t unit)
{
  return unit == unit_index_units (region->index) - 1 ? region->last_length
    : unit_index_unit_size (region->index);
}

/* Read the wanted part of one unit with its frame. */
static int
read_unit (const struct units_read *read, uint64_t rank, uint64_t unit)
{
  const struct output_region *region = read->region;
  const uint64_t start = rank * output_unit_stride (region);
  const uint64_t length = unit_length (region, unit);
  const uint64_t data = start + region->before;
  const bool is_whole = read->offset <= data && data + length <= read->end;
  const uint8_t *bytes = is_whole ? read->buffer + (data - read->offset)
    : NULL;

  if (read_guest (read, data, length,
                  unit * unit_index_unit_size (region->index)) == -1 ||
      read_frame (read, start, region->before, region->frame_before, unit,
                  bytes) == -1)
    return -1;
  return read_frame (read, data + length, region->after,
                     region->frame_after, unit, bytes);
}

/* Read the wanted part of a run of units, the first of which is number
 * 'rank' of those stored. */
static int
read_run (const struct units_read *read, uint64_t rank,
          const struct unit_run *run)
{
  const struct output_region *region = read->region;
  const uint64_t unit_size = unit_index_unit_size (region->index);
  const uint64_t last = run->first + run->count - 1;
  uint64_t i;

  /* Units that nothing frames are read at once. */
  if (region->before == 0 && region->after == 0)
    return read_guest (read, rank * unit_size, (run->count - 1) * unit_size +
                       unit_length (region, last), run->first * unit_size);
  for (i = 0; i < run->count; ++i)
    if (read_unit (read, rank + i, run->first + i) == -1)
      return -1;
  return 0;
}

/* Runs are found so many at a time, with one walk over the map. */
#define RUNS 64

/* Find stored units from 'unit' on, of which about so many are wanted: to
 * look for the end of a run that goes on much longer would cost more than
 * to read it. */
static int
find_runs (const struct units_read *read, uint64_t unit, uint64_t wanted,
           struct unit_run *runs, size_t *count)
{
  const struct unit_index *index = read->region->index;
  const uint64_t units = unit_index_units (index);

  do {
    *count = RUNS;
    if (unit_index_next_runs (index, unit, min_u64 (units, unit + wanted),
                              runs, count, read->error) == -1)
      return -1;
    wanted *= 2;
  } while (*count == 0 && wanted < 2 * units);
  if (*count == 0)
    return error_set (read->error, EIO, "output %s: the map has changed "
                      "while it was read", read->output->format->name);
  return 0;
}

static int
read_units (const struct units_read *read)
{
  struct unit_index *index = read->region->index;
  const uint64_t stride = output_unit_stride (read->region);
  uint64_t rank = read->offset / stride;
  const uint64_t end = (read->end - 1) / stride + 1;
  struct unit_run runs[RUNS];
  size_t count, i;
  uint64_t unit;

  if (unit_index_select (index, rank, &unit, read->error) == -1)
    return -1;
  while (rank < end) {
    if (find_runs (read, unit, end - rank, runs, &count) == -1)
      return -1;
    for (i = 0; i < count && rank < end; ++i) {
      /* As many units as are wanted, and no more. */
      runs[i].count = min_u64 (runs[i].count, end - rank);
      if (read_run (read, rank, &runs[i]) == -1)
        return -1;
      rank += runs[i].count;
      unit = runs[i].first + runs[i].count;
    }
  }
  return 0;
}

int
output_read_units (const struct vdisk_output *output,
                   const struct output_region *region, uint8_t *buffer,
                   size_t count, uint64_t offset, struct vdisk_error *error)
{
  const struct units_read read = {
    .output = output, .region = region, .buffer = buffer, .offset = offset,
    .end = offset + count, .error = error,
  };

  return read_units (&read);
}
