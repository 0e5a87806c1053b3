/* SPDX-License-Identifier: BSD-3-Clause */
/* A chain of layers, from the image the user opened down to its base, and
 * the one map they make together.
 */

#ifndef VDISK_CHAIN_H
#define VDISK_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "map/interval.h"
#include "layer.h"
#include "bounds.h"

struct source;
struct vdisk_options;

struct chain {
  struct layer *layers[CHAIN_LAYERS_MAX];
  unsigned count;
  unsigned first;           /* the layer whose disk it is: those above it
                               are not seen */
  bool is_shared;           /* the layers belong to another chain, but for
                               the first one if that is_shared, too */
  bool inspect_only;
  bool host_holes;          /* look for holes under allocated clusters */
  uint64_t granularity;     /* the finest of the layers' */
};

/* How references are followed: reference_open, but in tests. */
struct resolver {
  struct source *(*open) (void *opaque, const struct source *from,
                          const char *role, const char *name,
                          const struct vdisk_options *options,
                          struct vdisk_error *error);
  void *opaque;
};

/* Open the chain whose top is in the source 'top', which is the chain's
 * from now on, also on error.  The options must outlive it.  Without a
 * resolver only the top layer is opened, to be described and checked, and
 * chain_map must not be called.  NULL on error. */
struct chain *chain_open (struct source *top,
                          const struct vdisk_options *options,
                          const struct resolver *resolver,
                          struct vdisk_error *error);

/* A part of a chain: of its layers 'first' to 'last', nothing above and
 * nothing under them.  'top', if not NULL, stands in for the first one, and
 * is the part's from now on, also on error.  The chain must outlive it.  NULL
 * if out of memory. */
struct chain *chain_share (const struct chain *chain, unsigned first,
                           unsigned last, struct layer *top,
                           struct vdisk_error *error);

/* Accepts NULL, and a chain that was only opened in part. */
void chain_close (struct chain *chain);

/* The size of the guest disk. */
uint64_t chain_size (const struct chain *chain);

/* Make 'out' the intervals of the whole chain that tile the guest range,
 * which lies within the disk, as the tables of its layers have it: the holes
 * of each layer are filled from the next one down, which ends them where it
 * ends itself.  What was in the list is dropped, its memory used again.
 * On error those in it tile a part of the range from its start and are
 * right; the byte after them cannot be mapped. */
int chain_map (const struct chain *chain, uint64_t offset, uint64_t count,
               struct interval_list *out, struct vdisk_error *error);

/* The most work (see struct interval_list) that mapping the whole disk once
 * can take: more tells that tables or blocks overlap. */
uint64_t chain_work_max (const struct chain *chain);

/* Inflate the compressed cluster that 'packed', of the chain's map, is a part
 * of into 'cluster', of the cluster size of its layer. */
int chain_unpack (const struct chain *chain, const struct interval *packed,
                  void *cluster, struct vdisk_error *error);

#endif /* VDISK_CHAIN_H */
