/* SPDX-License-Identifier: BSD-3-Clause */
/* From L1 tables to a list of L2 tables in the order of the file.  Each is
 * in it once, with the number of L1 entries that refer to it, so that the
 * time a check takes depends on the size of the file and not on how many
 * snapshots share its tables.
 */

#include "format/qcow2/check/check.h"

#include <inttypes.h>
#include <stdlib.h>

#include "util/error.h"
#include "util/align.h"
#include "util/minmax.h"

/* How many L2 tables there are between two reports of progress. */
#define PROGRESS_STEP 64

static int
compare_l2 (const void *a, const void *b)
{
  const struct qcow2_l2 *x = a, *y = b;

  return (x->offset > y->offset) - (x->offset < y->offset);
}

static uint32_t
add_saturated (uint32_t a, uint32_t b)
{
  return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static void
merge_l2 (struct qcow2_l2 *to, const struct qcow2_l2 *from)
{
  if (from->active > 0 && (to->active == 0 || from->index < to->index))
    to->index = from->index;
  to->active = add_saturated (to->active, from->active);
  to->copied = add_saturated (to->copied, from->copied);
  to->others = add_saturated (to->others, from->others);
}

/* Sort the list, and merge those that are the same table. */
static void
settle_list (struct qcow2_l2_list *list)
{
  size_t i, n = 0;

  if (list->count == 0)
    return;
  qsort (list->at, list->count, sizeof *list->at, compare_l2);
  for (i = 1; i < list->count; ++i) {
    if (list->at[n].offset == list->at[i].offset)
      merge_l2 (&list->at[n], &list->at[i]);
    else
      list->at[++n] = list->at[i];
  }
  list->count = n + 1;
}

/* Make room for one more, if need be by leaving tables for later. */
static int
make_room (struct qcow2_walk *walk)
{
  struct qcow2_l2_list *list = &walk->l2;
  struct qcow2_l2 *at;
  size_t room;

  if (list->count < list->room)
    return 0;
  if (list->room == list->room_max) {
    settle_list (list);
    if (list->count > list->room_max / 2) {
      list->count = list->room_max / 2;
      list->limit = list->at[list->count].offset;
    }
    return 0;
  }
  room = min_u64 (list->room ? 2 * list->room : 64, list->room_max);
  at = realloc (list->at, room * sizeof *at);
  if (at == NULL)
    return error_no_memory (walk->error, walk->layer->source->name);
  list->at = at;
  list->room = room;
  return 0;
}

/* Report what is wrong with an L1 entry. */
static void
check_l1_entry (struct qcow2_walk *walk, const struct qcow2_root *root,
                uint64_t index, uint64_t entry)
{
  const uint64_t offset = entry & QCOW2_OFFSET_MASK;
  const struct qcow2_place place = {
    .structure = root->active ? "L1 table" : "L1 table of a snapshot",
    .offset = root->offset, .has_entry = true, .entry = index,
    .value = entry, .times = root->active + root->others,
  };

  if (entry & ~(QCOW2_OFFSET_MASK | QCOW2_COPIED))
    qcow2_found (walk, &place, VDISK_ERROR, "reserved bits are set");
  if (offset == 0)
    qcow2_found (walk, &place, VDISK_ERROR, "flags are set, but there is no "
                 "offset");
  if (!is_aligned (offset, walk->layer->cluster_size))
    qcow2_found (walk, &place, VDISK_ERROR, "the offset is not "
                 "cluster-aligned");
}

static int
take_l1_entry (struct qcow2_walk *walk, const struct qcow2_root *root,
               uint64_t index, uint64_t entry)
{
  struct qcow2_l2_list *list = &walk->l2;
  const struct qcow2_l2 l2 = {
    .offset = entry & QCOW2_OFFSET_MASK,
    .index = index,
    .active = root->active,
    .copied = entry & QCOW2_COPIED ? root->active : 0,
    .others = root->others,
    .last_window = UINT32_MAX,
  };

  if (!list->reported)
    check_l1_entry (walk, root, index, entry);
  if (l2.offset == 0 || l2.offset < list->start ||
      l2.offset >= list->limit)
    return 0;
  if (make_room (walk) == -1)
    return -1;
  if (l2.offset < list->limit)
    list->at[list->count++] = l2;
  return 0;
}

/* L2 tables that are not where a cluster starts overlap others.  They are
 * followed as long as there are few. */
static bool
l2_is_followed (struct qcow2_walk *walk, const struct qcow2_l2 *l2)
{
  const uint32_t cluster_size = walk->layer->cluster_size;

  if (is_aligned (l2->offset, cluster_size))
    return true;
  if (walk->stray_budget < cluster_size)
    return false;
  walk->stray_budget -= cluster_size;
  return true;
}

/* Make the list of those from 'start' on. */
static int
list_l2 (struct qcow2_walk *walk, uint64_t start)
{
  struct qcow2_l2_list *list = &walk->l2;
  size_t i;

  list->count = 0;
  list->start = start;
  list->limit = UINT64_MAX;
  for (i = 0; i < walk->root_count; ++i)
    if (!walk->roots[i].bitmap &&
        qcow2_read_root (walk, &walk->roots[i], take_l1_entry) == -1)
      return -1;
  settle_list (list);
  list->reported = true;
  list->complete = start == 0 && list->limit == UINT64_MAX;

  if (start == 0)
    walk->stray_budget = QCOW2_CHECK_OVERLAP_MAX;
  for (i = 0; i < list->count; ++i)
    if (!l2_is_followed (walk, &list->at[i])) {
      list->at[i].first_window = UINT32_MAX;
      list->at[i].last_window = 0;
    }
  return 0;
}

/* How far the check has come: a share of each window, by the place of
 * table 'i' in the list, or in the file if that is all one can say. */
static int
report_l2_progress (struct qcow2_walk *walk, size_t i)
{
  const struct qcow2_l2_list *list = &walk->l2;
  const uint64_t whole = 10000;
  double part = list->complete ? (double) i / list->count :
    (double) list->at[i].offset / walk->layer->source->size;

  if (part > 1)
    part = 1;
  return report_progress (walk->report,
                          walk->window * whole + (uint64_t) (part * whole),
                          walk->windows * whole, walk->error);
}

int
qcow2_for_each_l2 (struct qcow2_walk *walk, bool reports_progress,
                   int (*take) (struct qcow2_walk *walk,
                                struct qcow2_l2 *l2))
{
  struct qcow2_l2_list *list = &walk->l2;
  uint64_t start = 0;
  size_t i;

  do {
    if (!list->complete && list_l2 (walk, start) == -1)
      return -1;
    for (i = 0; i < list->count; ++i) {
      if (reports_progress && i % PROGRESS_STEP == 0 &&
          report_l2_progress (walk, i) == -1)
        return -1;
      if (take (walk, &list->at[i]) == -1)
        return -1;
    }
    start = list->limit;
  } while (start != UINT64_MAX);
  return 0;
}
