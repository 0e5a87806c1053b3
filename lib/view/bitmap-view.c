/* SPDX-License-Identifier: BSD-3-Clause */
/* The view of a persistent bitmap: where it is set the bytes of the active
 * disk, which have changed since it was started, and nothing elsewhere.
 * Several of them are joined: what any of them has.
 */

#include "view/view.h"

#include <stdlib.h>

#include "chain.h"
#include "format/format.h"
#include "source/source.h"
#include "util/error.h"
#include "util/minmax.h"
#include "view/mask.h"

struct bitmap_view {
  struct view view;
  const struct layer *layer;    /* that has the bitmaps */
  void **bitmaps;
  size_t count;
};

static uint64_t
list_end (const struct interval_list *list, uint64_t offset)
{
  return list->count > 0 ? interval_list_end (list) : offset;
}

/* Join to 'changed', from 'offset' on, what one more bitmap says, as far as
 * both go. */
static int
join (const struct bitmap_view *bitmaps, const void *bitmap, uint64_t offset,
      struct interval_list *changed, struct vdisk_error *error)
{
  const struct layer *layer = bitmaps->layer;
  const uint64_t end = list_end (changed, offset);
  struct interval_list more = { 0 }, joined = { 0 };
  int r = 0;

  if (offset < end)
    r = layer->format->map_bitmap (layer, bitmap, offset, end - offset,
                                   &more, error);
  interval_list_truncate (changed, list_end (&more, offset));
  if (interval_list_overlay (changed, &more, &joined) == -1) {
    interval_list_clear (&joined);
    r = error_no_memory (error, layer->source->name);
  }
  joined.work = changed->work + more.work;
  interval_list_free (changed);
  interval_list_free (&more);
  *changed = joined;
  return r;
}

static int
bitmap_view_map (const struct view *view, uint64_t offset, uint64_t count,
                 struct interval_list *out, struct vdisk_error *error)
{
  const struct bitmap_view *bitmaps = (const struct bitmap_view *) view;
  const struct layer *layer = bitmaps->layer;
  struct interval_list changed = { 0 };
  size_t i;
  int r;

  interval_list_clear (out);
  r = layer->format->map_bitmap (layer, bitmaps->bitmaps[0], offset, count,
                                 &changed, error);
  for (i = 1; i < bitmaps->count; ++i)
    if (join (bitmaps, bitmaps->bitmaps[i], offset, &changed, error) == -1)
      r = -1;
  if (mask_chain (view->chain, &changed, out, error) == -1)
    r = -1;
  out->work += changed.work;
  interval_list_free (&changed);
  return r;
}

static void
bitmap_view_close (struct view *view)
{
  struct bitmap_view *bitmaps = (struct bitmap_view *) view;

  while (bitmaps->count > 0)
    free (bitmaps->bitmaps[--bitmaps->count]);
  free (bitmaps->bitmaps);
  free (bitmaps);
}

static const struct view_ops bitmap_view_ops = {
  .map = bitmap_view_map,
  .close = bitmap_view_close,
};

static int
open_bitmaps (struct bitmap_view *bitmaps, const uint32_t *numbers,
              size_t count, struct vdisk_error *error)
{
  const struct layer *layer = bitmaps->layer;
  uint64_t granularity;
  void *bitmap;

  for (; bitmaps->count < count; bitmaps->count++) {
    bitmap = layer->format->open_bitmap (layer, numbers[bitmaps->count],
                                         &granularity, error);
    if (bitmap == NULL)
      return -1;
    bitmaps->bitmaps[bitmaps->count] = bitmap;
    bitmaps->view.granularity = min_u64 (bitmaps->view.granularity,
                                         granularity);
  }
  return 0;
}

/* Each bitmap may be as large as the files are, and so may the map. */
static uint64_t
work_max (const struct chain *chain, size_t count)
{
  uint64_t max;

  return __builtin_mul_overflow (chain_work_max (chain), count + 1, &max)
    ? UINT64_MAX : max;
}

struct view *
view_of_bitmaps (struct chain *chain, const uint32_t *numbers, size_t count,
                 struct vdisk_error *error)
{
  struct bitmap_view *bitmaps = calloc (1, sizeof *bitmaps);
  void **room = calloc (count, sizeof *room);

  if (bitmaps == NULL || room == NULL) {
    free (bitmaps);
    free (room);
    error_no_memory (error, chain->layers[0]->source->name);
    return NULL;
  }
  *bitmaps = (struct bitmap_view) {
    .view = {
      .ops = &bitmap_view_ops, .chain = chain, .size = chain_size (chain),
      .granularity = chain->granularity,
      .is_bitmap = true, .is_difference = true,
      .work_max = work_max (chain, count),
    },
    .layer = chain->layers[chain->first], .bitmaps = room,
  };
  if (open_bitmaps (bitmaps, numbers, count, error) == -1) {
    bitmap_view_close (&bitmaps->view);
    return NULL;
  }
  return &bitmaps->view;
}
