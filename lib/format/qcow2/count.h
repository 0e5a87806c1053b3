/* SPDX-License-Identifier: BSD-3-Clause */
/* Counting references to host clusters, in a window of them, so that
 * memory does not depend on the size of the file.
 */

#ifndef VDISK_QCOW2_COUNT_H
#define VDISK_QCOW2_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "util/minmax.h"

/* What else is known of a cluster. */
enum qcow2_mark {
  QCOW2_MARK_ONCE,              /* its recorded refcount is exactly 1 */
  QCOW2_MARK_METADATA,          /* it holds metadata */
  QCOW2_MARK_REPORTED,              /* an overlap in it is reported */
  QCOW2_MARKS
};

struct qcow2_counts {
  uint64_t first;               /* cluster that the window starts with */
  uint64_t size;                /* how many there are in it */
  unsigned window_bits;         /* log2 of the size of windows */
  uint16_t max;                 /* where counting stops */
  uint16_t *counters;
  uint64_t *marks[QCOW2_MARKS]; /* bitmaps */
};

/* Make room for windows of 2^window_bits clusters, or fewer if there are
 * only 'clusters'.  'max' is the highest refcount the image can record.
 * -1 if out of memory; qcow2_counts_free is safe then. */
int qcow2_counts_init (struct qcow2_counts *counts, unsigned window_bits,
                       uint64_t clusters, uint64_t max);

void qcow2_counts_free (struct qcow2_counts *counts);

/* Start afresh with the window of a number. */
void qcow2_counts_start (struct qcow2_counts *counts, uint64_t number,
                         uint64_t clusters);

/* The place of a cluster in the window: 'size' or more if it is not in
 * it. */
static inline uint64_t
qcow2_counts_index (const struct qcow2_counts *counts, uint64_t cluster)
{
  return cluster - counts->first;
}

/* Count 'times' references more.  Returns how many did not fit. */
static inline uint32_t
qcow2_counts_add (struct qcow2_counts *counts, uint64_t index,
                  uint32_t times)
{
  const uint32_t room = counts->max - counts->counters[index];
  const uint32_t fits = min_u64 (times, room);

  counts->counters[index] += fits;
  return times - fits;
}

static inline bool
qcow2_counts_is_marked (const struct qcow2_counts *counts, uint64_t index,
                        enum qcow2_mark mark)
{
  return counts->marks[mark][index / 64] >> (index % 64) & 1;
}

static inline void
qcow2_counts_mark (struct qcow2_counts *counts, uint64_t index,
                   enum qcow2_mark mark)
{
  counts->marks[mark][index / 64] |= UINT64_C (1) << (index % 64);
}

#endif /* VDISK_QCOW2_COUNT_H */
