/* SPDX-License-Identifier: BSD-3-Clause */
/* Walking over the intervals of a range of a disk: what a read, block status
 * and prefetching have in common.
 */

#ifndef VDISK_WALK_H
#define VDISK_WALK_H

#include <stddef.h>
#include <stdint.h>

#include "map/interval.h"
#include "vdisk.h"

struct interval_cache;

/* Takes so many intervals of a walk.  0 to go on, 1 to stop, -1 for an
 * error. */
typedef int visitor (const struct interval *intervals, size_t count,
                     void *opaque, struct vdisk_error *error);

/* Visit what tiles a range, which is checked, through the cache.  0 when
 * all was visited or the visitor stopped; -1 on error: what was visited until
 * then is right. */
int walk_cached (struct interval_cache *map, uint64_t offset, uint64_t count,
                 visitor *visit, void *opaque, struct vdisk_error *error);

/* The same for a range that nobody may ask for again soon: only the first
 * segment goes through the cache (a client that wants one extent at a time
 * comes back for its next one), what follows is mapped in larger pieces. */
int walk_once (struct interval_cache *map, uint64_t offset, uint64_t count,
               visitor *visit, void *opaque, struct vdisk_error *error);

#endif /* VDISK_WALK_H */
