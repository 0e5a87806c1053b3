/* SPDX-License-Identifier: BSD-3-Clause */
/* The view of a chain: the active disk, a snapshot, or some of the layers. */

#include "view/view.h"

#include <stdlib.h>

#include "chain.h"
#include "format/format.h"
#include "source/source.h"
#include "util/error.h"
#include "util/minmax.h"

static int
chain_view_map (const struct view *view, uint64_t offset, uint64_t count,
                struct interval_list *out, struct vdisk_error *error)
{
  return chain_map (view->chain, offset, count, out, error);
}

/* Do two chains have the same layers but for their first ones, which are two
 * states of one image? */
static bool
differ_on_top_only (const struct chain *a, const struct chain *b)
{
  const struct layer *top = a->layers[a->first];
  unsigned i;

  if (a->first != b->first || a->count != b->count ||
      top->source != b->layers[b->first]->source)
    return false;
  for (i = a->first + 1; i < a->count; ++i)
    if (a->layers[i] != b->layers[i])
      return false;
  return true;
}

static int
chain_view_find_change (const struct view *view, const struct view *other,
                        uint64_t offset, uint64_t *end, uint64_t *work,
                        struct vdisk_error *error)
{
  const struct chain *chain = view->chain;
  const struct layer *top = chain->layers[chain->first];

  *end = min_u64 (*end, min_u64 (view->size, other->size));
  if (offset < *end && top->format->find_change &&
      differ_on_top_only (chain, other->chain))
    return top->format->find_change (top, other->chain->layers[chain->first],
                                     offset, end, work, error);
  *end = offset;
  return 0;
}

/* A part of a chain is a view's own; the chain itself is the image's. */
static void
close_part (struct chain *chain)
{
  if (chain->is_shared)
    chain_close (chain);
}

static void
chain_view_close (struct view *view)
{
  close_part ((struct chain *) view->chain);
  free (view);
}

static const struct view_ops chain_view_ops = {
  .map = chain_view_map,
  .find_change = chain_view_find_change,
  .close = chain_view_close,
};

struct view *
view_of_chain (struct chain *chain, struct vdisk_error *error)
{
  struct view *view = calloc (1, sizeof *view);

  if (view == NULL) {
    error_no_memory (error, chain->layers[0]->source->name);
    close_part (chain);
    return NULL;
  }
  view->ops = &chain_view_ops;
  view->chain = chain;
  view->size = chain_size (chain);
  view->granularity = chain->granularity;
  view->work_max = chain_work_max (chain);
  return view;
}
