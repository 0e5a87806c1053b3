/* SPDX-License-Identifier: BSD-3-Clause */
/* The layout of a qcow2 file that is written in order, with its tables after
 * what they refer to.  What its header says is an output's, as far as that
 * goes.
 */

#ifndef VDISK_EXPORT_QCOW2_LAYOUT_H
#define VDISK_EXPORT_QCOW2_LAYOUT_H

#include <stdint.h>

#include "util/bytes.h"

/* Of the header. */
#define QCOW2_L1_SIZE 36                /* offsets: be32 */
#define QCOW2_L1_OFFSET 40              /* be64 */
#define QCOW2_REFCOUNT_TABLE_CLUSTERS 56        /* be32 */
#define QCOW2_INCOMPATIBLE_LAST 79      /* the last byte of a be64 */
#define QCOW2_COMPRESSION_TYPE 104      /* a byte */
#define QCOW2_INCOMPATIBLE_COMPRESSION_TYPE 8
#define QCOW2_COMPRESSION_ZSTD 1

/* Of entries of L1 and L2 tables. */
#define QCOW2_COPIED (UINT64_C (1) << 63)
#define QCOW2_COMPRESSED (UINT64_C (1) << 62)
#define QCOW2_ZERO UINT64_C (1)

#define QCOW2_SECTOR_SIZE 512

struct qcow2_image {
  uint64_t cluster_size;
  unsigned refcount_bits;
  uint64_t table_clusters;      /* of the refcount table */
  uint64_t l1_clusters;
  uint8_t *header;              /* a cluster */
};

/* Entries of 8 bytes that a cluster holds. */
static inline uint64_t
qcow2_entries (const struct qcow2_image *image)
{
  return image->cluster_size / sizeof (be64);
}

/* Host clusters that a refcount block counts. */
static inline uint64_t
qcow2_block_entries (const struct qcow2_image *image)
{
  return image->cluster_size * 8 / image->refcount_bits;
}

#endif /* VDISK_EXPORT_QCOW2_LAYOUT_H */
