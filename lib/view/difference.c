/* SPDX-License-Identifier: BSD-3-Clause */
/* The view of a difference: where 'to' is as 'from' was a hole, elsewhere
 * what 'to' has.
 *
 * Two ranges are the same by structure if both read as zeros, or both are at
 * the same place of the same file, plain or compressed.  No data is read to
 * find that out; nor tables, where two states of an image share them.  What is
 * not the same by structure may still have the same bytes: to compare them is
 * up to who asks.
 *
 * Beyond the end of 'from' there were zeros; its end is not the disk's.
 */

#include "view/view.h"

#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "image.h"
#include "source/source.h"
#include "util/align.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/minmax.h"
#include "view/mask.h"

/* Mapped at a time where there is a change: so many pieces at first, and
 * twice as many each time the next change was no further than that: to map
 * so many takes as long as to look for the next. */
#define PIECES_MIN 512
#define PIECES_MAX (16 << 10)

/* Compared at a time. */
#define COMPARE_SIZE 4096

struct difference {
  struct view view;
  struct vdisk *from, *to;      /* owned */
  bool compare;                 /* bytes, too */
};

/* A range that is looked at. */
struct looking {
  const struct difference *difference;
  struct interval_list from, to;
  struct interval_list *out;
  struct vdisk_error *error;
};

static bool
reads_as_zeros (const struct interval *interval)
{
  return interval->kind == VDISK_HOLE || interval->kind == VDISK_ZERO;
}

static struct source *
source_of (const struct vdisk *vdisk, const struct interval *interval)
{
  return vdisk->view->chain->layers[interval->depth]->data;
}

/* Do two intervals that cover one range have the same bytes? */
static bool
is_same (const struct difference *difference, const struct interval *from,
         const struct interval *to)
{
  if (reads_as_zeros (from) && reads_as_zeros (to))
    return true;
  if (from->kind != to->kind || from->host != to->host)
    return false;
  if (source_of (difference->from, from) !=
      source_of (difference->to, to) &&
      !source_is_same (source_of (difference->from, from),
                       source_of (difference->to, to)))
    return false;
  return from->kind == VDISK_DATA ||
    (from->kind == VDISK_PACKED && from->packed_size == to->packed_size);
}

/* --- Comparing bytes ---------------------------------------------------- */

/* The bytes of the files that an interval's own come from. */
static uint64_t
stored_size (const struct vdisk *vdisk, const struct interval *interval)
{
  const struct layer *layer = vdisk->view->chain->layers[interval->depth];

  if (reads_as_zeros (interval))
    return 0;
  return interval->kind == VDISK_DATA ? interval->length
    : interval->packed_size * interval->length / layer->cluster_size;
}

/* Are the bytes of the piece at 'start' the same?  1, 0, or -1 on error. */
static int
compare_piece (const struct looking *l, uint64_t start)
{
  struct vdisk *from = l->difference->from, *to = l->difference->to;
  const size_t count = min_u64 (COMPARE_SIZE, vdisk_size (to) - start);
  const uint64_t size = vdisk_size (from);
  const size_t present = start < size ? min_u64 (count, size - start) : 0;
  uint8_t old[COMPARE_SIZE], new[COMPARE_SIZE];
  struct vdisk_error why;       /* l->error may have one */

  memset (old + present, 0, count - present);
  if ((present > 0 && vdisk_pread (from, old, present, start, &why) == -1) ||
      vdisk_pread (to, new, count, start, &why) == -1)
    return error_set (l->error, why.errnum, "%s", error_raw (&why));
  return memcmp (old, new, count) == 0;
}

/* Append a range whose bytes may differ: where they do anywhere in a piece, of
 * which it may have a part. */
static int
append_compared (struct looking *l, const struct interval *from,
                 const struct interval *to)
{
  const struct difference *d = l->difference;
  const uint64_t end = to->offset + to->length;
  uint64_t offset, next;
  struct interval part;
  int same;

  l->out->work += stored_size (d->from, from) + stored_size (d->to, to);
  for (offset = to->offset; offset < end; offset = next) {
    const uint64_t start = round_down (offset, COMPARE_SIZE);

    next = min_u64 (start + COMPARE_SIZE, end);
    same = compare_piece (l, start);
    if (same == -1)
      return -1;
    part = interval_clip (to, offset, next);
    if ((same ? mask_append_same (l->out, offset, next)
         : mask_append_changed (l->out, &part)) == -1)
      return error_no_memory (l->error, vdisk_layer_file (d->to, 0));
  }
  return 0;
}

/* --- Comparing maps ----------------------------------------------------- */

static int
append_pair (struct looking *l, const struct interval *from,
             const struct interval *to)
{
  const bool same = is_same (l->difference, from, to);

  if (!same && l->difference->compare)
    return append_compared (l, from, to);
  if ((same ? mask_append_same (l->out, to->offset, to->offset + to->length)
       : mask_append_changed (l->out, to)) == -1)
    return error_no_memory (l->error, vdisk_layer_file (l->difference->to, 0));
  return 0;
}

/* Walk over both lists from 'offset' on, as far as both go. */
static int
append_differences (struct looking *l, uint64_t offset)
{
  size_t i = 0, j = 0;

  while (i < l->from.count && j < l->to.count) {
    const struct interval *from = &l->from.at[i], *to = &l->to.at[j];
    const uint64_t from_end = from->offset + from->length;
    const uint64_t to_end = to->offset + to->length;
    const uint64_t end = min_u64 (from_end, to_end);
    const struct interval a = interval_clip (from, offset, end);
    const struct interval b = interval_clip (to, offset, end);

    if (append_pair (l, &a, &b) == -1)
      return -1;
    offset = end;
    i += end == from_end;
    j += end == to_end;
  }
  return 0;
}

