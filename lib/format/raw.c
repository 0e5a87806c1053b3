/* SPDX-License-Identifier: BSD-3-Clause */
/* Raw disks: the guest's bytes as they are.  A raw disk has no map of its
 * own; its intervals are its source's extents.
 */

#include "error.h"
#include "format/format.h"
#include "options.h"
#include "source/source.h"
#include "util/minmax.h"

/* No allocation unit is recorded anywhere; file systems mostly use this. */
#define RAW_CLUSTER_SIZE 4096

/* The worst a file system does is a hole in every other 4 KiB. */
#define RAW_SEGMENT_SIZE (UINT64_C (32) << 20)

static int
raw_open (struct layer *layer, struct vdisk_error *error)
{
  (void) error;
  layer->size = layer->source->size;
  layer->cluster_size = RAW_CLUSTER_SIZE;
  layer->preferred_size = RAW_CLUSTER_SIZE;
  layer->segment_size = RAW_SEGMENT_SIZE;
  layer->knows_holes = layer->options->host_holes;
  return 0;
}

static void
raw_close (struct layer *layer)
{
  (void) layer;
}

static int
raw_map (struct layer *layer, uint64_t offset, uint64_t count,
         struct interval_list *out, struct vdisk_error *error)
{
  const uint64_t end = offset + count;

  while (offset < end) {
    struct interval interval = {
      .offset = offset, .length = end - offset, .host = offset,
      .depth = layer->depth, .kind = VDISK_DATA,
    };
    enum vdisk_kind kind;
    uint64_t length;

    if (layer->knows_holes) {
      if (source_extent (layer->source, offset, &length, &kind, error) == -1)
        return -1;
      interval.length = min_u64 (length, end - offset);
      interval.kind = kind;
    }
    if (interval_list_append (out, &interval) == -1)
      return error_no_memory (error, layer->source->name);
    offset += interval.length;
  }
  return 0;
}

const struct format format_raw = {
  .name = "raw",
  .open = raw_open,
  .close = raw_close,
  .map = raw_map,
};
