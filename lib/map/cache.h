/* SPDX-License-Identifier: BSD-3-Clause */
/* A cache of things that never change once loaded: segments of the
 * interval map, inflated clusters.  It holds at most a number of bytes,
 * forgets what was not used for longest, and loads each thing once however
 * many threads ask for it at the same time.  Nothing is locked while
 * something loads.
 */

#ifndef VDISK_CACHE_H
#define VDISK_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "vdisk.h"

struct cache;

/* A thing in use.  It stays as it is until it is released, even if the
 * cache forgets it. */
struct cache_entry {
  const void *value;
  size_t size;              /* of the value, bytes */
};

/* Make the value of 'key', with malloc, and set *size.  NULL on error. */
typedef void *cache_loader (void *opaque, uint64_t key, size_t *size,
                            struct vdisk_error *error);

/* A cache of at most 'budget' bytes, its own bookkeeping included.  NULL
 * if out of memory. */
struct cache *cache_new (size_t budget);

/* Accepts NULL.  Everything must have been released. */
void cache_free (struct cache *cache);

/* The value of 'key', loaded if it is not there.  Several owners can share a
 * cache and its budget; a key means something else to each of them.  A failed
 * load is not remembered: the next call tries again.  NULL on error. */
const struct cache_entry *cache_get (struct cache *cache, uint64_t owner,
                                     uint64_t key, cache_loader *load,
                                     void *opaque,
                                     struct vdisk_error *error);

/* The value of 'key' if it is there, or another thread is loading it and
 * does not fail.  Else NULL. */
const struct cache_entry *cache_find (struct cache *cache, uint64_t owner,
                                      uint64_t key);

/* Give back what cache_get or cache_find returned.  Accepts NULL. */
void cache_release (struct cache *cache, const struct cache_entry *entry);

/* Bytes held by what the cache remembers, never more than the budget. */
size_t cache_used (struct cache *cache);

/* Say in a debug message what the cache called 'name', of the image 'file',
 * was good for, if it was ever asked.  A miss is what had to be loaded. */
void cache_debug (struct cache *cache, const struct vdisk_options *options,
                  const char *file, const char *name);

#endif /* VDISK_CACHE_H */
