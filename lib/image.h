/* SPDX-License-Identifier: BSD-3-Clause */
/* An open image: a chain, its map, and reading through it.  What programs may
 * do with it is in vdisk.h; this is what the files that do that share, and
 * what tests need besides.
 */

#ifndef VDISK_IMAGE_H
#define VDISK_IMAGE_H

#include <stdatomic.h>
#include <stdint.h>

#include "cancel.h"
#include "vdisk.h"

struct cache;
struct chain;
struct cluster_cache;
struct interval_cache;
struct resolver;
struct source;
struct view;

/* What all handles of an image share.  It lives as long as one of them. */
struct image {
  struct vdisk_options *options;
  struct cancel cancel;
  struct chain *chain;              /* all layers, as they were opened */
  struct cache *intervals, *clusters;
  _Atomic unsigned handles;
  _Atomic uint64_t owners;          /* of the caches, so far */
};

struct vdisk {
  struct image *image;
  const struct vdisk_options *options;      /* the image's */
  struct view *view;                /* what is shown; owned */
  const struct chain *chain;        /* the view's: layers by depth */
  struct interval_cache *intervals;
  struct cluster_cache *clusters;
  char *name;                       /* of the view */
  _Atomic unsigned references;      /* the caller's, and of differences */
};

/* As vdisk_open, from a source, which is the image's from now on, also on
 * error; references are followed by 'resolver'. */
struct vdisk *image_open (struct source *top,
                          const struct vdisk_options *options,
                          const struct resolver *resolver,
                          struct vdisk_error *error);

/* Another handle of an image, for a view, which is the handle's from now on,
 * also on error.  NULL if out of memory. */
struct vdisk *image_show (struct image *image, struct view *view,
                          const char *name, struct vdisk_error *error);

/* One more reference to a handle, for vdisk_close. */
static inline struct vdisk *
image_retain (struct vdisk *vdisk)
{
  vdisk->references++;
  return vdisk;
}

#endif /* VDISK_IMAGE_H */
