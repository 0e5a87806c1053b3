/* SPDX-License-Identifier: BSD-3-Clause */
/* Flattening: what all layers of a chain together say of a range.
 *
 * The top layer's map comes first; then each layer down fills the holes
 * that are left.  A lower layer is asked once for the whole span of the
 * holes, since asking for each would read its tables again and again.
 */

#include "chain.h"

#include "util/error.h"
#include "format/format.h"
#include "source/source.h"
#include "util/minmax.h"

#define WORK_SLACK (16 << 20)

/* A flattening under way.  'list' is what is known so far; 'spare' and
 * 'lower' are for building the next. */
struct flattening {
  const struct chain *chain;
  uint64_t reach;               /* the size of the smallest layer so far:
                                   beyond the end of a layer its child
                                   sees zeros, and nothing further down */
  struct interval_list list, spare, lower;
};

/* Make 'spare' the list. */
static void
take_spare (struct flattening *f)
{
  struct interval_list list = f->list;

  f->list = f->spare;
  f->spare = list;
  interval_list_clear (&f->spare);
}

/* The range from the first hole to the end of the last, as far as the
 * layers reach.  False if there is none. */
static bool
span_of_holes (const struct flattening *f, uint64_t *offset, uint64_t *end)
{
  const struct interval_list *list = &f->list;
  size_t first = 0, last = list->count;

  while (first < list->count && list->at[first].kind != VDISK_HOLE)
    first++;
  while (last > first && list->at[last - 1].kind != VDISK_HOLE)
    last--;
  if (first == last || list->at[first].offset >= f->reach)
    return false;
  *offset = list->at[first].offset;
  *end = min_u64 (list->at[last - 1].offset + list->at[last - 1].length,
                  f->reach);
  return true;
}

/* Map what lies under one interval of the list into 'lower'.  What is not
 * a hole will not be looked at, so anything will do there. */
static int
map_under (struct flattening *f, struct layer *layer,
           const struct interval *interval, struct vdisk_error *error)
{
  uint64_t end = min_u64 (interval->offset + interval->length, f->reach);

  if (interval->offset >= f->reach)
    return 0;
  if (interval->kind != VDISK_HOLE)
    return layer_append_empty (layer, &f->lower, VDISK_HOLE,
                               interval->offset, end - interval->offset,
                               error);
  return layer->format->map (layer, interval->offset,
                             end - interval->offset, &f->lower, error);
}

/* Map each hole of its own.  On error the list is cut where a hole could
 * not be mapped. */
static int
map_hole_by_hole (struct flattening *f, struct layer *layer,
                  struct vdisk_error *error)
{
  size_t i;

  for (i = 0; i < f->list.count; ++i)
    if (map_under (f, layer, &f->list.at[i], error) == -1) {
      interval_list_truncate (&f->list, f->lower.count > 0
                              ? interval_list_end (&f->lower)
                              : f->list.at[0].offset);
      return -1;
    }
  return 0;
}

/* Fill the holes of the list from 'layer'.  On error the list ends where
 * the damage starts. */
static int
fill_from (struct flattening *f, struct layer *layer,
           uint64_t offset, uint64_t end, struct vdisk_error *error)
{
  struct vdisk_error hidden = { 0 };
  int r;

  interval_list_clear (&f->lower);
  r = layer->format->map (layer, offset, end - offset, &f->lower, &hidden);
  if (r == -1 && error_ends_call (&hidden)) {
    interval_list_truncate (&f->list, f->lower.count > 0
                            ? interval_list_end (&f->lower) : offset);
    error_record (error, hidden.errnum, "%s", error_raw (&hidden));
  }
  else if (r == -1) {
    /* The damage may be where an upper layer hides it. */
    interval_list_clear (&f->lower);
    r = map_hole_by_hole (f, layer, error);
  }
  if (interval_list_overlay (&f->list, &f->lower, &f->spare) == -1) {
    interval_list_clear (&f->list);
    return error_no_memory (error, layer->source->name);
  }
  take_spare (f);
  return r;
}

/* Twice, for the parts of lower layers that are asked for again where there
 * is damage, and some more for entries that are read for each of several
 * segments. */
uint64_t
chain_work_max (const struct chain *chain)
{
  uint64_t size = 0, max;
  unsigned i;

  for (i = 0; i < chain->count; ++i)
    if (__builtin_add_overflow (size, chain->layers[i]->source->size, &size))
      return UINT64_MAX;
  if (__builtin_mul_overflow (size, 2, &max) ||
      __builtin_add_overflow (max, WORK_SLACK, &max))
    return UINT64_MAX;
  return max;
}

int
chain_map (const struct chain *chain, uint64_t offset, uint64_t count,
           struct interval_list *out, struct vdisk_error *error)
{
  struct layer *layer = chain->layers[chain->first];
  struct flattening f = {
    .chain = chain, .reach = layer->size, .list = *out,
  };
  uint64_t hole, end;
  unsigned i;
  int r;

  interval_list_clear (&f.list);
  r = layer->format->map (layer, offset, count, &f.list, error);
  for (i = chain->first + 1; i < chain->count; ++i) {
    layer = chain->layers[i];
    f.reach = min_u64 (f.reach, layer->size);
    if (span_of_holes (&f, &hole, &end) &&
        fill_from (&f, layer, hole, end, error) == -1)
      r = -1;
  }

  *out = f.list;
  out->work += f.spare.work + f.lower.work;
  interval_list_free (&f.spare);
  interval_list_free (&f.lower);
  return r;
}

int
chain_unpack (const struct chain *chain, const struct interval *packed,
              void *cluster, struct vdisk_error *error)
{
  struct layer *layer = chain->layers[packed->depth];

  return layer->format->unpack (layer, packed, cluster, error);
}
