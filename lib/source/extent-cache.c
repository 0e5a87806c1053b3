/* SPDX-License-Identifier: BSD-3-Clause */
/* An array in ascending order, searched by halving, under one lock. */

#include "source/extent-cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct extent_cache {
  pthread_mutex_t lock;
  size_t most, count;
  struct source_extent at[];          /* ascending, not overlapping */
};

struct extent_cache *
extent_cache_new (size_t most)
{
  struct extent_cache *cache =
    calloc (1, sizeof *cache + most * sizeof cache->at[0]);

  if (cache) {
    cache->most = most;
    pthread_mutex_init (&cache->lock, NULL);
  }
  return cache;
}

void
extent_cache_free (struct extent_cache *cache)
{
  if (cache) {
    pthread_mutex_destroy (&cache->lock);
    free (cache);
  }
}

/* The index of the first extent that ends after 'offset'. */
static size_t
find (const struct extent_cache *cache, uint64_t offset)
{
  size_t low = 0, high = cache->count;

  while (low < high) {
    size_t middle = low + (high - low) / 2;

    if (cache->at[middle].end <= offset)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

bool
extent_cache_find (struct extent_cache *cache, uint64_t offset,
                  struct source_extent *extent)
{
  size_t i;
  bool found;

  pthread_mutex_lock (&cache->lock);
  i = find (cache, offset);
  found = i < cache->count && cache->at[i].offset <= offset;
  if (found)
    *extent = cache->at[i];
  pthread_mutex_unlock (&cache->lock);
  return found;
}

/* What a new row overlaps was asked for from a later offset, or by another
 * thread just now. */
void
extent_cache_add (struct extent_cache *cache,
                    const struct source_extent *row, size_t count)
{
  size_t first, last;

  pthread_mutex_lock (&cache->lock);
  if (count > cache->most - cache->count)
    cache->count = 0;
  first = last = find (cache, row[0].offset);
  while (last < cache->count &&
         cache->at[last].offset < row[count - 1].end)
    ++last;
  memmove (&cache->at[first + count], &cache->at[last],
           (cache->count - last) * sizeof row[0]);
  memcpy (&cache->at[first], row, count * sizeof row[0]);
  cache->count += count - (last - first);
  pthread_mutex_unlock (&cache->lock);
}
