/* SPDX-License-Identifier: BSD-3-Clause */
/* Inflated clusters, cached by layer and cluster number. */

#include "map/cluster-cache.h"

#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "map/cache.h"
#include "util/error.h"
#include "util/align.h"

struct cluster_cache {
  cluster_unpacker *unpack;
  const void *opaque;
  struct cache *cache;
  uint64_t owner;
};

/* What a load needs to know. */
struct unpacking {
  const struct cluster_cache *clusters;
  const struct interval *packed;
  uint32_t cluster_size;
};

struct cluster_cache *
cluster_cache_new (cluster_unpacker *unpack, const void *opaque,
                   struct cache *cache, uint64_t owner)
{
  struct cluster_cache *clusters = calloc (1, sizeof *clusters);

  if (clusters == NULL)
    return NULL;
  clusters->unpack = unpack;
  clusters->opaque = opaque;
  clusters->cache = cache;
  clusters->owner = owner;
  return clusters;
}

void
cluster_cache_free (struct cluster_cache *clusters)
{
  free (clusters);
}

static void *
load_cluster (void *opaque, uint64_t key, size_t *size,
              struct vdisk_error *error)
{
  const struct unpacking *unpacking = opaque;
  const struct cluster_cache *clusters = unpacking->clusters;
  void *cluster = malloc (unpacking->cluster_size);

  (void) key;
  if (cluster == NULL) {
    error_no_memory (error, "compressed cluster");
    return NULL;
  }
  if (clusters->unpack (clusters->opaque, unpacking->packed, cluster,
                        error) == -1) {
    free (cluster);
    return NULL;
  }
  *size = unpacking->cluster_size;
  return cluster;
}

int
cluster_cache_read (struct cluster_cache *clusters,
                    const struct interval *packed, uint32_t cluster_size,
                    void *buffer, struct vdisk_error *error)
{
  struct unpacking unpacking = {
    .clusters = clusters, .packed = packed, .cluster_size = cluster_size,
  };
  const uint64_t start = round_down (packed->offset, cluster_size);
  const struct cache_entry *entry;
  uint64_t key;

  if (packed->length == cluster_size)
    return clusters->unpack (clusters->opaque, packed, buffer, error);

  /* At most 2^54 clusters and 2^8 layers: no two have the same key. */
  key = start / cluster_size * CHAIN_LAYERS_MAX + packed->depth;
  entry = cache_get (clusters->cache, clusters->owner, key, load_cluster,
                     &unpacking, error);
  if (entry == NULL)
    return -1;
  memcpy (buffer, (const uint8_t *) entry->value + (packed->offset - start),
          packed->length);
  cache_release (clusters->cache, entry);
  return 0;
}
