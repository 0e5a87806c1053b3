/* SPDX-License-Identifier: BSD-3-Clause */
/* XenServer's import protocol: chunks of a disk, each with its place.
 *
 *   { offset: 8 bytes, length: 4 bytes, little-endian; data }, ..., 12 zeros
 */

#include "export/export.h"

#include <string.h>

#include "util/error.h"
#include "util/align.h"
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

static struct units
units_of (const struct export *export)
{
  return (struct units) { .disk = export->disks[0], .size = GRAIN };
}

struct counting {
  const struct units *units;
  uint64_t chunks;
};

static int
count_run (void *opaque, const struct unit_run *run,
           struct vdisk_error *error)
{
  struct counting *counting = opaque;

  (void) error;
  counting->chunks += divide_up (unit_run_length (counting->units, run),
                                 CHUNK_LENGTH_MAX);
  return 0;
}

static int
chunked_plan (struct export *export, struct vdisk_error *error)
{
  const struct units units = units_of (export);
  struct counting counting = { .units = &units };
  struct unit_count count;

  if (units_walk (&units, count_run, &counting, error) == -1 ||
      export_count_units (&units, &count, error) == -1)
    return -1;
  export->total = count.bytes;
  export->size = count.bytes +
    (counting.chunks + 1) * sizeof (struct chunk_header);
  return 0;
}

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
make_chunk (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  const struct export *export = opaque;
  const struct range *range = &piece->ranges[0];
  const struct chunk_header header = {
    .offset = to_le64 (range->offset), .length = to_le32 (range->length),
  };
  uint8_t *data = piece->buffer + sizeof header;

  if (export->options->detect_zeroes)
    data += CHUNK_LENGTH_MAX;
  if (vdisk_pread (export->disks[0], data, range->length, range->offset,
                   error) == -1)
    return -1;
  if (export->options->detect_zeroes)
    frame_but_zeros (piece, data);
  else {
    memcpy (piece->buffer, &header, sizeof header);
    piece->size = sizeof header + range->length;
  }
  return 0;
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

static int
chunked_write (struct export *export, struct vdisk_error *error)
{
  const bool detect = export->options->detect_zeroes;
  const struct pipeline_ops ops = {
    .piece_length = CHUNK_LENGTH_MAX, .one_range = true,
    .buffer_size = sizeof (struct chunk_header) +
                   CHUNK_LENGTH_MAX * (detect ? 2 : 1),
    .work = make_chunk, .write = put_chunk,
  };
  const struct chunk_header end = { 0 };
  const struct units units = units_of (export);

  if (sink_begin (export->sink, detect ? 0 : export->size, false,
                  error) == -1 ||
      export_units_through (export, &units, &ops, export, error) == -1)
    return -1;
  return sink_put (export->sink, &end, sizeof end, error);
}

static bool
chunked_is_size_unknown (const struct export_options *options)
{
  return options->detect_zeroes;
}

const struct exporter exporter_chunked = {
  .name = "chunked",
  .help = "XenServer's import protocol: pieces with their offsets",
  .is_size_unknown = chunked_is_size_unknown,
  .plan = chunked_plan,
  .write = chunked_write,
};
