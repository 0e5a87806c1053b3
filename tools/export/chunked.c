/* SPDX-License-Identifier: BSD-3-Clause */
/* XenServer's import protocol: a copy of an output, but where zeros are left
 * out of chunks of a disk, or all that has not changed.
 */

#include "export/export.h"

#include <string.h>

#include "export/outputs.h"
#include "util/bytes.h"
#include "util/iszero.h"
#include "util/minmax.h"

#define CHUNK_LENGTH_MAX (1 << 20)
#define GRAIN 4096

struct chunk_header {
  le64 offset;
  le32 length;
};
_Static_assert (sizeof (struct chunk_header) == 12, "size of chunk header");

/* Where the grains from 'at' on that are all zeros, or none of them, end. */
static uint64_t
end_of_run (const uint8_t *bytes, uint64_t at, uint64_t length, bool zero)
{
  while (at < length && is_zero (bytes + at,
                                 min_u64 (GRAIN, length - at)) == zero)
    at += min_u64 (GRAIN, length - at);
  return at;
}

/* Frame the chunks that are left of a piece without its zeros.  What is
 * read lies behind where it goes. */
static void
frame_but_zeros (struct piece *piece, const uint8_t *data)
{
  const uint64_t length = piece->length;
  uint8_t *to = piece->buffer;
  uint64_t start, end;

  for (end = 0; end < length; ) {
    struct chunk_header header;

    start = end_of_run (data, end, length, true);
    end = end_of_run (data, start, length, false);
    if (start == end)
      break;
    header.offset = to_le64 (piece->ranges[0].offset + start);
    header.length = to_le32 (end - start);
    memcpy (to, &header, sizeof header);
    memmove (to + sizeof header, data + start, end - start);
    to += sizeof header + (end - start);
  }
  piece->size = to - piece->buffer;
}

static int
make_chunks (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  const struct export *export = opaque;
  const struct range *range = &piece->ranges[0];
  uint8_t *data = piece->buffer + sizeof (struct chunk_header) +
    CHUNK_LENGTH_MAX;

  if (vdisk_pread (export->disks[0], data, range->length, range->offset,
                   error) == -1)
    return -1;
  frame_but_zeros (piece, data);
  return 0;
}

static int
make_chunk (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  const struct export *export = opaque;
  const struct range *range = &piece->ranges[0];
  const struct chunk_header header = {
    .offset = to_le64 (range->offset), .length = to_le32 (range->length),
  };

  memcpy (piece->buffer, &header, sizeof header);
  piece->size = sizeof header + range->length;
  return vdisk_pread (export->disks[0], piece->buffer + sizeof header,
                      range->length, range->offset, error);
}

static int
put_chunk (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  struct export *export = opaque;

  if (sink_put (export->sink, piece->buffer, piece->size, error) == -1)
    return -1;
  export_advance (export, piece->length);
  return 0;
}

/* Write what is made of all pieces: chunks without zeros, or of what has
 * changed, if that is zeros, too. */
static int
write_pieces (struct export *export, struct vdisk_error *error)
{
  const struct pipeline_ops ops = {
    .piece_length = CHUNK_LENGTH_MAX, .one_range = true,
    .buffer_size = sizeof (struct chunk_header) + 2 * CHUNK_LENGTH_MAX,
    .work = export->changed ? make_chunk : make_chunks, .write = put_chunk,
  };
  const struct chunk_header end = { 0 };
  struct units units;

  export->exporter->units (export, 0, &units);
  if (sink_begin (export->sink, 0, false, error) == -1 ||
      export_units_through (export, &units, &ops, export, error) == -1)
    return -1;
  return sink_put (export->sink, &end, sizeof end, error);
}

/* --- The exporter ------------------------------------------------------- */

static bool
chunked_units (const struct export *export, size_t i, struct units *units)
{
  *units = (struct units) {
    .disk = export->disks[i], .size = GRAIN,
    .difference = export->difference, .zeros_are_data = true,
  };
  return true;
}

static bool
chunked_is_size_unknown (const struct export_options *options)
{
  return options->detect_zeroes;
}

/* A run becomes chunks of the greatest length, and what is left. */
static int
count_chunks (void *opaque, const struct unit_run *run,
              struct vdisk_error *error)
{
  struct export *export = opaque;
  struct units units;
  uint64_t length;

  (void) error;
  export->exporter->units (export, 0, &units);
  length = unit_run_length (&units, run);
  export->total += length;
  export->size += length + divide_up (length, CHUNK_LENGTH_MAX) *
    sizeof (struct chunk_header);
  return 0;
}

static int
chunked_plan (struct export *export, struct vdisk_error *error)
{
  struct vdisk_changes changes;
  struct units units;

  if (export->changed == NULL)
    return outputs_plan (export, error);
  if (export_find_changes (export, &changes, error) == -1)
    return -1;
  export->exporter->units (export, 0, &units);
  export->size = sizeof (struct chunk_header);
  return units_walk (&units, count_chunks, export, error);
}

static int
chunked_write (struct export *export, struct vdisk_error *error)
{
  return export->options->detect_zeroes || export->changed
    ? write_pieces (export, error) : outputs_write (export, error);
}

const struct exporter exporter_chunked = {
  .name = "chunked",
  .help = "XenServer's import protocol: pieces with their offsets",
  .units = chunked_units,
  .is_size_unknown = chunked_is_size_unknown,
  .plan = chunked_plan,
  .write = chunked_write,
};
