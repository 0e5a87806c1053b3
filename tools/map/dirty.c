/* SPDX-License-Identifier: BSD-3-Clause */
/* Dialects that list the ranges that have changed, as the programs do that
 * know them from a server's dirty bitmap or a storage system.
 */

#include "map/changed.h"

/* Bytes alike. */
struct run {
  uint64_t offset, length;
  bool is_dirty, is_zero;
};

struct state {
  struct run run;               /* not written yet: it may grow */
  bool has_written;
};

typedef void put_run (struct out *out, const struct run *run);

static void
finish_run (struct map *map, put_run *put, const char *separator)
{
  struct state *state = map->state;

  if (state->run.length == 0)
    return;
  if (state->has_written)
    out_text (&map->out, separator);
  put (&map->out, &state->run);
  state->has_written = true;
}

static inline void
add_run (struct map *map, const struct run *run, put_run *put,
         const char *separator)
{
  struct state *state = map->state;

  if (state->run.length > 0 && run->is_dirty == state->run.is_dirty &&
      run->is_zero == state->run.is_zero) {
    state->run.length += run->length;
    return;
  }
  finish_run (map, put, separator);
  state->run = *run;
}

/* nbdinfo --map=qemu:dirty-bitmap:NAME --json */

static void
put_nbdinfo (struct out *out, const struct run *run)
{
  out_text (out, "{ \"offset\": ");
  out_number (out, run->offset);
  out_text (out, ", \"length\": ");
  out_number (out, run->length);
  out_text (out, run->is_dirty
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
  const struct run run = {
    .offset = extent->offset, .length = extent->length,
    .is_dirty = map_is_changed (map, extent),
  };

  add_run (map, &run, put_nbdinfo, ",\n");
}

static void
nbdinfo_dirty_end (struct map *map)
{
  finish_run (map, put_nbdinfo, ",\n");
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
  out_text (out, run->is_dirty ? "true" : "false");
  out_text (out, ", \"zero\": ");
  out_text (out, run->is_zero ? "true" : "false");
  out_text (out, "}");
}

static void
imageio_dirty_begin (struct map *map)
{
  out_text (&map->out, "[");
}

static void
imageio_dirty_extent (struct map *map, const struct vdisk_extent *extent)
{
  const bool is_dirty = map_is_changed (map, extent);
  const struct run run = {
    .offset = extent->offset, .length = extent->length,
    .is_dirty = is_dirty,
    .is_zero = is_dirty && extent->kind == VDISK_ZERO,
  };

  add_run (map, &run, put_imageio, ", ");
}

static void
imageio_dirty_end (struct map *map)
{
  finish_run (map, put_imageio, ", ");
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
  struct state *state = map->state;
  struct run *last = &state->run;

  if (!map_is_changed (map, extent))
    return;
  if (last->length > 0 && last->offset + last->length == extent->offset) {
    last->length += extent->length;
    return;
  }
  finish_run (map, put_csi, ",");
  *last = (struct run) {
    .offset = extent->offset, .length = extent->length, .is_dirty = true,
  };
}

static void
csi_end (struct map *map)
{
  finish_run (map, put_csi, ",");
  out_text (&map->out, "]}]\n");
}

const struct map_writer map_writer_nbdinfo_dirty = {
  .name = "nbdinfo-dirty",
  .help = "as 'nbdinfo --map=qemu:dirty-bitmap:... --json'",
  .state_size = sizeof (struct state),
  .begin = nbdinfo_dirty_begin,
  .extent = nbdinfo_dirty_extent,
  .end = nbdinfo_dirty_end,
};

const struct map_writer map_writer_imageio_dirty = {
  .name = "imageio-dirty",
  .help = "as oVirt imageio's list of dirty extents",
  .state_size = sizeof (struct state),
  .begin = imageio_dirty_begin,
  .extent = imageio_dirty_extent,
  .end = imageio_dirty_end,
};

const struct map_writer map_writer_csi = {
  .name = "csi",
  .help = "as Kubernetes' snapshot metadata",
  .state_size = sizeof (struct state),
  .begin = csi_begin,
  .extent = csi_extent,
  .end = csi_end,
};
