/* SPDX-License-Identifier: BSD-3-Clause */
/* The interval map of an open image, in
 * segments (aligned pieces of guest space) that are made when somebody
 * first asks and kept within a budget of memory.
 */

#ifndef VDISK_INTERVAL_CACHE_H
#define VDISK_INTERVAL_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "map/disk-map.h"
#include "map/interval.h"

struct cache;
struct cache_entry;
struct interval_cache;

/* A segment in use: intervals that tile [offset, end). */
struct segment {
  uint64_t offset, end;
  struct interval_list intervals;   /* not to be changed or freed */
  const struct cache_entry *entry;
};

/* The segments of 'disk', of which it keeps a copy, in a cache of 'budget'
 * bytes that others may use, too, and that must outlive it; 'owner' is nobody
 * else's number in it.  NULL if out of memory. */
struct interval_cache *interval_cache_new (const struct disk_map *disk,
                                           struct cache *cache,
                                           uint64_t owner, size_t budget);
void interval_cache_free (struct interval_cache *cache);

/* Get the segment that holds the guest offset, which lies within the
 * disk.  -1 if some of it cannot be mapped; the rest may still be had
 * from interval_cache_disk. */
int interval_cache_get (struct interval_cache *cache, uint64_t offset,
                        struct segment *segment, struct vdisk_error *error);

void interval_cache_release (struct interval_cache *cache,
                             const struct segment *segment);

/* What it has the segments of. */
const struct disk_map *interval_cache_disk (const struct interval_cache *cache);

/* How large segments are at the least, but for the last of the disk: a power
 * of two. */
uint64_t interval_cache_segment_size (const struct interval_cache *cache);

/* Where the smallest segment that holds the guest offset ends. */
uint64_t interval_cache_segment_end (const struct interval_cache *cache,
                                     uint64_t offset);

#endif /* VDISK_INTERVAL_CACHE_H */
