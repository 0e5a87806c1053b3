/* SPDX-License-Identifier: BSD-3-Clause */
/* What a map is about when it is asked what has changed: of a difference
 * everything but its holes, of a disk its data.
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

#endif /* VDISK_MAP_CHANGED_H */
