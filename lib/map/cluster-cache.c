/* SPDX-License-Identifier: BSD-3-Clause */
/* Inflated clusters, cached by layer and cluster number. */

#include "map/cluster-cache.h"

#include <stdlib.h>
#include <string.h>

#include "map/cache.h"
#include "chain.h"
#include "util/error.h"
#include "format/format.h"
#include "source/source.h"
#include "util/align.h"

struct cluster_cache {
  const struct chain *chain;
  struct cache *cache;
};

/* What a load needs to know. */
struct unpacking {
  struct layer *layer;
  const struct interval *packed;
};

struct cluster_cache *
cluster_cache_new (const struct chain *chain, size_t budget)
{
  struct cluster_cache *clusters = calloc (1, sizeof *clusters);

  if (clusters == NULL)
    return NULL;
  clusters->chain = chain;
  clusters->cache = cache_new (budget);
  if (clusters->cache == NULL) {
    free (clusters);
    return NULL;
  }
  return clusters;
}

void
cluster_cache_debug (const struct cluster_cache *clusters,
                     const struct vdisk_options *options, const char *file)
{
  cache_debug (clusters->cache, options, file, "cluster cache");
}

void
cluster_cache_free (struct cluster_cache *clusters)
{
  if (clusters) {
    cache_free (clusters->cache);
    free (clusters);
  }
}

static void *
load_cluster (void *opaque, uint64_t key, size_t *size,
              struct vdisk_error *error)
{
  const struct unpacking *unpacking = opaque;
  struct layer *layer = unpacking->layer;
  void *cluster = malloc (layer->cluster_size);

  (void) key;
  if (cluster == NULL) {
    error_no_memory (error, layer->source->name);
    return NULL;
  }
  if (layer->format->unpack (layer, unpacking->packed, cluster,
                             error) == -1) {
    free (cluster);
    return NULL;
  }
  *size = layer->cluster_size;
  return cluster;
}

int
cluster_cache_read (struct cluster_cache *clusters,
                    const struct interval *packed, void *buffer,
                    struct vdisk_error *error)
{
  struct layer *layer = clusters->chain->layers[packed->depth];
  struct unpacking unpacking = { .layer = layer, .packed = packed };
  uint64_t start = round_down (packed->offset, layer->cluster_size);
  const struct cache_entry *entry;
  uint64_t key;

  if (packed->length == layer->cluster_size)
    return layer->format->unpack (layer, packed, buffer, error);

  /* At most 2^54 clusters and 2^8 layers: no two have the same key. */
  key = start / layer->cluster_size * CHAIN_LAYERS_MAX + packed->depth;
  entry = cache_get (clusters->cache, key, load_cluster, &unpacking, error);
  if (entry == NULL)
    return -1;
  memcpy (buffer, (const uint8_t *) entry->value + (packed->offset - start),
          packed->length);
  cache_release (clusters->cache, entry);
  return 0;
}
