/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments of the flattened map, kept in a cache by their number. */

#include "interval-cache.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "chain.h"
#include "error.h"
#include "util/align.h"
#include "util/minmax.h"

/* How many segments are remembered as asked for: as many as reads may
 * reasonably go back and forth between, and few against what a large disk
 * has.  A power of two. */
#define ASKED_COUNT 256

struct interval_cache {
  const struct chain *chain;
  struct cache *cache;
  uint64_t disk_size;
  uint64_t segment_size;
  /* Segments that were not there when a part was needed, at their number
   * modulo ASKED_COUNT: the number + 1. */
  _Atomic uint64_t asked[ASKED_COUNT];
};

struct interval_cache *
interval_cache_new (const struct chain *chain, size_t budget)
{
  struct interval_cache *map = calloc (1, sizeof *map);

  if (map == NULL)
    return NULL;
  map->chain = chain;
  map->disk_size = chain_size (chain);
  map->segment_size = chain->segment_size;
  map->cache = cache_new (budget);
  if (map->cache == NULL) {
    free (map);
    return NULL;
  }
  return map;
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

/* Ask for a segment: was it asked for before, and not too many others
 * since? */
static bool
ask_again (struct interval_cache *map, uint64_t number)
{
  return atomic_exchange_explicit (&map->asked[number % ASKED_COUNT],
                                   number + 1, memory_order_relaxed)
    == number + 1;
}

int
interval_cache_get_if_used (struct interval_cache *map, uint64_t offset,
                            struct segment *segment,
                            struct vdisk_error *error)
{
  const uint64_t number = offset / map->segment_size;
  const struct cache_entry *entry = cache_find (map->cache, number);

  if (entry) {
    set_segment (map, offset, entry, segment);
    return 1;
  }
  if (!ask_again (map, number))
    return 0;
  return interval_cache_get (map, offset, segment, error) == -1 ? -1 : 1;
}

void
interval_cache_release (struct interval_cache *map,
                        const struct segment *segment)
{
  cache_release (map->cache, segment->entry);
}
