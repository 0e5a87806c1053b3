/* SPDX-License-Identifier: BSD-3-Clause */
/* The check of a QCOW2 image: are there as many references to each cluster of
 * the file as its refcount says?
 *
 * First, once, the header (header.c).  Its feature bits are looked at, and
 * what it refers to is collected: areas, which are the header's own cluster,
 * the refcount table, a LUKS header, the snapshot table and the bitmap
 * directory; and roots, which are the L1 tables of the disk and of snapshots,
 * and the tables of bitmaps.  Snapshots and bitmaps are held against their
 * rules on the way (lists.c).  Roots that are the same table become one that
 * counts as often.  The refcount table is read and kept.
 *
 * Then the passes, each over all the image refers to:
 *
 *   1. Recorded refcounts (refcount.c): clusters whose refcount is exactly 1
 *      are marked, for the COPIED flags that passes 4 and 5 come across.
 *   2. Areas: one reference to each of their clusters.
 *   3. Roots (roots.c): the clusters of the tables themselves, as often as
 *      there are snapshots or bitmaps that share them; then those that entries
 *      of bitmap tables refer to.
 *   4. L2 tables (l1.c, use_l2): their own clusters, once for each L1 entry
 *      that refers to them, whose COPIED flags are checked.
 *   5. L2 entries (l2.c, walk_l2): the clusters of the guest's data, plain and
 *      compressed, as often as their table is referred to.  Entries are held
 *      against their rules, and the summary's clusters are counted.
 *   6. Refcount blocks: one reference each.
 *   7. Comparing (compare.c): what was counted, and what is recorded.  Too
 *      many references are errors, too few are leaks; neighbours that have the
 *      same wrong with them are one finding.
 *
 * Metadata comes before data (2 to 4 before 5), so that whatever is counted
 * where metadata is marked already overlaps it, and the finding names the
 * place that has no business there.  All L2 tables come before the entries of
 * any: an entry of the first may refer to the last.  Refcount blocks come
 * last, since nothing else may refer to them: a count other than 1 then is
 * another's fault.
 *
 * Counters are for a window of 2^24 clusters, and passes 1 to 7 are made for
 * each.  The first window is always gone through.  What does not depend on
 * counters is reported then and never again; and it is noted which windows
 * anything refers to, and for each L2 table the first and the last window that
 * its entries refer to.  Of the later windows those are left out that nothing
 * refers to and no refcount block covers; in the others, only the L2 tables
 * that refer to them are read.
 *
 * L2 tables are listed in the order of the file, each once.  If there are more
 * than the list has room for, passes 4 and 5 go over them in parts: the L1
 * tables are read again for each part, and what was noted of L2 tables is
 * lost, so that every window reads all of them.
 *
 * Memory: 2 3/8 bytes for each cluster of a window or of the file, whichever
 * has fewer (38 MiB), the list of L2 tables (up to 16 MiB), the refcount table
 * (up to 8 MiB), a root of 24 bytes for each snapshot and bitmap, one L2
 * table, and a bit for each window.  It does not depend on the disk's size,
 * and what is found does not depend on the windows.
 */

#include "format/qcow2/check/check.h"

#include <inttypes.h>
#include <stdlib.h>

#include "util/error.h"
#include "util/align.h"
#include "util/minmax.h"

int
qcow2_for_each_refcount (struct qcow2_walk *walk,
                         void (*take) (struct qcow2_walk *walk,
                                       uint64_t index, uint64_t refcount))
{
  const struct qcow2_counts *counts = &walk->counts;
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
    for (i = 0; i < n && known; ++i)
      take (walk, done + i, numbers[i]);
  }
  return 0;
}

static void
mark_once (struct qcow2_walk *walk, uint64_t index, uint64_t refcount)
{
  if (refcount == 1)
    qcow2_counts_mark (&walk->counts, index, QCOW2_MARK_ONCE);
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
  if (qcow2_for_each_refcount (walk, mark_once) == -1)
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
  qcow2_report_mismatch (walk);
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
