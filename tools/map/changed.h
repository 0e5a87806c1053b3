/* SPDX-License-Identifier: BSD-3-Clause */
/* What of a map is to be copied: of a difference everything but its holes,
 * which has changed even where it is zeros, of a disk its data.
 */

#ifndef VDISK_MAP_CHANGED_H
#define VDISK_MAP_CHANGED_H

#include <stdbool.h>

#include "map/writer.h"

static inline bool
map_is_changed (const struct map *map, const struct vdisk_extent *extent)
{
  if (vdisk_is_difference (map->vdisk))
    return extent->kind != VDISK_HOLE;
  return extent->kind == VDISK_DATA || extent->kind == VDISK_PACKED;
}

/* The flags of block status by which a server tells of it. */
static inline unsigned
map_nbd_flags (const struct map *map, const struct vdisk_extent *extent)
{
  if (!vdisk_is_difference (map->vdisk))
    return vdisk_extent_nbd_flags (extent);
  return extent->kind == VDISK_HOLE ? VDISK_NBD_HOLE | VDISK_NBD_ZERO : 0;
}

#endif /* VDISK_MAP_CHANGED_H */
