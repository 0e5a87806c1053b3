/* SPDX-License-Identifier: BSD-3-Clause */
/* Comparing the references that were counted with the refcounts that are
 * recorded.
 */

#include "format/qcow2/check/check.h"

#include <inttypes.h>
#include <stdio.h>

void
qcow2_report_mismatch (struct qcow2_walk *walk)
{
  struct qcow2_mismatch *mismatch = &walk->mismatch;
  const unsigned bits = walk->refcounts.cluster_bits;
  const bool leak = mismatch->refcount > mismatch->references;
  struct vdisk_check *check = walk->report->check;
  const uint64_t end = mismatch->first + mismatch->count;
  char to[32] = "";

  if (mismatch->count == 0)
    return;
  if (mismatch->count > 1)
    snprintf (to, sizeof to, "s %" PRIu64 " to", mismatch->first);
  report_finding (walk->report, leak ? VDISK_LEAK : VDISK_ERROR,
                  "host cluster%s %" PRIu64 " (0x%" PRIx64 " to 0x%" PRIx64
                  "): refcount %" PRIu64 ", but %" PRIu64 " reference%s", to,
                  end - 1, mismatch->first << bits, (end << bits) - 1,
                  mismatch->refcount, mismatch->references,
                  mismatch->references == 1 ? "" : "s");
  *(leak ? &check->leaks : &check->errors) += mismatch->count - 1;
  mismatch->count = 0;
}

/* Add a cluster with something wrong to those before it. */
static void
extend_mismatch (struct qcow2_walk *walk, uint64_t cluster,
                 uint64_t refcount, uint64_t references)
{
  struct qcow2_mismatch *mismatch = &walk->mismatch;

  if (mismatch->count == 0 || mismatch->refcount != refcount ||
      mismatch->references != references ||
      mismatch->first + mismatch->count != cluster) {
    qcow2_report_mismatch (walk);
    *mismatch = (struct qcow2_mismatch) {
      .first = cluster, .refcount = refcount, .references = references,
    };
  }
  mismatch->count++;
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
      qcow2_counts_is_marked (counts, index, QCOW2_MARK_REPORTED))
    return;
  extend_mismatch (walk, cluster, refcount, references);
}

int
qcow2_compare (struct qcow2_walk *walk)
{
  return qcow2_for_each_refcount (walk, compare_cluster);
}
