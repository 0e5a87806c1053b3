/* SPDX-License-Identifier: BSD-3-Clause */
/* A window of counters. */

#include "format/qcow2/count.h"

#include <stdlib.h>
#include <string.h>

#include "util/align.h"

int
qcow2_counts_init (struct qcow2_counts *counts, unsigned window_bits,
                   uint64_t clusters, uint64_t max)
{
  const uint64_t room = min_u64 (UINT64_C (1) << window_bits, clusters);
  size_t i;

  *counts = (struct qcow2_counts) {
    .size = room,
    .window_bits = window_bits,
    .max = min_u64 (max, UINT16_MAX),
    .counters = calloc (room, sizeof *counts->counters),
  };
  if (counts->counters == NULL)
    return -1;
  for (i = 0; i < QCOW2_MARKS; ++i) {
    counts->marks[i] = calloc (divide_up (room, 64), sizeof (uint64_t));
    if (counts->marks[i] == NULL)
      return -1;
  }
  return 0;
}

void
qcow2_counts_free (struct qcow2_counts *counts)
{
  size_t i;

  free (counts->counters);
  for (i = 0; i < QCOW2_MARKS; ++i)
    free (counts->marks[i]);
}

void
qcow2_counts_start (struct qcow2_counts *counts, uint64_t number,
                    uint64_t clusters)
{
  size_t i;

  memset (counts->counters, 0, counts->size * sizeof *counts->counters);
  for (i = 0; i < QCOW2_MARKS; ++i)
    memset (counts->marks[i], 0,
            divide_up (counts->size, 64) * sizeof (uint64_t));
  counts->first = number << counts->window_bits;
  counts->size = min_u64 (UINT64_C (1) << counts->window_bits,
                          clusters - counts->first);
}