/* Map what was: nothing beyond its end. */
static int
map_from (struct looking *l, uint64_t offset, uint64_t end)
{
  const struct view *view = l->difference->from->view;
  const uint64_t stop = min_u64 (end, view->size);

  interval_list_clear (&l->from);
  if (offset < stop &&
      view_map (view, offset, stop - offset, &l->from, l->error) == -1)
    return -1;
  if (stop < end && mask_append_same (&l->from, max_u64 (offset, stop),
                                      end) == -1)
    return error_no_memory (l->error, vdisk_layer_file (l->difference->to, 0));
  return 0;
}

static int
map_range (struct looking *l, uint64_t offset, uint64_t end)
{
  const struct view *view = l->difference->to->view;
  int r = map_from (l, offset, end);

  if (view_map (view, offset, end - offset, &l->to, l->error) == -1)
    r = -1;
  return append_differences (l, offset) == -1 ? -1 : r;
}

/* Make *end the end of what is known to be the same from 'offset' on. */
static int
find_change (struct looking *l, uint64_t offset, uint64_t *end)
{
  const struct view *from = l->difference->from->view;
  const struct view *to = l->difference->to->view;

  if (to->ops->find_change && to->ops == from->ops)
    return to->ops->find_change (to, from, offset, end, &l->out->work,
                                 l->error);
  *end = offset;
  return 0;
}

/* Append [offset, *next), which the views may differ in.  What is damaged in
 * both of them alike is the same, as it is where it is found without mapping
 * it: then *next is made the end of that. */
static int
append_range (struct looking *l, uint64_t offset, uint64_t *next,
              uint64_t end)
{
  struct vdisk_error *error = l->error, why = { 0 };
  uint64_t reached, same;
  int r;

  l->error = &why;
  r = map_range (l, offset, *next);
  l->error = error;
  if (r == 0)
    return 0;
  reached = l->out->count > 0 ? max_u64 (interval_list_end (l->out), offset)
    : offset;
  same = end;
  if (reached == *next || error_ends_call (&why) ||
      find_change (l, reached, &same) == -1 || same == reached)
    return error_set (error, why.errnum, "%s", error_raw (&why));
  if (mask_append_same (l->out, reached, same) == -1)
    return error_no_memory (error, vdisk_layer_file (l->difference->to, 0));
  *next = same;
  return 0;
}

static int
look (struct looking *l, uint64_t offset, uint64_t end)
{
  const struct difference *difference = l->difference;
  uint64_t pieces = PIECES_MIN, same, next;

  for (; offset < end; offset = next) {
    same = end;
    if (find_change (l, offset, &same) == -1)
      return -1;
    if (mask_append_same (l->out, offset, same) == -1)
      return error_no_memory (l->error, vdisk_layer_file (difference->to, 0));
    pieces = (same - offset) / difference->view.granularity > pieces
      ? PIECES_MIN : min_u64 (pieces * 2, PIECES_MAX);
    next = same + min_u64 (end - same, difference->view.granularity * pieces);
    if (same < next && append_range (l, same, &next, end) == -1)
      return -1;
  }
  return 0;
}

static int
difference_map (const struct view *view, uint64_t offset, uint64_t count,
                struct interval_list *out, struct vdisk_error *error)
{
  struct looking l = {
    .difference = (const struct difference *) view, .out = out,
    .error = error,
  };
  int r;

  interval_list_clear (out);
  r = look (&l, offset, offset + count);
  out->work += l.from.work + l.to.work;
  interval_list_free (&l.from);
  interval_list_free (&l.to);
  return r;
}

static void
difference_close (struct view *view)
{
  struct difference *difference = (struct difference *) view;

  vdisk_close (difference->from);
  vdisk_close (difference->to);
  free (difference);
}

static const struct view_ops difference_ops = {
  .map = difference_map,
  .close = difference_close,
};

/* Twice what both may take, since tables are compared before they are mapped,
 * and their data if it is compared, too. */
static uint64_t
work_max (const struct view *from, const struct view *to, bool compare)
{
  uint64_t once = add_up_to_max (from->work_max, to->work_max);
  uint64_t max = add_up_to_max (once, once);

  return compare ? add_up_to_max (max, once) : max;
}

struct view *
view_of_difference (struct vdisk *from, struct vdisk *to, bool compare,
                    struct vdisk_error *error)
{
  struct difference *difference = calloc (1, sizeof *difference);

  if (difference == NULL) {
    error_no_memory (error, vdisk_layer_file (to, 0));
    vdisk_close (from);
    vdisk_close (to);
    return NULL;
  }
  *difference = (struct difference) {
    .view = {
      .ops = &difference_ops, .chain = to->view->chain,
      .size = to->view->size, .is_difference = true,
      .granularity = min_u64 (from->view->granularity,
                              to->view->granularity),
      .work_max = work_max (from->view, to->view, compare),
    },
    .from = from, .to = to, .compare = compare,
  };
  if (compare)
    difference->view.granularity = min_u64 (difference->view.granularity,
                                            COMPARE_SIZE);
  return &difference->view;
}
