/* SPDX-License-Identifier: BSD-3-Clause */
/* Which L2 tables a qcow2 output has, those with entries, and in which
 * place: a bit for each entry of the L1 table, which has at most 4 Mi.
 */

#ifndef VDISK_OUTPUT_QCOW2_INDEX_H
#define VDISK_OUTPUT_QCOW2_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "vdisk.h"

struct unit_index;

struct qcow2_index {
  uint64_t *words;              /* a bit for each L1 entry */
  uint32_t *before;             /* how many are set before each word */
  uint64_t word_count;
  uint64_t tables;              /* that there are */
};

/* Of so many L1 entries, each for so many clusters; 'clusters' may be NULL:
 * then all are stored.  Free it also on error. */
int qcow2_index_init (struct qcow2_index *index,
                      const struct unit_index *clusters, uint64_t l1_entries,
                      uint64_t clusters_per_table,
                      struct vdisk_error *error);
void qcow2_index_free (struct qcow2_index *index);

/* Has the L1 entry a table? */
static inline bool
qcow2_index_has (const struct qcow2_index *index, uint64_t entry)
{
  return index->words[entry / 64] >> entry % 64 & 1;
}

/* How many tables there are before that of the entry. */
static inline uint64_t
qcow2_index_rank (const struct qcow2_index *index, uint64_t entry)
{
  const uint64_t below = (UINT64_C (1) << entry % 64) - 1;

  return index->before[entry / 64] +
    __builtin_popcountll (index->words[entry / 64] & below);
}

/* The L1 entry of table number 'table'. */
uint64_t qcow2_index_select (const struct qcow2_index *index,
                             uint64_t table);

#endif /* VDISK_OUTPUT_QCOW2_INDEX_H */
