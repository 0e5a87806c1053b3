/* SPDX-License-Identifier: BSD-3-Clause */
/* An open image: a chain, its map, and reading through it.  What programs may
 * do with it is in vdisk.h; this is what the files that do that share, and
 * what tests need besides.
 */

#ifndef VDISK_IMAGE_H
#define VDISK_IMAGE_H

#include "cancel.h"
#include "vdisk.h"

struct chain;
struct cluster_cache;
struct interval_cache;
struct resolver;
struct source;

struct vdisk {
  struct vdisk_options *options;
  struct cancel cancel;
  struct chain *chain;
  struct interval_cache *intervals;
  struct cluster_cache *clusters;
};

/* As vdisk_open, from a source, which is the image's from now on, also on
 * error; references are followed by 'resolver'. */
struct vdisk *image_open (struct source *top,
                          const struct vdisk_options *options,
                          const struct resolver *resolver,
                          struct vdisk_error *error);

#endif /* VDISK_IMAGE_H */
