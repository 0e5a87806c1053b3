/* SPDX-License-Identifier: BSD-3-Clause */
/* Bits of L2 tables, and counts of those set. */

#include "output/qcow2-index.h"

#include <stdlib.h>

#include "output/unit-index.h"
#include "util/align.h"
#include "util/error.h"
#include "util/minmax.h"

/* Set the bits of entries whose clusters are not all missing. */
static int
find_tables (struct qcow2_index *index, const struct unit_index *clusters,
             uint64_t l1_entries, uint64_t clusters_per_table,
             struct vdisk_error *error)
{
  uint64_t entry, rank = 0, before = 0;

  for (entry = 0; entry < l1_entries; ++entry) {
    const uint64_t end = (entry + 1) * clusters_per_table;

    if (clusters &&
        unit_index_rank (clusters, min_u64 (end,
                                            unit_index_units (clusters)),
                         &rank, error) == -1)
      return -1;
    if (clusters == NULL || rank > before)
      index->words[entry / 64] |= UINT64_C (1) << entry % 64;
    before = rank;
  }
  return 0;
}

static void
count_tables (struct qcow2_index *index)
{
  uint64_t i;

  for (i = 0; i < index->word_count; ++i) {
    index->before[i] = index->tables;
    index->tables += __builtin_popcountll (index->words[i]);
  }
}

int
qcow2_index_init (struct qcow2_index *index,
                  const struct unit_index *clusters, uint64_t l1_entries,
                  uint64_t clusters_per_table, struct vdisk_error *error)
{
  *index = (struct qcow2_index) { .word_count = l1_entries / 64 + 1 };
  index->words = calloc (index->word_count, sizeof index->words[0]);
  index->before = calloc (index->word_count, sizeof index->before[0]);
  if (index->words == NULL || index->before == NULL)
    return error_no_memory (error, "output");
  if (find_tables (index, clusters, l1_entries, clusters_per_table,
                   error) == -1)
    return -1;
  count_tables (index);
  return 0;
}

void
qcow2_index_free (struct qcow2_index *index)
{
  free (index->words);
  free (index->before);
}

uint64_t
qcow2_index_select (const struct qcow2_index *index, uint64_t table)
{
  uint64_t low = 0, high = index->word_count, word;

  /* The last word with no more than 'table' before it. */
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;

    if (index->before[middle] <= table)
      low = middle;
    else
      high = middle;
  }
  word = index->words[low];
  for (table -= index->before[low]; table > 0; --table)
    word &= word - 1;
  return low * 64 + __builtin_ctzll (word);
}
