/* SPDX-License-Identifier: BSD-3-Clause */
/* A view: what a handle shows of an image.  The active disk is one, a
 * snapshot another, and so are a part of the chain, what a bitmap says has
 * changed, and the difference of two views.
 *
 * All that a view is made of is a map.  Reading, block status, outputs and
 * exports are written over that, and work on all of them.
 */

#ifndef VDISK_VIEW_H
#define VDISK_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "map/disk-map.h"
#include "map/interval.h"
#include "vdisk.h"

struct chain;
struct layer;
struct view;

struct view_ops {
  /* Append to 'out' intervals that tile the guest range, which lies within
   * the view's size, as chain_map does. */
  int (*map) (const struct view *view, uint64_t offset, uint64_t count,
              struct interval_list *out, struct vdisk_error *error);

  /* If the view and 'other', which has the same operation, are known to say
   * the same from 'offset' on, make *end the end of that, at most what it
   * is; else 'offset'.  *work is added to.  NULL: that takes mapping both. */
  int (*find_change) (const struct view *view, const struct view *other,
                      uint64_t offset, uint64_t *end, uint64_t *work,
                      struct vdisk_error *error);

  /* Free the view with what it owns. */
  void (*close) (struct view *view);
};

/* Implementations embed this as their first member. */
struct view {
  const struct view_ops *ops;
  const struct chain *chain;        /* whose layers the intervals' depths are of */
  uint64_t size;            /* of its disk */
  uint64_t granularity;     /* the smallest piece that is told apart: a power
                               of two */
  uint64_t work_max;        /* mapping all of it once may take: see
                               chain_work_max */
  bool is_bitmap;           /* a difference up to the active disk */
  bool is_difference;       /* HOLE: as it was; else: as it is now, even if
                               that is zeros */
};

/* As the operation, of the view 'opaque'. */
static inline int
view_map (const void *opaque, uint64_t offset, uint64_t count,
          struct interval_list *out, struct vdisk_error *error)
{
  const struct view *view = opaque;

  return view->ops->map (view, offset, count, out, error);
}

/* Its map, for what keeps that and walks over it; the view must outlive it. */
struct disk_map view_disk_map (const struct view *view);

/* Accepts NULL. */
static inline void
view_close (struct view *view)
{
  if (view)
    view->ops->close (view);
}

/* What a chain shows.  A part of one (see chain_share) is the view's from now
 * on, also on error; another has to outlive it.  NULL if out of memory. */
struct view *view_of_chain (struct chain *chain, struct vdisk_error *error);

/* What the bitmaps number 'numbers' of the top layer of a chain, which must
 * outlive the view, say has changed: they are joined.  NULL on error. */
struct view *view_of_bitmaps (struct chain *chain, const uint32_t *numbers,
                              size_t count, struct vdisk_error *error);

/* What is in 'to' and was not so in 'from'.  Both are the view's from now on,
 * also on error.  NULL if out of memory. */
struct view *view_of_difference (struct vdisk *from, struct vdisk *to,
                                 bool compare, struct vdisk_error *error);

#endif /* VDISK_VIEW_H */
