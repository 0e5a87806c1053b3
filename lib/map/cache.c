/* SPDX-License-Identifier: BSD-3-Clause */
/* One hash table and one list in order of use, under one lock that is
 * held for some tens of nanoseconds.  Values are reference-counted: the
 * table holds one reference, every user one, and the last frees it.
 */

#include "map/cache.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "debug.h"
#include "util/error.h"

enum state { LOADING, LOADED, FAILED };

struct item {
  struct cache_entry entry;     /* first: what users see */
  uint64_t owner, key;
  enum state state;
  unsigned references;
  struct vdisk_error *why;      /* when FAILED, if it ends those who wait for
                                   it too */
  struct item *next_in_bucket;
  struct item *newer, *older;   /* in order of use, when LOADED */
};

struct cache {
  pthread_mutex_t lock;
  pthread_cond_t loaded;        /* some load has ended */
  size_t budget, used;          /* bytes */
  struct item **buckets;
  size_t bucket_count;          /* a power of two */
  size_t item_count;
  struct item *newest, *oldest;
  uint64_t hits, misses, evictions;
};

#define BUCKETS_MIN 64

/* What an item costs besides its value: itself, and malloc's overhead. */
#define ITEM_COST (sizeof (struct item) + 32)

struct cache *
cache_new (size_t budget)
{
  struct cache *cache = calloc (1, sizeof *cache);

  if (cache == NULL)
    return NULL;
  cache->bucket_count = BUCKETS_MIN;
  cache->buckets = calloc (cache->bucket_count, sizeof *cache->buckets);
  if (cache->buckets == NULL) {
    free (cache);
    return NULL;
  }
  cache->budget = budget;
  pthread_mutex_init (&cache->lock, NULL);
  pthread_cond_init (&cache->loaded, NULL);
  return cache;
}

static void
unreference (struct item *item)
{
  if (--item->references == 0) {
    free ((void *) item->entry.value);
    free (item->why);
    free (item);
  }
}

static struct item **
bucket_of (struct cache *cache, uint64_t owner, uint64_t key)
{
  uint64_t hash = (key ^ owner << 32) * UINT64_C (0x9e3779b97f4a7c15);

  return &cache->buckets[(hash >> 32) & (cache->bucket_count - 1)];
}

static struct item *
find_item (struct cache *cache, uint64_t owner, uint64_t key)
{
  struct item *item = *bucket_of (cache, owner, key);

  while (item && (item->key != key || item->owner != owner))
    item = item->next_in_bucket;
  return item;
}

/* Keep chains short.  Without memory they just get longer. */
static void
grow_table (struct cache *cache)
{
  struct item **old = cache->buckets;
  size_t i, old_count = cache->bucket_count;
  struct item **buckets = calloc (old_count * 2, sizeof *buckets);

  if (buckets == NULL)
    return;
  cache->buckets = buckets;
  cache->bucket_count = old_count * 2;
  for (i = 0; i < old_count; ++i)
    while (old[i]) {
      struct item *item = old[i];
      struct item **bucket = bucket_of (cache, item->owner, item->key);

      old[i] = item->next_in_bucket;
      item->next_in_bucket = *bucket;
      *bucket = item;
    }
  free (old);
}

static void
link_in_table (struct cache *cache, struct item *item)
{
  struct item **bucket;

  if (cache->item_count >= cache->bucket_count)
    grow_table (cache);
  bucket = bucket_of (cache, item->owner, item->key);
  item->next_in_bucket = *bucket;
  *bucket = item;
  cache->item_count++;
}

static void
unlink_from_table (struct cache *cache, struct item *item)
{
  struct item **p = bucket_of (cache, item->owner, item->key);

  while (*p != item)
    p = &(*p)->next_in_bucket;
  *p = item->next_in_bucket;
  cache->item_count--;
}

static void
link_as_newest (struct cache *cache, struct item *item)
{
  item->newer = NULL;
  item->older = cache->newest;
  if (cache->newest)
    cache->newest->newer = item;
  else
    cache->oldest = item;
  cache->newest = item;
}

static void
unlink_from_order (struct cache *cache, struct item *item)
{
  if (item->newer)
    item->newer->older = item->older;
  else
    cache->newest = item->older;
  if (item->older)
    item->older->newer = item->newer;
  else
    cache->oldest = item->newer;
}

/* Forget the oldest things until the rest fits. */
static void
evict (struct cache *cache)
{
  while (cache->used > cache->budget) {
    struct item *item = cache->oldest;

    unlink_from_order (cache, item);
    unlink_from_table (cache, item);
    cache->used -= item->entry.size + ITEM_COST;
    cache->evictions++;
    unreference (item);
  }
}

/* Record why an item could not be loaded.  Whoever waits for it tries again,
 * but not where that takes as long each time. */
