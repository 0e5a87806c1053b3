/* SPDX-License-Identifier: BSD-3-Clause */
/* The refcount structures of a qcow2 image whose clusters lie in the order
 * of a stream and are all in use: each part of them follows from where it
 * is.
 */

#include "output/qcow2-layout.h"

#include <string.h>

#include "util/minmax.h"

void
qcow2_fill_refcount_table (const struct qcow2_layout *layout,
                           uint64_t first, be64 *entries, size_t count)
{
  const uint64_t offset = qcow2_blocks_offset (layout);
  size_t i;

  for (i = 0; i < count; ++i)
    entries[i] = to_be64 (first + i < layout->block_clusters
                          ? offset + (first + i) * layout->cluster_size : 0);
}

/* Counts of less than a byte: the first is in the lowest bits. */
static uint8_t
counts_in_byte (unsigned bits, uint64_t counts)
{
  unsigned i, byte = 0;

  for (i = 0; i < 8 / bits && i < counts; ++i)
    byte |= 1u << i * bits;
  return byte;
}

static uint64_t
saturating_difference (uint64_t a, uint64_t b)
{
  return a > b ? a - b : 0;
}

static void
fill_small (unsigned bits, uint64_t all, uint64_t first, uint8_t *bytes,
            size_t count)
{
  const unsigned per_byte = 8 / bits;
  const size_t full = min_u64 (count, saturating_difference (all / per_byte,
                                                             first));

  memset (bytes, counts_in_byte (bits, per_byte), full);
  memset (bytes + full, 0, count - full);
  if (full < count)
    bytes[full] = counts_in_byte (bits, saturating_difference (
                                    all, (first + full) * per_byte));
}

void
qcow2_fill_refcounts (const struct qcow2_layout *layout, uint64_t first,
                      uint8_t *bytes, size_t count)
{
  const uint64_t all = qcow2_all_clusters (layout);
  const unsigned size = layout->refcount_bits / 8;
  uint64_t i;

  if (size == 0) {
    fill_small (layout->refcount_bits, all, first, bytes, count);
    return;
  }
  memset (bytes, 0, count);
  /* The last byte of each. */
  for (i = (size - 1 - first % size) % size;
       i < count && (first + i) / size < all; i += size)
    bytes[i] = 1;
}
