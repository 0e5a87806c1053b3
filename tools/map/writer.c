/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of dialects, and what their writers share. */

#include "map/writer.h"

#include <string.h>

const struct map_writer *const map_writers[] = {
  &map_writer_human,
  &map_writer_qemu,
  &map_writer_intervals,
  &map_writer_clusters,
  &map_writer_nbdinfo,
  &map_writer_imageio,
  &map_writer_nbd_extents,
  &map_writer_svg,
  &map_writer_blocks,
  &map_writer_nbdinfo_dirty,
  &map_writer_imageio_dirty,
  &map_writer_csi,
  &map_writer_cbt,
  &map_writer_cbt_base64,
  &map_writer_bitmap,
  NULL
};

const enum vdisk_kind map_kinds[MAP_KINDS] = {
  VDISK_DATA, VDISK_PACKED, VDISK_ZERO, VDISK_HOLE,
};

const struct map_writer *
map_writer_by_name (const char *name)
{
  size_t i;

  for (i = 0; map_writers[i]; ++i)
    if (strcmp (map_writers[i]->name, name) == 0)
      return map_writers[i];
  return NULL;
}

void
map_write_nothing (struct map *map)
{
  (void) map;
}

const char *
map_kind_name (enum vdisk_kind kind)
{
  switch (kind) {
  case VDISK_DATA:   return "data";
  case VDISK_PACKED: return "compressed";
  case VDISK_ZERO:   return "zero";
  case VDISK_HOLE:   return "hole";
  }
  return "unknown";
}
