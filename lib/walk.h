/* SPDX-License-Identifier: BSD-3-Clause */
/* Walking over the intervals of a range of an open image: what a read, block
 * status and prefetching have in common.
 */

#ifndef VDISK_WALK_H
#define VDISK_WALK_H

#include <stddef.h>
#include <stdint.h>

#include "map/interval.h"
#include "vdisk.h"

/* Takes so many intervals of a walk.  0 to go on, 1 to stop, -1 for an
 * error. */
typedef int visitor (struct vdisk *vdisk, const struct interval *intervals,
                     size_t count, void *opaque, struct vdisk_error *error);

/* Visit what tiles a range, which is checked, by way of the cache.  0 when
 * all was visited or the visitor stopped; -1 on error: what was visited until
 * then is right. */
int walk_cached (struct vdisk *vdisk, uint64_t offset, uint64_t count,
                 visitor *visit, void *opaque, struct vdisk_error *error);

/* The same for a range that nobody may ask for again soon: only the first
 * segment goes by way of the cache (a client that wants one extent at a time
 * comes back for its next one), what follows is mapped in larger pieces. */
int walk_once (struct vdisk *vdisk, uint64_t offset, uint64_t count,
               visitor *visit, void *opaque, struct vdisk_error *error);

#endif /* VDISK_WALK_H */
