/* SPDX-License-Identifier: BSD-3-Clause */
/* Dialects that list the ranges that have changed, as the programs do that
 * know them from a server's dirty bitmap or a storage system.
 */

#include "map/changed.h"
#include "map/runs.h"

/* Types of runs. */
#define DIRTY 1
#define DIRTY_ZERO 2            /* and known to be zeros */

/* nbdinfo --map=qemu:dirty-bitmap:NAME --json */

static void
put_nbdinfo (struct out *out, const struct run *run)
{
  out_text (out, "{ \"offset\": ");
  out_number (out, run->offset);
  out_text (out, ", \"length\": ");
  out_number (out, run->length);
  out_text (out, run->type & DIRTY
            ? ", \"type\": 1, \"description\": \"dirty\"}"
            : ", \"type\": 0, \"description\": \"clean\"}");
}

static void
nbdinfo_dirty_begin (struct map *map)
{
  out_text (&map->out, "[\n");
}

static void
nbdinfo_dirty_extent (struct map *map, const struct vdisk_extent *extent)
{
  runs_add (map, extent, map_is_changed (map, extent) ? DIRTY : 0,
            put_nbdinfo, ",\n");
}

static void
nbdinfo_dirty_end (struct map *map)
{
  runs_finish (map, put_nbdinfo, ",\n");
  out_text (&map->out, "\n]\n");
}

/* oVirt imageio's extents of the context "dirty" */

static void
put_imageio (struct out *out, const struct run *run)
{
  out_text (out, "{\"start\": ");
  out_number (out, run->offset);
  out_text (out, ", \"length\": ");
  out_number (out, run->length);
  out_text (out, ", \"dirty\": ");
  out_text (out, run->type & DIRTY ? "true" : "false");
  out_text (out, ", \"zero\": ");
  out_text (out, run->type & DIRTY_ZERO ? "true" : "false");
  out_text (out, "}");
}

static void
imageio_dirty_extent (struct map *map, const struct vdisk_extent *extent)
{
  const unsigned type = !map_is_changed (map, extent) ? 0
    : extent->kind == VDISK_ZERO ? DIRTY | DIRTY_ZERO : DIRTY;

  runs_add (map, extent, type, put_imageio, ", ");
}

static void
imageio_dirty_end (struct map *map)
{
  runs_finish (map, put_imageio, ", ");
  out_text (&map->out, "]\n");
}

/* Kubernetes' service of snapshot metadata, as its client prints records: a
 * list of one. */

static void
put_csi (struct out *out, const struct run *run)
{
  out_text (out, "{\"byte_offset\":");
  out_number (out, run->offset);
  out_text (out, ",\"size_bytes\":");
  out_number (out, run->length);
  out_text (out, "}");
}

static void
csi_begin (struct map *map)
{
  /* Type 2: blocks of different sizes. */
  out_text (&map->out, "[{\"block_metadata_type\":2,"
            "\"volume_capacity_bytes\":");
  out_number (&map->out, vdisk_size (map->vdisk));
  out_text (&map->out, ",\"block_metadata\":[");
}

/* Only what has changed is listed. */
static void
csi_extent (struct map *map, const struct vdisk_extent *extent)
{
  if (map_is_changed (map, extent))
    runs_add (map, extent, DIRTY, put_csi, ",");
}

static void
csi_end (struct map *map)
{
  runs_finish (map, put_csi, ",");
  out_text (&map->out, "]}]\n");
}

const struct map_writer map_writer_nbdinfo_dirty = {
  .name = "nbdinfo-dirty",
  .help = "as 'nbdinfo --map=qemu:dirty-bitmap:... --json'",
  .state_size = sizeof (struct runs),
  .begin = nbdinfo_dirty_begin,
  .extent = nbdinfo_dirty_extent,
  .end = nbdinfo_dirty_end,
};

const struct map_writer map_writer_imageio_dirty = {
  .name = "imageio-dirty",
  .help = "as oVirt imageio's list of dirty extents",
  .state_size = sizeof (struct runs),
  .begin = runs_begin_list,
  .extent = imageio_dirty_extent,
  .end = imageio_dirty_end,
};

const struct map_writer map_writer_csi = {
  .name = "csi",
  .help = "as Kubernetes' snapshot metadata",
  .state_size = sizeof (struct runs),
  .begin = csi_begin,
  .extent = csi_extent,
  .end = csi_end,
};
