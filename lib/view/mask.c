/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of what has changed. */

#include "view/mask.h"

#include "chain.h"
#include "source/source.h"
#include "util/error.h"
#include "util/minmax.h"

/* Ranges with less than so many pieces between them are mapped together:
 * mapping each reads the tables of all layers again. */
#define NEAR_PIECES 64

int
mask_append_changed (struct interval_list *out,
                     const struct interval *interval)
{
  struct interval changed = *interval;

  if (changed.kind == VDISK_HOLE) {
    changed.kind = VDISK_ZERO;
    changed.host = VDISK_NO_HOST_OFFSET;
  }
  return interval_list_append (out, &changed);
}

int
mask_append_same (struct interval_list *out, uint64_t offset, uint64_t end)
{
  const struct interval same = {
    .offset = offset, .length = end - offset, .kind = VDISK_HOLE,
    .host = VDISK_NO_HOST_OFFSET,
  };

  return interval_list_append (out, &same);
}

/* Append what 'list' says of a range that has changed. */
static int
append_range (struct interval_list *out, const struct interval_list *list,
              uint64_t offset, uint64_t end)
{
  size_t i;

  for (i = interval_list_find (list, offset);
       i < list->count && list->at[i].offset < end; ++i) {
    const struct interval part = interval_clip (&list->at[i], offset, end);

    if (mask_append_changed (out, &part) == -1)
      return -1;
  }
  return 0;
}

/* Append what 'list' says where 'ranges' have changed, as far as it goes. */
static int
append_ranges (struct interval_list *out, const struct interval_list *list,
               const struct interval *ranges, size_t count)
{
  const uint64_t reach = list->count > 0 ? interval_list_end (list) : 0;
  size_t i;

  for (i = 0; i < count && ranges[i].offset < reach; ++i) {
    const uint64_t offset = ranges[i].offset;
    const uint64_t end = min_u64 (offset + ranges[i].length, reach);

    if ((ranges[i].kind == VDISK_HOLE ? mask_append_same (out, offset, end)
         : append_range (out, list, offset, end)) == -1)
      return -1;
  }
  return 0;
}

/* How many ranges, the first of which has changed, are mapped together. */
static size_t
count_near (const struct chain *chain, const struct interval *ranges,
            size_t count)
{
  size_t n = 1;

  while (n + 1 < count &&
         ranges[n].length / NEAR_PIECES < chain->granularity)
    n += 2;
  return n;
}

/* Map from the start of the first of some ranges to the end of the last. */
static int
map_ranges (const struct chain *chain, const struct interval *ranges,
            size_t count, struct interval_list *list,
            struct vdisk_error *error)
{
  const struct interval *last = &ranges[count - 1];

  return chain_map (chain, ranges->offset,
                    last->offset + last->length - ranges->offset, list,
                    error);
}

int
mask_chain (const struct chain *chain, const struct interval_list *changed,
            struct interval_list *out, struct vdisk_error *error)
{
  struct vdisk_error hidden = { 0 };
  struct interval_list list = { 0 };
  size_t i, n, alone = 0;       /* ranges before that are mapped by one */
  int r = 0;

  for (i = 0; i < changed->count && r == 0; i += n) {
    const struct interval *ranges = &changed->at[i];

    n = 1;
    interval_list_clear (&list);
    if (ranges->kind == VDISK_HOLE) {
      if (mask_append_same (out, ranges->offset,
                            ranges->offset + ranges->length) == -1)
        r = error_no_memory (error, chain->layers[0]->source->name);
      continue;
    }
    if (i >= alone)
      n = count_near (chain, ranges, changed->count - i);
    if (n > 1 && map_ranges (chain, ranges, n, &list, &hidden) == -1) {
      /* The damage may be where nothing has changed. */
      alone = i + n;
      n = 1;
    }
    if (n == 1)
      r = map_ranges (chain, ranges, 1, &list, error);
    if (append_ranges (out, &list, ranges, n) == -1)
      r = error_no_memory (error, chain->layers[0]->source->name);
  }
  out->work += list.work;
  interval_list_free (&list);
  return r;
}
