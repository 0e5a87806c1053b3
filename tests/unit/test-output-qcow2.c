/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of a qcow2 output, any part of them: against tables that are
 * made entry by entry.
 */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "output/qcow2-layout.h"
#include "random.h"
#include "support.h"
#include "util/align.h"

/* Layouts of which the refcount blocks end in all kinds of places. */
static struct qcow2_layout
layout_of (unsigned bits, uint64_t data)
{
  struct qcow2_layout layout = {
    .cluster_size = 512, .cluster_bits = 9, .refcount_bits = bits,
    .l1_clusters = 1, .l2_clusters = 1, .data_clusters = data,
  };

  ck_assert_int_eq (qcow2_layout_refcounts (&layout, NULL, 3 + data, NULL),
                    0);
  return layout;
}

/* Count a cluster once.  Bits of a byte are taken from the lowest on. */
static void
count_once (uint8_t *blocks, unsigned bits, uint64_t i)
{
  if (bits < 8)
    blocks[i * bits / 8] |= 1 << i * bits % 8;
  else
    blocks[(i + 1) * bits / 8 - 1] = 1;
}

/* All of the refcount blocks, and parts of them. */
static void
check_counts (const struct qcow2_layout *layout)
{
  const size_t size = layout->block_clusters * layout->cluster_size;
  uint8_t *whole = calloc (1, size), *part = malloc (size);
  struct random random = { layout->data_clusters };
  const uint64_t all = qcow2_all_clusters (layout);
  uint64_t i;

  for (i = 0; i < all; ++i)
    count_once (whole, layout->refcount_bits, i);
  qcow2_fill_refcounts (layout, 0, part, size);
  ck_assert_mem_eq (part, whole, size);
  for (i = 0; i < 100; ++i) {
    const size_t first = random_below (&random, size);
    const size_t count = random_below (&random, size - first + 1);

    memset (part, 0xa5, size);
    qcow2_fill_refcounts (layout, first, part, count);
    ck_assert_mem_eq (part, whole + first, count);
  }
  free (whole);
  free (part);
}

START_TEST (refcounts)
{
  const unsigned bits = 1u << _i;
  uint64_t data;

  for (data = 0; data < 40; ++data) {
    const struct qcow2_layout layout = layout_of (bits, data * 117 + data);

    check_counts (&layout);
  }
}
END_TEST

START_TEST (refcount_table)
{
  const struct qcow2_layout layout = layout_of (64, 5000);
  const size_t count = layout.table_clusters * qcow2_entries (&layout);
  be64 *entries = calloc (count, sizeof *entries);
  size_t first, i;

  ck_assert_uint_gt (layout.table_clusters, 1);
  for (first = 0; first < count; first += 7) {
    qcow2_fill_refcount_table (&layout, first, entries, count - first);
    for (i = first; i < count; ++i)
      ck_assert_uint_eq (get_be64 (entries[i - first]),
                         i < layout.block_clusters
                         ? (1 + layout.table_clusters + i) * 512 : 0);
  }
  free (entries);
}
END_TEST

START_TEST (parts_follow_each_other)
{
  const struct qcow2_layout layout = layout_of (16, 1000);

  ck_assert_uint_eq (qcow2_blocks_offset (&layout),
                     (1 + layout.table_clusters) * 512);
  ck_assert_uint_eq (qcow2_data_offset (&layout) + 1000 * 512,
                     qcow2_all_clusters (&layout) * 512);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("output-qcow2");
  TCase *tests = tcase_create ("tables");

  tcase_add_loop_test (tests, refcounts, 0, 7);
  tcase_add_test (tests, refcount_table);
  tcase_add_test (tests, parts_follow_each_other);
  suite_add_tcase (suite, tests);
  return run_suite (suite);
}
