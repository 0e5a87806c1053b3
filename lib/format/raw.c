/* SPDX-License-Identifier: BSD-3-Clause */
/* Raw disks: the guest's bytes as they are, without a map.  What of them
 * are holes the source knows.
 */

#include "format/format.h"
#include "source/source.h"

/* No allocation unit is recorded anywhere; file systems mostly use this. */
#define RAW_CLUSTER_SIZE 4096

static int
raw_open (struct layer *layer, struct vdisk_error *error)
{
  (void) error;
  layer->size = layer->source->size;
  layer->cluster_size = RAW_CLUSTER_SIZE;
  layer->preferred_size = RAW_CLUSTER_SIZE;
  layer->granularity = LAYER_UNDIVIDED;
  layer->is_raw = true;
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
  return layer_append (layer, out, VDISK_DATA, offset, count, offset, error);
}

const struct format format_raw = {
  .name = "raw",
  .open = raw_open,
  .close = raw_close,
  .map = raw_map,
};
