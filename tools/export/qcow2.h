/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing qcow2: what both of its layouts need (the one for streams, whose
 * tables come first, and the one for files, whose tables come when it is
 * known what is in them).
 */

#ifndef VDISK_EXPORT_QCOW2_H
#define VDISK_EXPORT_QCOW2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/export.h"

/* The parts of an image, each a number of whole clusters.  In a stream
 * they come in this order. */
struct qcow2_layout {
  uint64_t disk_size;           /* a multiple of 512 */
  uint64_t cluster_size;
  unsigned cluster_bits;
  unsigned refcount_bits;
  uint64_t l1_entries;
  uint64_t table_clusters;      /* of the refcount table */
  uint64_t block_clusters;      /* of refcount blocks */
  uint64_t l1_clusters;
  uint64_t l2_clusters;
  uint64_t data_clusters;       /* in the image itself */
};

/* Entries of 8 bytes that a cluster holds. */
static inline uint64_t
qcow2_entries (const struct qcow2_layout *layout)
{
  return layout->cluster_size / 8;
}

/* Host clusters that a refcount block counts. */
static inline uint64_t
qcow2_block_entries (const struct qcow2_layout *layout)
{
  return layout->cluster_size * 8 / layout->refcount_bits;
}

/* Fill in what follows from the options and the size of the disk.  -1 if
 * clusters of that size cannot hold such a disk. */
int qcow2_layout_init (struct qcow2_layout *layout,
                       const struct export *export,
                       struct vdisk_error *error);

/* Find how much of the refcount structures it takes to count 'clusters'
 * others and themselves. */
int qcow2_layout_refcounts (struct qcow2_layout *layout, uint64_t clusters,
                            struct vdisk_error *error);

/* Make the header, a cluster.  The offsets are 0 where there is no such
 * table. */
int qcow2_make_header (const struct export *export,
                       const struct qcow2_layout *layout,
                       uint64_t table_offset, uint64_t l1_offset,
                       uint8_t *cluster, struct vdisk_error *error);

/* Set entry i of a refcount block. */
void qcow2_set_refcount (uint8_t *block, unsigned refcount_bits, uint64_t i,
                         uint64_t count);

/* The layout for files: clusters are compressed, or dropped if they are
 * all zeros. */
int qcow2_write_packed (struct export *export, struct vdisk_error *error);

#endif /* VDISK_EXPORT_QCOW2_H */
