/* SPDX-License-Identifier: BSD-3-Clause */
/* Dialects that tell what an NBD server's block status tells, and no
 * more: is it data, zeros, or a hole.
 */

#include "map/changed.h"
#include "map/runs.h"

/* Runs of bytes with the same flags. */
static inline void
add_extent (struct map *map, const struct vdisk_extent *extent,
            put_run *put, const char *separator)
{
  runs_add (map, extent, map_nbd_flags (map, extent), put, separator);
}

/* nbdinfo --map --json */

static void
put_nbdinfo (struct out *out, const struct run *run)
{
  static const char *const descriptions[] = {
    "data", "hole", "zero", "hole,zero",
  };

  out_text (out, "{ \"offset\": ");
  out_number (out, run->offset);
  out_text (out, ", \"length\": ");
  out_number (out, run->length);
  out_text (out, ", \"type\": ");
  out_number (out, run->type);
  out_text (out, ", \"description\": \"");
  out_text (out, descriptions[run->type]);
  out_text (out, "\"}");
}

static void
nbdinfo_begin (struct map *map)
{
  out_text (&map->out, "[\n");
}

static void
nbdinfo_extent (struct map *map, const struct vdisk_extent *extent)
{
  add_extent (map, extent, put_nbdinfo, ",\n");
}

static void
nbdinfo_end (struct map *map)
{
  runs_finish (map, put_nbdinfo, ",\n");
  out_text (&map->out, "\n]\n");
}

/* oVirt imageio's extents */

static void
put_imageio (struct out *out, const struct run *run)
{
  out_text (out, "{\"start\": ");
  out_number (out, run->offset);
  out_text (out, ", \"length\": ");
  out_number (out, run->length);
  out_text (out, ", \"zero\": ");
  out_text (out, run->type & VDISK_NBD_ZERO ? "true" : "false");
  out_text (out, ", \"hole\": ");
  out_text (out, run->type & VDISK_NBD_HOLE ? "true" : "false");
  out_text (out, "}");
}

static void
imageio_extent (struct map *map, const struct vdisk_extent *extent)
{
  add_extent (map, extent, put_imageio, ", ");
}

static void
imageio_end (struct map *map)
{
  runs_finish (map, put_imageio, ", ");
  out_text (&map->out, "]\n");
}

/* xapi's get_nbd_extents.py */

static void
put_nbd_extent (struct out *out, const struct run *run)
{
  out_text (out, "{\"length\": ");
  out_number (out, run->length);
  out_text (out, ", \"flags\": ");
  out_number (out, run->type);
  out_text (out, "}");
}

static void
nbd_extents_extent (struct map *map, const struct vdisk_extent *extent)
{
  add_extent (map, extent, put_nbd_extent, ", ");
}

static void
nbd_extents_end (struct map *map)
{
  runs_finish (map, put_nbd_extent, ", ");
  out_text (&map->out, "]\n");
}

const struct map_writer map_writer_nbdinfo = {
  .name = "nbdinfo",
  .help = "as 'nbdinfo --map --json' of the disk served by nbdkit",
  .state_size = sizeof (struct runs),
  .begin = nbdinfo_begin,
  .extent = nbdinfo_extent,
  .end = nbdinfo_end,
};

const struct map_writer map_writer_imageio = {
  .name = "imageio",
  .help = "as oVirt imageio's list of extents",
  .state_size = sizeof (struct runs),
  .begin = runs_begin_list,
  .extent = imageio_extent,
  .end = imageio_end,
};

const struct map_writer map_writer_nbd_extents = {
  .name = "nbd-extents",
  .help = "as xapi's get_nbd_extents.py",
  .state_size = sizeof (struct runs),
  .begin = runs_begin_list,
  .extent = nbd_extents_extent,
  .end = nbd_extents_end,
};
