/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of intervals: growing, cutting, searching, laying one over
 * another.
 */

#include "map/interval.h"

#include <stdlib.h>

#include "bounds.h"
#include "util/minmax.h"

void
interval_list_free (struct interval_list *list)
{
  free (list->at);
  *list = (struct interval_list) { 0 };
}

int
interval_list_reserve (struct interval_list *list, size_t more)
{
  size_t wanted, doubled = list->allocated * 2;
  struct interval *at;

  if (__builtin_add_overflow (list->count, more, &wanted) ||
      wanted > INTERVALS_MAX)
    return -1;
  if (wanted <= list->allocated)
    return 0;
  if (wanted < doubled)
    wanted = doubled;
  if (wanted < 16)
    wanted = 16;
  at = reallocarray (list->at, wanted, sizeof *at);
  if (at == NULL)
    return -1;
  list->at = at;
  list->allocated = wanted;
  return 0;
}

struct interval
interval_clip (const struct interval *interval, uint64_t offset, uint64_t end)
{
  struct interval r = *interval;
  uint64_t r_end = min_u64 (r.offset + r.length, end);

  if (offset > r.offset) {
    if (r.kind != VDISK_PACKED && r.host != VDISK_NO_HOST_OFFSET)
      r.host += offset - r.offset;
    r.offset = offset;
  }
  r.length = r_end - r.offset;
  return r;
}

void
interval_list_truncate (struct interval_list *list, uint64_t end)
{
  struct interval *last;

  while (list->count > 0 && list->at[list->count - 1].offset >= end)
    list->count--;
  if (list->count == 0)
    return;
  last = &list->at[list->count - 1];
  last->length = min_u64 (last->length, end - last->offset);
}

size_t
interval_list_find (const struct interval_list *list, uint64_t offset)
{
  size_t low = 0, high = list->count;

  /* The interval wanted is in [low, high). */
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;

    if (list->at[middle].offset <= offset)
      low = middle;
    else
      high = middle;
  }
  return low;
}

/* Fill the hole 'hole' from 'lower', from its interval '*next' on. */
static int
fill_hole (const struct interval *hole, const struct interval_list *lower,
           size_t *next, struct interval_list *out)
{
  uint64_t offset = hole->offset, end = hole->offset + hole->length;

  while (offset < end) {
    const struct interval *below;
    struct interval piece;

    while (*next < lower->count &&
           lower->at[*next].offset + lower->at[*next].length <= offset)
      ++*next;
    below = *next < lower->count ? &lower->at[*next] : NULL;

    if (below && below->offset <= offset)
      piece = interval_clip (below, offset, end);
    else if (below && below->offset < end)
      piece = interval_clip (hole, offset, below->offset);
    else
      piece = interval_clip (hole, offset, end);

    if (interval_list_append (out, &piece) == -1)
      return -1;
    offset += piece.length;
  }
  return 0;
}

int
interval_list_overlay (const struct interval_list *upper,
                       const struct interval_list *lower,
                       struct interval_list *out)
{
  size_t i, next = 0;

  for (i = 0; i < upper->count; ++i) {
    const struct interval *interval = &upper->at[i];
    int r;

    if (interval->kind == VDISK_HOLE)
      r = fill_hole (interval, lower, &next, out);
    else
      r = interval_list_append (out, interval);
    if (r == -1)
      return -1;
  }
  return 0;
}
