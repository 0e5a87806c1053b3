/* SPDX-License-Identifier: BSD-3-Clause */
/* The check of a QED image.  There are no reference counts: every cluster
 * after the header has exactly one use.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/error.h"
#include "check-report.h"
#include "format/qed/disk.h"
#include "format/qed/driver.h"
#include "source/padded.h"
#include "source/source.h"
#include "util/align.h"
#include "util/checked.h"
#include "util/minmax.h"

/* Bytes of a table read at a time. */
#define PIECE_SIZE 65536

struct walk {
  struct layer *layer;
  const struct qed *qed;
  struct check_report *report;
  struct vdisk_error *error;
  uint64_t clusters;            /* whole ones in the file */
  uint64_t *used;               /* bitmap of them */
};

/* A table that is being read. */
struct table {
  uint64_t offset;
  bool is_l1;
  uint64_t guest;               /* what its first entry is for */
  uint64_t last;                /* data cluster; 0: none yet */
};

static bool
is_used (const struct walk *walk, uint64_t cluster)
{
  return walk->used[cluster / 64] >> (cluster % 64) & 1;
}

/* Mark clusters as used.  Returns how many were already. */
static unsigned
use (struct walk *walk, uint64_t offset, uint64_t size)
{
  uint64_t cluster = offset >> walk->qed->cluster_bits;
  const uint64_t end = cluster + (size >> walk->qed->cluster_bits);
  unsigned already = 0;

  for (; cluster < end; ++cluster) {
    already += is_used (walk, cluster);
    walk->used[cluster / 64] |= UINT64_C (1) << (cluster % 64);
  }
  return already;
}

/* What is wrong with a place for 'size' bytes, or NULL. */
static const char *
offset_fault (const struct walk *walk, uint64_t offset, uint64_t size)
{
  if (!is_aligned (offset, walk->layer->cluster_size))
    return "the offset is not cluster-aligned";
  if (offset < walk->qed->header_bytes)
    return "the offset is in the header";
  if (!range_within (offset, size, walk->clusters << walk->qed->cluster_bits))
    return "the offset is beyond the end of the file";
  return NULL;
}

/* No L2 table can be read in part: its writer does not leave it so. */
static const char *
l2_fault (const struct walk *walk, uint64_t offset, uint64_t size)
{
  const char *fault = offset_fault (walk, offset, size);

  if (fault == NULL &&
      !range_within (offset, size, walk->layer->source->size))
    fault = "the table is cut short by the end of the file";
  return fault;
}

static void
found_in_entry (struct walk *walk, const struct table *table,
                uint64_t index, uint64_t entry, const char *what)
{
  const unsigned bits = walk->qed->cluster_bits +
    (table->is_l1 ? walk->qed->table_bits : 0);

  report_finding (walk->report, VDISK_ERROR, "%s table at 0x%" PRIx64
                  ": entry %" PRIu64 " for guest offset %" PRIu64 " is 0x%016"
                  PRIx64 ": %s", table->is_l1 ? "L1" : "L2", table->offset,
                  index, table->guest + (index << bits), entry, what);
}

static int
check_data (struct walk *walk, struct table *table, uint64_t index,
            uint64_t offset)
{
  const uint32_t cluster_size = walk->layer->cluster_size;
  struct vdisk_check *check = walk->report->check;
  const char *fault;

  if (offset == QED_OFFSET_ZERO)
    return 0;
  check->allocated_clusters++;
  if (table->last != 0 && offset != table->last + cluster_size)
    check->fragmented_clusters++;
  table->last = offset;
  fault = offset_fault (walk, offset, cluster_size);
  if (fault == NULL && use (walk, offset, cluster_size) > 0)
    fault = "the cluster is used for something else as well";
  if (fault)
    found_in_entry (walk, table, index, offset, fault);
  return 0;
}

static int read_table (struct walk *walk, struct table *table,
                       int (*take) (struct walk *walk, struct table *table,
                                    uint64_t index, uint64_t entry));

/* L1 entry 'index' is next.  There are some beyond the end of the disk. */
static int
report_l2_progress (const struct walk *walk, uint64_t index)
{
  const struct qed *qed = walk->qed;
  const uint64_t entries =
    divide_up (walk->layer->size,
               UINT64_C (1) << (qed->cluster_bits + qed->table_bits));

  return report_progress (walk->report, min_u64 (index, entries), entries,
                          walk->error);
}

