/* SPDX-License-Identifier: BSD-3-Clause */
/* Inflated clusters, kept within a budget of memory, for requests that
 * want a part of a compressed cluster.
 */

#ifndef VDISK_CLUSTER_CACHE_H
#define VDISK_CLUSTER_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "map/interval.h"

struct chain;
struct cluster_cache;

/* For the compressed clusters of 'chain', which must outlive it.  NULL if
 * out of memory. */
struct cluster_cache *cluster_cache_new (const struct chain *chain,
                                         size_t budget);
void cluster_cache_free (struct cluster_cache *cache);

/* Tell by a debug message what it was good for. */
void cluster_cache_debug (const struct cluster_cache *clusters,
                          const struct vdisk_options *options,
                          const char *file);

/* Read the guest bytes of 'packed', which is all or a part of one
 * compressed cluster, into 'buffer'.  A whole cluster is inflated there
 * directly and not kept. */
int cluster_cache_read (struct cluster_cache *cache,
                        const struct interval *packed, void *buffer,
                        struct vdisk_error *error);

#endif /* VDISK_CLUSTER_CACHE_H */
