/* SPDX-License-Identifier: BSD-3-Clause */
/* Raw: the disk's bytes as they are.  Into a stream they go in order;
 * everywhere else each thread copies what it has read, and what is zeros
 * already stays untouched.
 */

#include "export/export.h"

#include "util/error.h"
#include "export/apply.h"
#include "export/raw.h"
#include "util/align.h"
#include "util/iszero.h"
#include "util/minmax.h"

/* What a thread copies at a time: file systems take large writes with less
 * work. */
#define PIECE_LENGTH (1024 << 10)

/* How far space is found ahead of writing: interrupts are noticed between,
 * and a full file system is full of little that was not written. */
#define STRETCH_LENGTH (UINT64_C (32) << 20)

/* Zeros within data are worth no hole below this: file systems have none
 * that small. */
#define GRAIN 4096

static bool
is_data (const struct vdisk_extent *extent)
{
  return extent->kind == VDISK_DATA || extent->kind == VDISK_PACKED;
}

/* A thread's copying of a piece, of which it counts the data in
 * piece->extra: data that was found and not copied yet. */
struct copying {
  struct export *export;
  struct piece *piece;
  uint64_t offset, end;
  struct vdisk_error *error;
};

/* Where the bytes from 'offset' on, all zeros or none of them, end. */
static uint64_t
end_of_run (const uint8_t *bytes, uint64_t start, uint64_t offset,
            uint64_t end, bool *zero)
{
  uint64_t next = offset;

  do {
    const uint8_t *from = bytes + (next - start);
    const uint64_t grain_end = min_u64 (round_down (next, GRAIN) + GRAIN,
                                        end);
    const bool is_it = is_zero (from, grain_end - next);

    if (next == offset)
      *zero = is_it;
    else if (is_it != *zero)
      break;
    next = grain_end;
  } while (next < end);
  return next;
}

/* Write a range that is in memory, but for its zeros. */
static int
write_but_zeros (struct sink *sink, const uint8_t *bytes, uint64_t start,
                 uint64_t end, struct vdisk_error *error)
{
  uint64_t offset, next;
  bool zero = false;
  int r = 0;

  for (offset = start; offset < end && r == 0; offset = next) {
    next = end_of_run (bytes, start, offset, end, &zero);
    r = zero ? sink_zero (sink, next - offset, offset, error)
      : sink_write (sink, bytes + (offset - start), next - offset, offset,
                    error);
  }
  return r;
}

int
raw_write_bytes (struct export *export, const uint8_t *bytes, size_t count,
                 uint64_t offset, struct vdisk_error *error)
{
  return export->options->detect_zeroes
    ? write_but_zeros (export->sink, bytes, offset, offset + count, error)
    : sink_write (export->sink, bytes, count, offset, error);
}

/* Copy the data that was found. */
static int
copy_found (struct copying *copying)
{
  struct export *export = copying->export;
  const uint64_t offset = copying->offset, count = copying->end - offset;
  uint8_t *buffer = copying->piece->buffer;

  copying->offset = copying->end;
  if (count == 0)
    return 0;
  if (vdisk_pread (export->disks[0], buffer, count, offset,
                   copying->error) == -1)
    return -1;
  return raw_write_bytes (export, buffer, count, offset, copying->error);
}

/* Share an extent's bytes with the file they are in, where the file system
 * can do that. */
static bool
share_extent (struct copying *copying, const struct vdisk_extent *extent)
{
  struct export *export = copying->export;
  const int fd = vdisk_layer_data_descriptor (export->disks[0],
                                              extent->depth);

  return extent->kind == VDISK_DATA && fd >= 0 &&
    !export->options->detect_zeroes &&
    sink_share (export->sink, fd, extent->host_offset, extent->length,
                extent->offset);
}

/* Nothing is found yet that lies before 'offset'. */
static int
copy_until (struct copying *copying, uint64_t offset)
{
  const int r = copy_found (copying);

  copying->offset = copying->end = offset;
  return r;
}

static int
copy_extent (struct copying *copying, const struct vdisk_extent *extent)
{
  const uint64_t end = extent->offset + extent->length;
  uint64_t *data = copying->piece->extra;

  if (!is_data (extent)) {
    if (copy_until (copying, end) == -1)
      return -1;
    return sink_zero (copying->export->sink, extent->length, extent->offset,
                      copying->error);
  }
  *data += extent->length;
  if (share_extent (copying, extent))
    return copy_until (copying, end);
  if (copying->offset == copying->end)
    copying->offset = extent->offset;
  copying->end = end;
  return 0;
}

static int
take_extent (void *opaque, const struct vdisk_extent *extent)
{
  return copy_extent (opaque, extent);
}

static int
copy_piece (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  struct export *export = opaque;
  uint64_t *data = piece->extra;
  unsigned i;

  *data = 0;
  for (i = 0; i < piece->range_count; ++i) {
    const struct range *range = &piece->ranges[i];
    struct vdisk_error why = { 0 };
    struct copying copying = {
      .export = export, .piece = piece, .offset = range->offset,
      .end = range->offset, .error = &why,
    };

    if (vdisk_extents (export->disks[0], range->offset, range->length,
                       take_extent, &copying, error) == -1)
      return -1;
    if (why.errnum != 0 || copy_found (&copying) == -1)
      return error_set (error, why.errnum, "%s", error_raw (&why));
  }
  return 0;
}

static int
count_piece (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  const uint64_t *data = piece->extra;

  (void) error;
  export_advance (opaque, *data);
  return 0;
}

/* Have pieces with data copied, and zero what lies between them. */
struct copying_runs {
  struct export *export;
  const struct units *units;
  struct pipeline *pipeline;
  uint64_t position;            /* everything before it was put */
};