static int
check_l2 (struct walk *walk, struct table *l1, uint64_t index,
          uint64_t offset)
{
  const struct qed *qed = walk->qed;
  const uint64_t size = qed->table_entries * QED_ENTRY_SIZE;
  struct table l2 = {
    .offset = offset,
    .guest = index << (qed->cluster_bits + qed->table_bits),
  };
  const char *fault = l2_fault (walk, offset, size);
  unsigned already;

  if (report_l2_progress (walk, index) == -1)
    return -1;
  if (fault) {
    found_in_entry (walk, l1, index, offset, fault);
    return 0;
  }
  already = use (walk, offset, size);
  if (already == 0)
    return read_table (walk, &l2, check_data);
  found_in_entry (walk, l1, index, offset, "clusters of the L2 table are "
                  "used for something else as well; it is not followed");
  walk->report->check->errors += already - 1;
  return 0;
}

/* Call 'take' for each entry that is not 0. */
static int
read_table (struct walk *walk, struct table *table,
            int (*take) (struct walk *walk, struct table *table,
                         uint64_t index, uint64_t entry))
{
  const uint64_t entries = walk->qed->table_entries;
  le64 piece[PIECE_SIZE / sizeof (le64)];
  uint64_t done, i, count, entry, hole;

  for (done = 0; done < entries; done += count) {
    const uint64_t offset = table->offset + done * QED_ENTRY_SIZE;

    if (source_zeros (walk->layer->source, offset,
                      (entries - done) * QED_ENTRY_SIZE, &hole,
                      walk->error) == -1)
      return -1;
    count = hole / QED_ENTRY_SIZE;
    if (count > 0)
      continue;
    count = min_u64 (entries - done, PIECE_SIZE / sizeof (le64));
    if (source_pread_padded (walk->layer->source, piece,
                             count * sizeof (le64), offset,
                             walk->error) == -1)
      return -1;
    for (i = 0; i < count; ++i) {
      entry = get_le64 (piece[i]);
      if (entry != QED_OFFSET_UNALLOCATED &&
          take (walk, table, done + i, entry) == -1)
        return -1;
    }
  }
  return 0;
}

/* Report clusters that nothing uses. */
static void
found_leak (struct walk *walk, uint64_t first, uint64_t count)
{
  const unsigned bits = walk->qed->cluster_bits;
  const uint64_t end = first + count;
  char to[32] = "";

  if (count > 1)
    snprintf (to, sizeof to, "s %" PRIu64 " to", first);
  report_finding (walk->report, VDISK_LEAK, "host cluster%s %" PRIu64 " (0x%"
                  PRIx64 " to 0x%" PRIx64 "): nothing uses %s", to, end - 1,
                  first << bits, (end << bits) - 1, count > 1 ? "them" : "it");
  walk->report->check->leaks += count - 1;
}

static void
find_leaks (struct walk *walk)
{
  const unsigned bits = walk->qed->cluster_bits;
  uint64_t end = min_u64 (walk->qed->header_bytes >> bits, walk->clusters);
  uint64_t cluster;

  for (cluster = end; cluster < walk->clusters; ++cluster)
    if (is_used (walk, cluster)) {
      if (cluster > end)
        found_leak (walk, end, cluster - end);
      end = cluster + 1;
    }
  if (cluster > end)
    found_leak (walk, end, cluster - end);
  walk->report->check->image_end_offset = end << bits;
}

static int
check (struct walk *walk)
{
  const struct qed *qed = walk->qed;
  struct table l1 = { .offset = qed->l1_table_offset, .is_l1 = true };

  if (qed->features & QED_F_NEED_CHECK)
    report_finding (walk->report, VDISK_WARNING, "header: the image is marked "
                    "as needing a check (feature bit 1): it was not closed "
                    "properly");
  if (walk->clusters > QED_CHECK_CLUSTERS_MAX)
    return layer_error (walk->layer, walk->error, ENOTSUP, "the file has %"
                        PRIu64 " clusters, more than %" PRIu64 " cannot be "
                        "checked", walk->clusters, QED_CHECK_CLUSTERS_MAX);
  walk->used = calloc (divide_up (walk->clusters, 64), sizeof (uint64_t));
  if (walk->used == NULL)
    return error_no_memory (walk->error, walk->layer->source->name);
  use (walk, l1.offset, qed->table_entries * QED_ENTRY_SIZE);
  if (read_table (walk, &l1, check_l2) == -1)
    return -1;
  find_leaks (walk);
  return report_progress (walk->report, 1, 1, walk->error);
}

int
qed_check (struct layer *layer, struct check_report *report,
           struct vdisk_error *error)
{
  const struct qed *qed = layer->state;
  struct walk walk = {
    .layer = layer, .qed = qed, .report = report, .error = error,
    .clusters = round_up (layer->source->size, QED_SECTOR_SIZE) >>
      qed->cluster_bits,
  };
  int r;

  report->check->total_clusters = divide_up (layer->size,
                                             layer->cluster_size);
  r = check (&walk);
  free (walk.used);
  return r;
}
