/* SPDX-License-Identifier: BSD-3-Clause */
/* The check of a QCOW2 image, window by window. */

#include "format/qcow2/check/check.h"

#include <inttypes.h>
#include <stdlib.h>

#include "util/error.h"
#include "util/align.h"
#include "util/minmax.h"

/* Mark the clusters of the window whose refcount is recorded as 1. */
static int
load_refcounts (struct qcow2_walk *walk)
{
  struct qcow2_counts *counts = &walk->counts;
  uint64_t numbers[QCOW2_REFCOUNT_RUN];
  uint64_t done;
  bool known;
  int i, n;

  for (done = 0; done < counts->size; done += n) {
    n = qcow2_refcounts_read (&walk->refcounts, counts->first + done,
                              counts->size - done, numbers, &known,
                              walk->error);
    if (n == -1)
      return -1;
    for (i = 0; i < n; ++i)
      if (numbers[i] == 1)
        qcow2_counts_mark (counts, done + i, QCOW2_MARK_ONCE);
  }
  return 0;
}

static void
use_areas (struct qcow2_walk *walk)
{
  size_t i;

  for (i = 0; i < walk->area_count; ++i) {
    const struct qcow2_area *area = &walk->areas[i];
    const struct qcow2_place place = {
      .structure = area->name, .offset = area->offset, .times = 1,
    };

    qcow2_use (walk, &place, area->offset, area->size, true);
  }
}

/* Count a refcount block.  This is done last: nothing else may refer to
 * it. */
static void
use_block (struct qcow2_walk *walk, const struct qcow2_place *place,
           uint64_t offset)
{
  const struct qcow2_counts *counts = &walk->counts;
  const uint64_t index =
    qcow2_counts_index (counts, offset >> walk->refcounts.cluster_bits);

  qcow2_use (walk, place, offset, walk->layer->cluster_size, false);
  if (index < counts->size && counts->counters[index] != 1)
    qcow2_found (walk, place, VDISK_ERROR, "the refcount block has %u "
                 "references, must have only this one",
                 counts->counters[index]);
}

static void
use_blocks (struct qcow2_walk *walk)
{
  struct qcow2_place place = {
    .structure = "refcount table", .has_entry = true, .times = 1,
    .offset = walk->qcow2->info.refcount_table_offset,
  };
  uint64_t offset;

  for (; place.entry < walk->refcounts.entries; ++place.entry) {
    const char *rule = NULL;

    place.value = get_be64 (walk->refcounts.table[place.entry]);
    switch (qcow2_refcounts_block (&walk->refcounts, place.entry,
                                   &offset)) {
    case QCOW2_BLOCK_NONE:
      break;
    case QCOW2_BLOCK_FINE:
      use_block (walk, &place, offset);
      break;
    case QCOW2_BLOCK_RESERVED:
      rule = "reserved bits are set";
      break;
    case QCOW2_BLOCK_MISALIGNED:
      rule = "the offset is not cluster-aligned";
      break;
    case QCOW2_BLOCK_OUTSIDE:
      rule = "the offset is beyond the end of the file";
      break;
    }
    if (rule && walk->first)
      qcow2_found (walk, &place, VDISK_ERROR, "%s", rule);
  }
}

/* Is there nothing in a window, after the first? */
static bool
window_is_empty (const struct qcow2_walk *walk)
{
  const uint64_t first = walk->window << walk->counts.window_bits;
  const uint64_t count = UINT64_C (1) << walk->counts.window_bits;

  return walk->window > 0 &&
    !(walk->touched[walk->window / 8] >> (walk->window % 8) & 1) &&
    !qcow2_refcounts_any (&walk->refcounts, first,
                          min_u64 (count, walk->slots - first));
}

static int
check_window (struct qcow2_walk *walk)
{
  walk->first = walk->window == 0;
  qcow2_counts_start (&walk->counts, walk->window, walk->slots);
  if (load_refcounts (walk) == -1)
    return -1;
  use_areas (walk);
  if (qcow2_use_roots (walk) == -1 ||
      qcow2_for_each_l2 (walk, false, qcow2_use_l2) == -1 ||
      qcow2_for_each_l2 (walk, true, qcow2_walk_l2) == -1)
    return -1;
  use_blocks (walk);
  return qcow2_compare (walk);
}

/* Set up what depends on the size of the file. */
static int
measure (struct qcow2_walk *walk, unsigned window_bits)
{
  const struct source *source = walk->layer->source;
  const uint32_t cluster_size = walk->layer->cluster_size;

  walk->clusters = divide_up (source->size, cluster_size);
  if (walk->clusters > QCOW2_CHECK_CLUSTERS_MAX)
    return layer_error (walk->layer, walk->error, ENOTSUP, "the file has %"
                        PRIu64 " clusters, more than %" PRIu64 " cannot be "
                        "checked", walk->clusters, QCOW2_CHECK_CLUSTERS_MAX);
  walk->slots = walk->clusters + 1;
  walk->use_end = round_up (source->size, QCOW2_SECTOR_SIZE) +
    cluster_size - 1;
  walk->windows = divide_up (walk->slots, UINT64_C (1) << window_bits);
  walk->touched = calloc (divide_up (walk->windows, 8), 1);
  walk->table = malloc (cluster_size);
  if (walk->touched == NULL || walk->table == NULL)
    return error_no_memory (walk->error, source->name);
  return 0;
}

static int
check (struct qcow2_walk *walk, unsigned window_bits)
{
  if (measure (walk, window_bits) == -1 || qcow2_check_header (walk) == -1)
    return -1;
  if (qcow2_counts_init (&walk->counts, window_bits, walk->slots,
                         walk->refcounts.max) == -1)
    return error_no_memory (walk->error, walk->layer->source->name);
  for (walk->window = 0; walk->window < walk->windows; walk->window++)
    if (!window_is_empty (walk) && check_window (walk) == -1)
      return -1;
  qcow2_found_stretch (walk);
  walk->report->check->image_end_offset =
    (walk->highest + 1) << walk->refcounts.cluster_bits;
  return report_progress (walk->report, 1, 1, walk->error);
}

int
qcow2_check_in_windows (struct layer *layer, struct check_report *report,
                        unsigned window_bits, size_t l2_list_max,
                        struct vdisk_error *error)
{
  struct qcow2_walk walk = {
    .layer = layer, .qcow2 = layer->state, .report = report,
    .error = error, .l2 = { .room_max = l2_list_max },
  };
  int r;

  report->check->total_clusters = divide_up (layer->size,
                                             layer->cluster_size);
  r = check (&walk, window_bits);
  qcow2_counts_free (&walk.counts);
  qcow2_refcounts_close (&walk.refcounts);
  free (walk.roots);
  free (walk.l2.at);
  free (walk.touched);
  free (walk.table);
  return r;
}

int
qcow2_check (struct layer *layer, struct check_report *report,
             struct vdisk_error *error)
{
  return qcow2_check_in_windows (layer, report, log2_of (QCOW2_CHECK_WINDOW),
                                 QCOW2_CHECK_L2_MAX, error);
}
