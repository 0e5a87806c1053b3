/* SPDX-License-Identifier: BSD-3-Clause */
/* Inflated clusters, kept within a budget of memory, for requests that
 * want a part of a compressed cluster.
 */

#ifndef VDISK_CLUSTER_CACHE_H
#define VDISK_CLUSTER_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "map/interval.h"

struct cache;
struct cluster_cache;

/* Inflates the compressed cluster that 'packed' is a part of into
 * 'cluster', which has room for one. */
typedef int cluster_unpacker (const void *opaque,
                              const struct interval *packed, void *cluster,
                              struct vdisk_error *error);

/* For the compressed clusters that 'unpack' inflates, in a cache that others
 * may use, too, and that must outlive it; 'owner' is nobody else's number in
 * it.  NULL if out of memory. */
struct cluster_cache *cluster_cache_new (cluster_unpacker *unpack,
                                         const void *opaque,
                                         struct cache *cache,
                                         uint64_t owner);
void cluster_cache_free (struct cluster_cache *cache);

/* Read the guest bytes of 'packed', which is all or a part of one
 * compressed cluster of 'cluster_size' bytes, into 'buffer'.  A whole
 * cluster is inflated there directly and not kept. */
int cluster_cache_read (struct cluster_cache *cache,
                        const struct interval *packed,
                        uint32_t cluster_size, void *buffer,
                        struct vdisk_error *error);

#endif /* VDISK_CLUSTER_CACHE_H */
