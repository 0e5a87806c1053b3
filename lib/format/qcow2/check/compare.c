/* SPDX-License-Identifier: BSD-3-Clause */
/* Comparing the references that were counted with the refcounts that are
 * recorded.
 */

#include "format/qcow2/check/check.h"

#include <inttypes.h>
#include <stdio.h>

void
qcow2_found_stretch (struct qcow2_walk *walk)
{
  struct qcow2_stretch *extent = &walk->extent;
  const unsigned bits = walk->refcounts.cluster_bits;
  const bool leak = extent->refcount > extent->references;
  struct vdisk_check *check = walk->report->check;
  const uint64_t end = extent->first + extent->count;
  char to[32] = "";

  if (extent->count == 0)
    return;
  if (extent->count > 1)
    snprintf (to, sizeof to, "s %" PRIu64 " to", extent->first);
  report_finding (walk->report, leak ? VDISK_LEAK : VDISK_ERROR,
                  "host cluster%s %" PRIu64 " (0x%" PRIx64 " to 0x%" PRIx64
                  "): refcount %" PRIu64 ", but %" PRIu64 " reference%s", to,
                  end - 1, extent->first << bits, (end << bits) - 1,
                  extent->refcount, extent->references,
                  extent->references == 1 ? "" : "s");
  *(leak ? &check->leaks : &check->errors) += extent->count - 1;
  extent->count = 0;
}

/* Add a cluster with something wrong to those before it. */
static void
extend_stretch (struct qcow2_walk *walk, uint64_t cluster,
                uint64_t refcount, uint64_t references)
{
  struct qcow2_stretch *extent = &walk->extent;

  if (extent->count == 0 || extent->refcount != refcount ||
      extent->references != references ||
      extent->first + extent->count != cluster) {
    qcow2_found_stretch (walk);
    *extent = (struct qcow2_stretch) {
      .first = cluster, .refcount = refcount, .references = references,
    };
  }
  extent->count++;
}

/* Compare the counts of a cluster of the window. */
static void
compare_cluster (struct qcow2_walk *walk, uint64_t index, uint64_t refcount)
{
  const struct qcow2_counts *counts = &walk->counts;
  const uint64_t cluster = counts->first + index;
  const uint16_t references = counts->counters[index];

  /* What is recorded for clusters that do not exist means nothing. */
  if (cluster >= walk->clusters && references == 0)
    return;
  if (refcount > 0 || references > 0)
    walk->highest = cluster;
  if (refcount == references || !walk->refcounts_known)
    return;
  /* As far as we can count that is right. */
  if (references == UINT16_MAX && refcount > references)
    return;
  if (refcount < references &&
      qcow2_counts_is_marked (counts, index, QCOW2_MARK_TOLD))
    return;
  extend_stretch (walk, cluster, refcount, references);
}

int
qcow2_compare (struct qcow2_walk *walk)
{
  return qcow2_for_each_refcount (walk, compare_cluster);
}
