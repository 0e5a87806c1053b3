/* SPDX-License-Identifier: BSD-3-Clause */
/* XenServer's import protocol: chunks of a disk, each with its place.
 *
 *   { offset: 8 bytes, length: 4 bytes, little-endian; data }, ..., 12 zeros
 *
 * Data is rounded outward to grains of 4 KiB.  Each run of grains is cut
 * into chunks of 1 MiB, the last of them shorter, so that where a chunk lies
 * depends on all runs before it: of the walk that counts them the place in
 * the file is kept for every so many grains (a step), with how much of a
 * chunk lies before it.
 */

#include "output/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/align.h"
#include "util/bytes.h"
#include "util/error.h"
#include "util/minmax.h"

#define GRAIN_BITS 12
#define GRAIN (1 << GRAIN_BITS)
#define CHUNK_GRAINS 256
_Static_assert (CHUNK_GRAINS - 1 <= UINT8_MAX, "grains before a step");

struct chunk_header {
  le64 offset;
  le32 length;
};
_Static_assert (sizeof (struct chunk_header) == 12, "size of chunk header");

#define HEADER_SIZE sizeof (struct chunk_header)

struct chunked {
  struct unit_runs grains;
  unsigned step_bits;
  uint64_t steps;
  uint64_t *places;             /* where the first grain from step i on is in
                                   the file, or its chunk's header if it
                                   begins one; one more than there are
                                   steps */
  uint8_t *before;              /* so many grains of the same chunk lie before
                                   step i */
};

/* How many bytes of the disk grains have: the last may have fewer. */
static uint64_t
grains_length (const struct chunked *chunked, uint64_t first, uint64_t count)
{
  return min_u64 ((first + count) << GRAIN_BITS,
                  vdisk_size (chunked->grains.disk)) - (first << GRAIN_BITS);
}

/* --- Counting ----------------------------------------------------------- */

/* A walk along the chunks. */
struct cursor {
  uint64_t grain;               /* where the last run ended */
  uint64_t place;               /* in the file */
  unsigned before;              /* grains of the chunk that is not full; 0:
                                   the next grain begins one */
};

struct counting {
  struct chunked *chunked;
  uint64_t step;                /* the next of which nothing is kept */
  struct cursor cursor;
};

/* Go on by a part of a run. */
static void
pass_grains (const struct chunked *chunked, struct cursor *cursor,
             uint64_t first, uint64_t count)
{
  if (first > cursor->grain)
    cursor->before = 0;
  if (count > 0)
    cursor->place += grains_length (chunked, first, count) + HEADER_SIZE *
      (divide_up (cursor->before + count, CHUNK_GRAINS) -
       (cursor->before > 0));
  cursor->before = (cursor->before + count) % CHUNK_GRAINS;
  cursor->grain = first + count;
}

static int
count_run (void *opaque, const struct unit_run *run)
{
  struct counting *counting = opaque;
  struct chunked *chunked = counting->chunked;
  struct cursor *cursor = &counting->cursor;
  const uint64_t end = run->first + run->count;
  uint64_t from = run->first;

  for (; counting->step <= chunked->steps; counting->step++) {
    const uint64_t at = counting->step << chunked->step_bits;

    if (at >= end)
      break;
    if (at > from) {
      pass_grains (chunked, cursor, from, at - from);
      from = at;
    }
    chunked->places[counting->step] = cursor->place;
    chunked->before[counting->step] = at > run->first ? cursor->before : 0;
  }
  pass_grains (chunked, cursor, from, end - from);
  return 0;
}

static int
count_chunks (struct chunked *chunked, uint64_t *length,
              struct vdisk_error *error)
{
  struct counting counting = { .chunked = chunked };

  if (unit_runs_walk (&chunked->grains, 0, chunked->grains.units, count_run,
                      &counting, error) == -1)
    return -1;
  for (; counting.step <= chunked->steps; counting.step++)
    chunked->places[counting.step] = counting.cursor.place;
  *length = counting.cursor.place;
  return 0;
}

/* --- Reading ------------------------------------------------------------ */

struct reading {
  const struct chunked *chunked;
  uint8_t *buffer;
  uint64_t offset, end;         /* in the file */
  struct cursor cursor;
  struct vdisk_error *error;
  int status;
};

static int
map_has_changed (const struct chunked *chunked, struct vdisk_error *error)
{
  return error_set (error, EIO, "%s: the map has changed while it was read",
                    vdisk_layer_file (chunked->grains.disk, 0));
}

/* Which part of so many bytes at a place of the file is wanted?  Sets where
 * it begins in them, and in the buffer.  0 if none. */
static size_t
wanted (const struct reading *reading, uint64_t place, uint64_t length,
        uint64_t *skip, uint8_t **to)
{
  const uint64_t from = max_u64 (place, reading->offset);
  const uint64_t end = min_u64 (place + length, reading->end);

  *skip = from - place;
  *to = reading->buffer + (from - reading->offset);
  return from < end ? end - from : 0;
}

static int
take_first (void *opaque, const struct unit_run *run)
{
  *(struct unit_run *) opaque = *run;
  return 1;
}