static void
tell_failure (struct item *item, const struct vdisk_error *why,
              struct vdisk_error *error)
{
  if (why->errnum == 0)
    return;
  error_record (error, why->errnum, "%s", error_raw (why));
  if (error_ends_call (why) && (item->why = malloc (sizeof *why)) != NULL)
    *item->why = *why;
}

/* Put a new item in the table and load it.  The lock is held, but for the
 * load itself.  The item comes referenced for the caller; NULL if it
 * cannot be loaded. */
static struct item *
load_item (struct cache *cache, uint64_t owner, uint64_t key,
           cache_loader *load, void *opaque, struct vdisk_error *error)
{
  struct item *item = calloc (1, sizeof *item);
  struct vdisk_error why = { 0 };

  if (item == NULL) {
    error_no_memory (error, "cache");
    return NULL;
  }
  item->owner = owner;
  item->key = key;
  item->state = LOADING;
  item->references = 2;         /* the table's and the caller's */
  link_in_table (cache, item);
  cache->misses++;

  pthread_mutex_unlock (&cache->lock);
  item->entry.value = load (opaque, key, &item->entry.size, &why);
  pthread_mutex_lock (&cache->lock);
  pthread_cond_broadcast (&cache->loaded);

  if (item->entry.value == NULL) {
    item->state = FAILED;
    tell_failure (item, &why, error);
    unlink_from_table (cache, item);
    item->references--;         /* the table's */
    unreference (item);
    return NULL;
  }
  item->state = LOADED;
  link_as_newest (cache, item);
  cache->used += item->entry.size + ITEM_COST;
  evict (cache);
  return item;
}

/* An item in the table, referenced for the caller.  NULL if another
 * thread was loading it and failed: with an error if there is no use in
 * trying again. */
static struct item *
await_item (struct cache *cache, struct item *item,
            struct vdisk_error *error)
{
  item->references++;
  cache->hits++;
  if (item->state == LOADED && item != cache->newest) {
    unlink_from_order (cache, item);
    link_as_newest (cache, item);
  }
  while (item->state == LOADING)
    pthread_cond_wait (&cache->loaded, &cache->lock);
  if (item->state == FAILED) {
    if (item->why)
      error_record (error, item->why->errnum, "%s", error_raw (item->why));
    unreference (item);
    return NULL;
  }
  return item;
}

const struct cache_entry *
cache_get (struct cache *cache, uint64_t owner, uint64_t key,
           cache_loader *load, void *opaque, struct vdisk_error *error)
{
  struct vdisk_error why;
  struct item *item;

  error_clear (&why);
  pthread_mutex_lock (&cache->lock);
  do {
    item = find_item (cache, owner, key);
    if (item == NULL) {
      item = load_item (cache, owner, key, load, opaque, error);
      break;
    }
    item = await_item (cache, item, &why);
  } while (item == NULL && why.errnum == 0);
  pthread_mutex_unlock (&cache->lock);
  if (why.errnum != 0)
    error_record (error, why.errnum, "%s", error_raw (&why));
  return item ? &item->entry : NULL;
}

const struct cache_entry *
cache_find (struct cache *cache, uint64_t owner, uint64_t key)
{
  struct item *item;

  pthread_mutex_lock (&cache->lock);
  item = find_item (cache, owner, key);
  if (item)
    item = await_item (cache, item, NULL);
  pthread_mutex_unlock (&cache->lock);
  return item ? &item->entry : NULL;
}

void
cache_release (struct cache *cache, const struct cache_entry *entry)
{
  if (entry) {
    pthread_mutex_lock (&cache->lock);
    unreference ((struct item *) entry);
    pthread_mutex_unlock (&cache->lock);
  }
}

size_t
cache_used (struct cache *cache)
{
  size_t used;

  pthread_mutex_lock (&cache->lock);
  used = cache->used;
  pthread_mutex_unlock (&cache->lock);
  return used;
}

void
cache_debug (struct cache *cache, const struct vdisk_options *options,
             const char *file, const char *name)
{
  uint64_t hits, misses, evictions;
  size_t used;

  pthread_mutex_lock (&cache->lock);
  hits = cache->hits;
  misses = cache->misses;
  evictions = cache->evictions;
  used = cache->used;
  pthread_mutex_unlock (&cache->lock);
  if (hits + misses > 0)
    debug_message (options, "%s: %s: %" PRIu64 " hits, %" PRIu64 " misses, %"
                   PRIu64 " evictions, %zu of %zu bytes used", file, name,
                   hits, misses, evictions, used, cache->budget);
}

void
cache_free (struct cache *cache)
{
  if (cache == NULL)
    return;
  cache->budget = 0;
  evict (cache);
  pthread_cond_destroy (&cache->loaded);
  pthread_mutex_destroy (&cache->lock);
  free (cache->buckets);
  free (cache);
}
