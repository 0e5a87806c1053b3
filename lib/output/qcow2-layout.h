/* SPDX-License-Identifier: BSD-3-Clause */
/* How a qcow2 image that is written is laid out: how large its tables are,
 * its header, and, for an image without gaps, any part of its tables.
 */

#ifndef VDISK_OUTPUT_QCOW2_LAYOUT_H
#define VDISK_OUTPUT_QCOW2_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/qcow2/disk.h"
#include "vdisk.h"

/* What the user can choose. */
struct qcow2_settings {
  uint64_t cluster_size;        /* a power of two */
  unsigned refcount_bits;       /* the same */
  const char *data_file;        /* NULL: none */
  bool data_file_raw;
  const char *backing;          /* NULL: none */
  const char *backing_format;
};

#define QCOW2_CLUSTER_SIZE_DEFAULT (64 << 10)
#define QCOW2_REFCOUNT_BITS_DEFAULT 16

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

/* All clusters of an image without gaps. */
static inline uint64_t
qcow2_all_clusters (const struct qcow2_layout *layout)
{
  return 1 + layout->table_clusters + layout->block_clusters +
    layout->l1_clusters + layout->l2_clusters + layout->data_clusters;
}

/* Where the parts of a stream start, after the header. */
static inline uint64_t
qcow2_blocks_offset (const struct qcow2_layout *layout)
{
  return (1 + layout->table_clusters) * layout->cluster_size;
}

static inline uint64_t
qcow2_l1_offset (const struct qcow2_layout *layout)
{
  return qcow2_blocks_offset (layout) +
    layout->block_clusters * layout->cluster_size;
}

static inline uint64_t
qcow2_l2_offset (const struct qcow2_layout *layout)
{
  return qcow2_l1_offset (layout) +
    layout->l1_clusters * layout->cluster_size;
}

static inline uint64_t
qcow2_data_offset (const struct qcow2_layout *layout)
{
  return qcow2_l2_offset (layout) +
    layout->l2_clusters * layout->cluster_size;
}

/* Fill in what follows from the settings and the size of the disk.  -1 if
 * clusters of that size cannot hold such a disk. */
int qcow2_layout_init (struct qcow2_layout *layout, const struct vdisk *disk,
                       const struct qcow2_settings *settings,
                       struct vdisk_error *error);

/* Find how much of the refcount structures it takes to count 'clusters'
 * others and themselves. */
int qcow2_layout_refcounts (struct qcow2_layout *layout,
                            const struct vdisk *disk, uint64_t clusters,
                            struct vdisk_error *error);

/* Make the header, a cluster.  The offsets are 0 where there is no such
 * table. */
int qcow2_make_header (const struct vdisk *disk,
                       const struct qcow2_settings *settings,
                       const struct qcow2_layout *layout,
                       uint64_t table_offset, uint64_t l1_offset,
                       uint8_t *cluster, struct vdisk_error *error);

/* --- Any part of the tables of a stream --------------------------------- */

/* Entries of the refcount table, from 'first' on. */
void qcow2_fill_refcount_table (const struct qcow2_layout *layout,
                                uint64_t first, be64 *entries, size_t count);

/* Bytes of the refcount blocks, taken as one: every cluster of the file is
 * used once. */
void qcow2_fill_refcounts (const struct qcow2_layout *layout,
                           uint64_t first, uint8_t *bytes, size_t count);

#endif /* VDISK_OUTPUT_QCOW2_LAYOUT_H */
