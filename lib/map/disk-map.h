/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the map of a disk comes from, for what keeps it and walks over it:
 * neither knows what makes it, which is a chain of layers.
 */

#ifndef VDISK_DISK_MAP_H
#define VDISK_DISK_MAP_H

#include <stdint.h>

#include "map/interval.h"

struct disk_map {
  const char *name;         /* of the image's file */
  uint64_t size;            /* of the guest disk */
  uint64_t granularity;     /* the smallest piece that its tables tell apart:
                               a power of two */
  uint64_t work_max;        /* the most work (see struct interval_list) that
                               mapping all of it once can take */

  const struct vdisk_options *options;      /* who could cancel it */

  /* Make 'out' the intervals that tile a range of the disk: see chain_map,
   * whose contract it is.  NULL: the image was opened only to be inspected,
   * and there is no map of it. */
  int (*map) (const void *opaque, uint64_t offset, uint64_t count,
              struct interval_list *out, struct vdisk_error *error);
  const void *opaque;       /* outlives all that has the disk_map */
};

#endif /* VDISK_DISK_MAP_H */
