/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments of the flattened map, kept in a cache by their number. */

#include "map/interval-cache.h"

#include <stdlib.h>
#include <string.h>

#include "map/cache.h"
#include "chain.h"
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

struct interval_cache {
  const struct chain *chain;
  struct cache *cache;
  uint64_t disk_size;
  uint64_t segment_size;
};

static uint64_t
choose_segment_size (const struct chain *chain, size_t budget)
{
  const size_t room = budget / SEGMENTS_MIN / sizeof (struct interval);
  uint64_t intervals = SEGMENT_INTERVALS;

  while (intervals < SEGMENT_INTERVALS_MAX &&
         intervals * chain->granularity < SEGMENT_SIZE_WORTHWHILE)
    intervals *= 2;
  while (intervals > 1 && intervals > room)
    intervals /= 2;
  return intervals * chain->granularity;
}

struct interval_cache *
interval_cache_new (const struct chain *chain, size_t budget)
{
  struct interval_cache *map = calloc (1, sizeof *map);

  if (map == NULL)
    return NULL;
  map->chain = chain;
  map->disk_size = chain_size (chain);
  map->segment_size = choose_segment_size (chain, budget);
  map->cache = cache_new (budget);
  if (map->cache == NULL) {
    free (map);
    return NULL;
  }
  return map;
}

void
interval_cache_debug (const struct interval_cache *map,
                      const struct vdisk_options *options, const char *file)
{
  cache_debug (map->cache, options, file, "interval cache");
}

void
interval_cache_free (struct interval_cache *map)
{
  if (map) {
    cache_free (map->cache);
    free (map);
  }
}

uint64_t
interval_cache_segment_size (const struct interval_cache *map)
{
  return map->segment_size;
}

uint64_t
interval_cache_segment_end (const struct interval_cache *map,
                            uint64_t offset)
{
  uint64_t start = round_down (offset, map->segment_size);

  return start + min_u64 (map->segment_size, map->disk_size - start);
}

/* Make segment number 'key': an array of intervals. */
static void *
load_segment (void *opaque, uint64_t key, size_t *size,
              struct vdisk_error *error)
{
  const struct interval_cache *map = opaque;
  uint64_t offset = key * map->segment_size;
  struct interval_list list = { 0 };
  struct interval *segment = NULL;

  if (chain_map (map->chain, offset,
                 interval_cache_segment_end (map, offset) - offset,
                 &list, error) == 0) {
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

static void
set_segment (const struct interval_cache *map, uint64_t offset,
             const struct cache_entry *entry, struct segment *segment)
{
  segment->offset = round_down (offset, map->segment_size);
  segment->end = interval_cache_segment_end (map, offset);
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
  const struct cache_entry *entry;

  entry = cache_get (map->cache, offset / map->segment_size, load_segment,
                     map, error);
  if (entry == NULL)
    return -1;
  set_segment (map, offset, entry, segment);
  return 0;
}

void
interval_cache_release (struct interval_cache *map,
                        const struct segment *segment)
{
  cache_release (map->cache, segment->entry);
}