/* The header of a chunk, whose length depends on what follows. */
static int
read_header (struct reading *reading, uint64_t grain)
{
  const struct chunked *chunked = reading->chunked;
  struct chunk_header header = { .offset = to_le64 (grain << GRAIN_BITS) };
  struct unit_run run = { 0 };
  uint64_t skip;
  uint8_t *to;
  const size_t count = wanted (reading, reading->cursor.place, HEADER_SIZE,
                               &skip, &to);

  if (count == 0)
    return 0;
  if (unit_runs_walk (&chunked->grains, grain,
                      min_u64 (grain + CHUNK_GRAINS, chunked->grains.units),
                      take_first, &run, reading->error) == -1)
    return -1;
  if (run.first != grain || run.count == 0)
    return map_has_changed (chunked, reading->error);
  header.length = to_le32 (grains_length (chunked, grain, run.count));
  memcpy (to, (const uint8_t *) &header + skip, count);
  return 0;
}

/* A part of a chunk, and the header if it begins there. */
static int
read_chunk (struct reading *reading, uint64_t first, uint64_t count)
{
  const struct cursor *cursor = &reading->cursor;
  const uint64_t place = cursor->place +
    (cursor->before == 0 ? HEADER_SIZE : 0);
  uint64_t skip;
  uint8_t *to;
  const size_t n = wanted (reading, place,
                           grains_length (reading->chunked, first, count),
                           &skip, &to);

  if (cursor->before == 0 && read_header (reading, first) == -1)
    return -1;
  return n == 0 ? 0
    : vdisk_pread (reading->chunked->grains.disk, to, n,
                   (first << GRAIN_BITS) + skip, reading->error);
}

/* Stops when all is read, or if something fails. */
static int
read_run (void *opaque, const struct unit_run *run)
{
  struct reading *reading = opaque;
  struct cursor *cursor = &reading->cursor;
  const uint64_t end = run->first + run->count;
  uint64_t first, n;

  for (first = run->first; first < end; first += n) {
    if (cursor->place >= reading->end)
      return 1;
    if (first > cursor->grain)
      cursor->before = 0;
    n = min_u64 (end - first, CHUNK_GRAINS - cursor->before);
    reading->status = read_chunk (reading, first, n);
    if (reading->status == -1)
      return 1;
    pass_grains (reading->chunked, cursor, first, n);
  }
  return 0;
}

/* The last step that does not begin behind an offset. */
static uint64_t
find_step (const struct chunked *chunked, uint64_t offset)
{
  uint64_t low = 0, high = chunked->steps;

  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;

    if (chunked->places[middle] <= offset)
      low = middle;
    else
      high = middle;
  }
  return low;
}

static int
read_step (struct reading *reading, uint64_t step)
{
  const struct chunked *chunked = reading->chunked;
  const uint64_t first = step << chunked->step_bits;
  const uint64_t end = (step + 1) << chunked->step_bits;

  reading->cursor = (struct cursor) {
    .grain = first, .place = chunked->places[step],
    .before = chunked->before[step],
  };
  if (unit_runs_walk (&chunked->grains, first,
                      min_u64 (end, chunked->grains.units), read_run,
                      reading, reading->error) == -1 ||
      reading->status == -1)
    return -1;
  return reading->cursor.place < min_u64 (reading->end,
                                          chunked->places[step + 1])
    ? map_has_changed (chunked, reading->error) : 0;
}

static int
read_chunks (const struct vdisk_output *output,
             const struct output_region *region, void *buffer, size_t count,
             uint64_t offset, struct vdisk_error *error)
{
  const struct chunked *chunked = output->state;
  struct reading reading = {
    .chunked = chunked, .buffer = buffer, .offset = offset,
    .end = offset + count, .error = error,
  };
  uint64_t step;

  (void) region;
  for (; offset < reading.end; offset = chunked->places[step + 1]) {
    step = find_step (chunked, offset);
    if (read_step (&reading, step) == -1)
      return -1;
  }
  return 0;
}

/* --- The plan ----------------------------------------------------------- */

static int
chunked_plan (struct vdisk_output *output, struct vdisk_error *error)
{
  static const struct chunk_header end;
  struct chunked *chunked = output->state;
  uint64_t length;

  unit_runs_init (&chunked->grains, output->disk, GRAIN, UNITS_WITH_DATA);
  chunked->step_bits = unit_runs_step_bits (&chunked->grains);
  chunked->steps = divide_up (chunked->grains.units,
                              UINT64_C (1) << chunked->step_bits);
  chunked->places = calloc (chunked->steps + 1, sizeof chunked->places[0]);
  chunked->before = calloc (chunked->steps + 1, sizeof chunked->before[0]);
  if (chunked->places == NULL || chunked->before == NULL)
    return error_no_memory (error, "output");
  if (count_chunks (chunked, &length, error) == -1 ||
      output_add_table (output, length, read_chunks, error) == -1)
    return -1;
  return output_add_bytes (output, &end, sizeof end, error);
}

static void
chunked_close (struct vdisk_output *output)
{
  struct chunked *chunked = output->state;

  free (chunked->places);
  free (chunked->before);
}

const struct output_format output_chunked = {
  .name = "chunked",
  .state_size = sizeof (struct chunked),
  .plan = chunked_plan,
  .close = chunked_close,
};
