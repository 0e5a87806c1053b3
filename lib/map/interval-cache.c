/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments of a disk's map, kept in a cache by their offset and size.
 *
 * There are two sizes.  Where a small segment, when it is made, turns out to
 * be of a few intervals, so may what lies around it: if all of the large one
 * is no more than a small one could be, that is made and kept as well, and
 * the cache holds the maps of large disks of which little is used, or which
 * are in one piece.
 */

#include "map/interval-cache.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "map/cache.h"
#include "util/error.h"
#include "util/align.h"
#include "util/minmax.h"

/* A segment is as large as so many intervals can be at the least: making more
 * for a small read at a random place costs more than the read (row 7 of the
 * benchmark: 29,000 reads a second with 1024 of them, 64,000 with 64).  Where
 * that is very little of the disk it is larger, for those who read it in
 * order; where the budget has no room for so many of them it is smaller. */
#define SEGMENT_INTERVALS 64
#define SEGMENT_INTERVALS_MAX 1024
#define SEGMENT_SIZE_WORTHWHILE (512 << 10)
#define SEGMENTS_MIN 4

/* A large segment has so many small ones; it is tried where a small one has
 * at most so many intervals. */
#define LARGE_SEGMENTS 16
#define FEW_INTERVALS 4

struct interval_cache {
  struct disk_map disk;
  struct cache *cache;
  uint64_t owner;
  uint64_t segment_size, large_size;
};

/* A segment that is looked for, and made if it is not there. */
struct wanted {
  const struct interval_cache *map;
  uint64_t offset, size;        /* of the segment, aligned */
  size_t intervals_max;         /* not if it has more */
  bool is_made;
};

static uint64_t
choose_segment_size (uint64_t granularity, size_t budget)
{
  const size_t room = budget / SEGMENTS_MIN / sizeof (struct interval);
  uint64_t intervals = SEGMENT_INTERVALS;

  while (intervals < SEGMENT_INTERVALS_MAX &&
         intervals * granularity < SEGMENT_SIZE_WORTHWHILE)
    intervals *= 2;
  while (intervals > 1 && intervals > room)
    intervals /= 2;
  return intervals * granularity;
}

struct interval_cache *
interval_cache_new (const struct disk_map *disk, struct cache *cache,
                    uint64_t owner, size_t budget)
{
  struct interval_cache *map = calloc (1, sizeof *map);

  if (map == NULL)
    return NULL;
  map->disk = *disk;
  map->cache = cache;
  map->owner = owner;
  map->segment_size = choose_segment_size (disk->granularity, budget);
  /* At most 2^62, see LAYER_UNDIVIDED. */
  map->large_size = map->segment_size <= INT64_MAX / 2 / LARGE_SEGMENTS
    ? map->segment_size * LARGE_SEGMENTS : map->segment_size;
  return map;
}

void
interval_cache_free (struct interval_cache *map)
{
  free (map);
}

const struct disk_map *
interval_cache_disk (const struct interval_cache *map)
{
  return &map->disk;
}

uint64_t
interval_cache_segment_size (const struct interval_cache *map)
{
  return map->segment_size;
}

static uint64_t
segment_end (const struct interval_cache *map, uint64_t offset,
             uint64_t size)
{
  const uint64_t start = round_down (offset, size);

  return start + min_u64 (size, map->disk.size - start);
}

uint64_t
interval_cache_segment_end (const struct interval_cache *map,
                            uint64_t offset)
{
  return segment_end (map, offset, map->segment_size);
}

/* Make a segment: an array of intervals. */
static void *
load_segment (void *opaque, uint64_t key, size_t *size,
              struct vdisk_error *error)
{
  struct wanted *wanted = opaque;
  const struct interval_cache *map = wanted->map;
  const uint64_t end = segment_end (map, wanted->offset, wanted->size);
  struct interval_list list = { 0 };
  struct interval *segment = NULL;

  (void) key;
  wanted->is_made = true;
  if (map->disk.map (map->disk.opaque, wanted->offset, end - wanted->offset,
                     &list, error) == 0 &&
      list.count <= wanted->intervals_max) {
    /* A copy of the right size: shrinking would leave the heap in pieces. */
    *size = list.count * sizeof *segment;
    segment = malloc (*size);
    if (segment)
      memcpy (segment, list.at, *size);
    else
      error_no_memory (error, "interval map");
  }
  interval_list_free (&list);
  return segment;
}

/* Sizes are powers of two, offsets less than 2^63: no two segments have the
 * same key. */
static uint64_t
key_of (const struct wanted *wanted)
{
  return wanted->offset | (wanted->size == wanted->map->large_size);
}

static void
set_segment (const struct wanted *wanted, const struct cache_entry *entry,
             struct segment *segment)
{
  segment->offset = wanted->offset;
  segment->end = segment_end (wanted->map, wanted->offset, wanted->size);
  segment->intervals = (struct interval_list) {
    .at = (struct interval *) entry->value,
    .count = entry->size / sizeof (struct interval),
  };
  segment->entry = entry;
}

int
interval_cache_get (struct interval_cache *map, uint64_t offset,
                    struct segment *segment, struct vdisk_error *error)
{
  struct wanted large = {
    .map = map, .offset = round_down (offset, map->large_size),
    .size = map->large_size, .intervals_max = SEGMENT_INTERVALS,
  };
  struct wanted small = {
    .map = map, .offset = round_down (offset, map->segment_size),
    .size = map->segment_size, .intervals_max = SIZE_MAX,
  };
  struct vdisk_error hidden = { 0 };
  const struct cache_entry *entry;

  entry = cache_find (map->cache, map->owner, key_of (&large));
  if (entry) {
    set_segment (&large, entry, segment);
    return 0;
  }
  entry = cache_get (map->cache, map->owner, key_of (&small), load_segment,
                     &small, error);
  if (entry == NULL)
    return -1;
  set_segment (&small, entry, segment);
  if (!small.is_made || segment->intervals.count > FEW_INTERVALS ||
      small.size == large.size)
    return 0;
  entry = cache_get (map->cache, map->owner, key_of (&large), load_segment,
                     &large, &hidden);
  if (entry) {
    interval_cache_release (map, segment);
    set_segment (&large, entry, segment);
  }
  return 0;
}

void
interval_cache_release (struct interval_cache *map,
                        const struct segment *segment)
{
  cache_release (map->cache, segment->entry);
}