/* Finding space for data, in the order of the disk, which the threads do not
 * keep: the file is in fewer parts then. */
struct allocating {
  struct export *export;
  uint64_t offset, end;         /* of data that has none yet */
};

static void
allocate_found (struct allocating *allocating)
{
  if (allocating->offset < allocating->end)
    sink_allocate (allocating->export->sink,
                   allocating->end - allocating->offset, allocating->offset);
}

static int
allocate_extent (void *opaque, const struct vdisk_extent *extent)
{
  struct allocating *allocating = opaque;

  if (!is_data (extent))
    return 0;
  if (extent->offset != allocating->end) {
    allocate_found (allocating);
    allocating->offset = extent->offset;
  }
  allocating->end = extent->offset + extent->length;
  return 0;
}

static int
allocate_stretch (struct export *export, uint64_t offset, uint64_t length,
                  struct vdisk_error *error)
{
  struct allocating allocating = {
    .export = export, .offset = offset, .end = offset,
  };

  if (!export->sink->wants_space || export->options->detect_zeroes)
    return 0;
  if (vdisk_extents (export->disks[0], offset, length, allocate_extent,
                     &allocating, error) == -1)
    return -1;
  allocate_found (&allocating);
  return 0;
}

static int
put_run (void *opaque, const struct unit_run *run, struct vdisk_error *error)
{
  struct copying_runs *runs = opaque;
  const uint64_t offset = unit_run_offset (runs->units, run);
  const uint64_t end = offset + unit_run_length (runs->units, run);

  if (sink_zero (runs->export->sink, offset - runs->position,
                 runs->position, error) == -1)
    return -1;
  for (runs->position = offset; runs->position < end; ) {
    const uint64_t length = min_u64 (end - runs->position, STRETCH_LENGTH);

    if (allocate_stretch (runs->export, runs->position, length,
                          error) == -1 ||
        pipeline_put (runs->pipeline, runs->position, length, error) == -1)
      return -1;
    runs->position += length;
  }
  return 0;
}

static int
write_anywhere (struct export *export, const struct units *units,
                struct vdisk_error *error)
{
  const struct pipeline_ops ops = {
    .piece_length = PIECE_LENGTH, .buffer_size = PIECE_LENGTH,
    .extra_size = sizeof (uint64_t), .one_range = true,
    .work = copy_piece, .write = count_piece,
  };
  const uint64_t size = vdisk_size (units->disk);
  struct copying_runs runs = { .export = export, .units = units };
  int r = -1;

  runs.pipeline = pipeline_new (&ops, export, export->options->threads,
                                error);
  if (runs.pipeline && units_walk (units, put_run, &runs, error) == 0)
    r = pipeline_finish (runs.pipeline, error);
  pipeline_free (runs.pipeline);
  if (r == 0)
    r = sink_zero (export->sink, size - runs.position, runs.position,
                   error);
  export->sink->position = size;
  return r;
}

static int
count_extent (void *opaque, const struct vdisk_extent *extent)
{
  uint64_t *data = opaque;

  if (is_data (extent))
    *data += extent->length;
  return 0;
}

static int
read_piece (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  const struct export *export = opaque;
  const struct range *range = &piece->ranges[0];
  uint64_t *data = piece->extra;

  *data = 0;
  if (vdisk_extents (export->disks[0], range->offset, range->length,
                     count_extent, data, error) == -1)
    return -1;
  return export_read_piece (export->disks[0], piece, error);
}

/* The next piece of a stream, after the zeros before it. */
static int
write_piece (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  struct export *export = opaque;
  struct sink *sink = export->sink;

  if (sink_put_zeros (sink, piece->ranges[0].offset - sink->position,
                      error) == -1 ||
      sink_put (sink, piece->buffer, piece->size, error) == -1)
    return -1;
  return count_piece (export, piece, error);
}

static int
write_in_order (struct export *export, const struct units *units,
                struct vdisk_error *error)
{
  const struct pipeline_ops ops = {
    .piece_length = PIECE_LENGTH, .buffer_size = PIECE_LENGTH,
    .extra_size = sizeof (uint64_t), .one_range = true,
    .work = read_piece, .write = write_piece,
  };

  if (export_units_through (export, units, &ops, export, error) == -1)
    return -1;
  return sink_put_zeros (export->sink, vdisk_size (units->disk) -
                         export->sink->position, error);
}

int
raw_write_disk (struct export *export, struct vdisk_error *error)
{
  const struct units units = {
    .disk = export->disks[0], .size = PIECE_LENGTH,
  };

  return export->sink->is_stream
    ? write_in_order (export, &units, error)
    : write_anywhere (export, &units, error);
}

int
raw_plan (struct export *export, struct vdisk_error *error)
{
  /* To the byte: the progress is that of data. */
  const struct units bytes = { .disk = export->disks[0], .size = 1 };
  struct unit_count count;

  if (export->options->apply)
    return apply_plan (export, error);
  if (export_count_units (&bytes, &count, error) == -1)
    return -1;
  export->size = vdisk_size (bytes.disk);
  export->total = count.bytes;
  return 0;
}

static int
raw_write (struct export *export, struct vdisk_error *error)
{
  if (export->options->apply)
    return apply_write (export, error);
  if (sink_begin (export->sink, export->size, export->options->preallocate,
                  error) == -1)
    return -1;
  return raw_write_disk (export, error);
}

const struct exporter exporter_raw = {
  .name = "raw",
  .help = "the disk's bytes, sparse where that is possible",
  .check_destination = apply_check_destination,
  .plan = raw_plan,
  .write = raw_write,
};
