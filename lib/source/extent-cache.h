/* SPDX-License-Identifier: BSD-3-Clause */
/* What is known of a source's extents, so that a map of many small
 * clusters costs one question per extent, not one per cluster.  Bounded in
 * memory; may be used by many threads.
 */

#ifndef VDISK_EXTENT_CACHE_H
#define VDISK_EXTENT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vdisk.h"

/* A extent of a source that is all of one kind. */
struct source_extent {
  uint64_t offset, end;
  enum vdisk_kind kind;         /* DATA, ZERO or HOLE */
};

struct extent_cache;

/* A memory for at most 'most' extents.  NULL if out of memory. */
struct extent_cache *extent_cache_new (size_t most);

/* Accepts NULL. */
void extent_cache_free (struct extent_cache *cache);

/* The extent that holds 'offset'.  False if it is not known. */
bool extent_cache_find (struct extent_cache *cache, uint64_t offset,
                       struct source_extent *extent);

/* Remember a row of at least one extent and at most 'most', each of which
 * starts where the one before it ends, in place of those it overlaps.
 * Where there is no room, all else is forgotten. */
void extent_cache_add (struct extent_cache *cache,
                         const struct source_extent *row, size_t count);

#endif /* VDISK_EXTENT_CACHE_H */
