/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading refcounts: a table of blocks, whose numbers are 1 to 64 bits
 * wide.
 */

#include "format/qcow2/refcount.h"

#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "source/padded.h"
#include "util/align.h"
#include "util/minmax.h"

/* Bits of a refcount table entry that are no part of an offset. */
#define RESERVED_BITS UINT64_C (0x1ff)

int
qcow2_refcounts_open (struct qcow2_refcounts *refcounts,
                      struct source *source, unsigned cluster_bits,
                      unsigned order, uint64_t offset, uint64_t entries,
                      struct vdisk_error *error)
{
  const uint64_t left = offset < source->size ? source->size - offset : 0;
  size_t size;

  /* Those that the file lacks are 0: as if they were not. */
  entries = min_u64 (entries, divide_up (left, sizeof (be64)));
  size = entries * sizeof (be64);
  *refcounts = (struct qcow2_refcounts) {
    .source = source,
    .cluster_bits = cluster_bits,
    .order = order,
    .block_bits = cluster_bits + 3 - order,
    .max = UINT64_MAX >> (64 - (1 << order)),
    .entries = entries,
    .table = malloc (size ? size : 1),
  };
  if (refcounts->table == NULL)
    return error_no_memory (error, source->name);
  return source_pread_padded (source, refcounts->table, size, offset, error);
}

void
qcow2_refcounts_close (struct qcow2_refcounts *refcounts)
{
  free (refcounts->table);
  refcounts->table = NULL;
}

enum qcow2_block
qcow2_refcounts_block (const struct qcow2_refcounts *r, uint64_t index,
                       uint64_t *offset)
{
  uint64_t entry;

  *offset = 0;
  if (index >= r->entries)
    return QCOW2_BLOCK_NONE;
  entry = get_be64 (r->table[index]);
  *offset = entry & ~RESERVED_BITS;
  if (entry == 0)
    return QCOW2_BLOCK_NONE;
  if (!is_aligned (*offset, UINT64_C (1) << r->cluster_bits))
    return QCOW2_BLOCK_MISALIGNED;
  if (entry & RESERVED_BITS)
    return QCOW2_BLOCK_RESERVED;
  if (*offset >= r->source->size)
    return QCOW2_BLOCK_OUTSIDE;
  return QCOW2_BLOCK_FINE;
}

/* Take 'count' numbers of 2^order bits out of 'bytes', from bit 'bit' on.
 * Numbers narrower than a byte fill it from its lowest bit. */
static void
decode (const uint8_t *bytes, unsigned order, unsigned bit, size_t count,
        uint64_t *numbers)
{
  const unsigned mask = (1u << (1 << order)) - 1;
  size_t i;

  for (i = 0; i < count; ++i) {
    const size_t at = bit + (i << order);

    numbers[i] = bytes[at / 8] >> (at % 8) & mask;
  }
}

static void
decode_wide (const uint8_t *bytes, unsigned order, size_t count,
             uint64_t *numbers)
{
  const be16 *n16 = (const be16 *) bytes;
  const be32 *n32 = (const be32 *) bytes;
  const be64 *n64 = (const be64 *) bytes;
  size_t i;

  switch (order) {
  case 4:
    for (i = 0; i < count; ++i)
      numbers[i] = get_be16 (n16[i]);
    break;
  case 5:
    for (i = 0; i < count; ++i)
      numbers[i] = get_be32 (n32[i]);
    break;
  default:
    for (i = 0; i < count; ++i)
      numbers[i] = get_be64 (n64[i]);
    break;
  }
}

/* Read 'count' numbers of the block at 'offset', from number 'index' on. */
static int
read_block (const struct qcow2_refcounts *r, uint64_t offset,
            uint64_t index, size_t count, uint64_t *numbers,
            struct vdisk_error *error)
{
  uint8_t bytes[QCOW2_REFCOUNT_RUN * sizeof (uint64_t)];
  const uint64_t first_bit = index << r->order;
  const uint64_t end_bit = (index + count) << r->order;

  if (source_pread_padded (r->source, bytes,
                           divide_up (end_bit, 8) - first_bit / 8,
                           offset + first_bit / 8, error) == -1)
    return -1;
  if (r->order <= 3)
    decode (bytes, r->order, first_bit % 8, count, numbers);
  else
    decode_wide (bytes, r->order, count, numbers);
  return 0;
}

int
qcow2_refcounts_read (const struct qcow2_refcounts *refcounts,
                      uint64_t cluster, uint64_t count,
                      uint64_t numbers[QCOW2_REFCOUNT_RUN],
                      bool *known, struct vdisk_error *error)
{
  const uint64_t per_block = UINT64_C (1) << refcounts->block_bits;
  const uint64_t index = cluster & (per_block - 1);
  const size_t n = min_u64 (min_u64 (count, per_block - index),
                            QCOW2_REFCOUNT_RUN);
  uint64_t offset;
  enum qcow2_block block;

  block = qcow2_refcounts_block (refcounts,
                                 cluster >> refcounts->block_bits, &offset);
  /* An offset nobody can read from is as good as none. */
  *known = block != QCOW2_BLOCK_MISALIGNED && offset <= INT64_MAX;
  /* Reserved bits may be all that is set: then there is no block. */
  if (block == QCOW2_BLOCK_FINE ||
      (block == QCOW2_BLOCK_RESERVED && offset != 0)) {
    if (read_block (refcounts, offset, index, n, numbers, error) == -1)
      return -1;
  }
  else
    memset (numbers, 0, n * sizeof *numbers);
  return n;
}

bool
qcow2_refcounts_any (const struct qcow2_refcounts *refcounts,
                     uint64_t cluster, uint64_t count)
{
  uint64_t index = cluster >> refcounts->block_bits;
  const uint64_t end =
    min_u64 (((cluster + count - 1) >> refcounts->block_bits) + 1,
             refcounts->entries);
  uint64_t offset;

  for (; index < end; ++index)
    if (qcow2_refcounts_block (refcounts, index,
                               &offset) != QCOW2_BLOCK_NONE)
      return true;
  return false;
}
