/* SPDX-License-Identifier: BSD-3-Clause */
/* Changing a raw disk from what it was to what it is.
 *
 * A file gets the new size; what it had beyond the old one is cut off, so that
 * it has zeros there, as the difference takes for granted.  A device, or a
 * server's disk, keeps its size, and may have anything beyond the old one: all
 * of that is written.
 */

#include "export/apply.h"

#include <errno.h>
#include <inttypes.h>

#include "export/difference.h"
#include "export/export.h"
#include "export/raw.h"
#include "util/error.h"
#include "util/minmax.h"

/* What is written is made of such units, or of the destination's blocks, if
 * they are larger. */
#define UNIT_SIZE 4096

#define PIECE_LENGTH (1024 << 10)

/* The size that the disk had.  Bitmaps do not tell. */
static uint64_t
old_size (const struct export *export)
{
  return vdisk_is_difference (export->since) ? UINT64_MAX
    : vdisk_size (export->since);
}

int
apply_check_destination (const struct export *export,
                         const struct sink *sink, struct vdisk_error *error)
{
  if (export->options->apply && sink->is_stream)
    return error_set (error, EINVAL, "%s: --apply needs a file, a block "
                      "device or an NBD server that has what was then, and "
                      "no stream", sink->name);
  return 0;
}

/* --- Planning ----------------------------------------------------------- */

static int
check_size (const struct export *export, struct vdisk_error *error)
{
  const struct sink *sink = export->sink;
  const uint64_t old = old_size (export);

  if (sink->path == NULL && sink->size < export->size)
    return error_set (error, ENOSPC, "%s: the disk has %" PRIu64 " bytes, and "
                      "cannot grow to the %" PRIu64 " that are needed",
                      sink->name, sink->size, export->size);
  if (old != UINT64_MAX && sink->size < min_u64 (old, export->size))
    return error_set (error, EINVAL, "%s: with %" PRIu64 " bytes it cannot "
                      "have what was then: %" PRIu64 " bytes", sink->name,
                      sink->size, old);
  return 0;
}

static struct units
units_to_write (const struct export *export)
{
  return (struct units) {
    .disk = export->disks[0], .difference = export->difference,
    .size = max_u64 (UNIT_SIZE, export->sink->block_size),
  };
}

int
apply_plan (struct export *export, struct vdisk_error *error)
{
  struct units units = units_to_write (export);
  struct unit_count count;

  export->size = vdisk_size (units.disk);
  if (check_size (export, error) == -1)
    return -1;
  export->difference =
    difference_of_view (export->changed, units.size,
                        export->sink->path ? UINT64_MAX : old_size (export),
                        error);
  if (export->difference == NULL)
    return -1;
  units.difference = export->difference;
  if (export_count_units (&units, &count, error) == -1)
    return -1;
  export->total = count.bytes;
  return 0;
}

/* --- Writing ------------------------------------------------------------ */

/* In a thread; no other writes to the same units. */
static int
copy_piece (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  struct export *export = opaque;
  const uint8_t *from = piece->buffer;
  unsigned i;

  if (export_read_piece (export->disks[0], piece, error) == -1)
    return -1;
  for (i = 0; i < piece->range_count; ++i) {
    const struct range *range = &piece->ranges[i];

    if (raw_write_bytes (export, from, range->length, range->offset,
                         error) == -1)
      return -1;
    from += range->length;
  }
  return 0;
}

static int
count_piece (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  (void) error;
  export_advance (opaque, piece->length);
  return 0;
}

struct applying {
  struct export *export;
  struct units units;
  struct pipeline *pipeline;
};

static int
write_run (void *opaque, const struct unit_run *run,
           struct vdisk_error *error)
{
  const struct applying *applying = opaque;
  const uint64_t offset = unit_run_offset (&applying->units, run);
  const uint64_t length = unit_run_length (&applying->units, run);

  return run->zero
    ? sink_zero (applying->export->sink, length, offset, error)
    : pipeline_put (applying->pipeline, offset, length, error);
}

static int
write_changes (struct export *export, struct vdisk_error *error)
{
  static const struct pipeline_ops ops = {
    .piece_length = PIECE_LENGTH, .buffer_size = PIECE_LENGTH,
    .work = copy_piece, .write = count_piece,
  };
  struct applying applying = {
    .export = export, .units = units_to_write (export),
  };
  int r = -1;

  applying.pipeline = pipeline_new (&ops, export, export->options->threads,
                                    error);
  if (applying.pipeline &&
      units_walk (&applying.units, write_run, &applying, error) == 0)
    r = pipeline_finish (applying.pipeline, error);
  pipeline_free (applying.pipeline);
  return r;
}

int
apply_write (struct export *export, struct vdisk_error *error)
{
  struct sink *sink = export->sink;

  sink->in_place = true;
  sink->is_kept = true;
  sink->kept_size = old_size (export);
  if (sink_begin (sink, export->size, false, error) == -1 ||
      write_changes (export, error) == -1)
    return -1;
  sink->position = export->size;
  return 0;
}
