/* SPDX-License-Identifier: BSD-3-Clause */
/* The refcounts that a QCOW2 image records: how often each cluster of its
 * file is said to be used.  Only a check wants to know.
 */

#ifndef VDISK_QCOW2_REFCOUNT_H
#define VDISK_QCOW2_REFCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/qcow2/disk.h"
#include "source/source.h"

struct qcow2_refcounts {
  struct source *source;
  unsigned cluster_bits;
  unsigned order;               /* log2 of the bits of a refcount */
  unsigned block_bits;          /* log2 of the refcounts of a block */
  uint64_t max;                 /* the highest refcount there can be */
  uint64_t entries;             /* of the refcount table, in the file */
  be64 *table;
};

/* What an entry of the refcount table says. */
enum qcow2_block {
  QCOW2_BLOCK_NONE,             /* no block: all its refcounts are 0 */
  QCOW2_BLOCK_FINE,
  QCOW2_BLOCK_RESERVED,         /* reserved bits are set */
  QCOW2_BLOCK_MISALIGNED,       /* so its refcounts cannot be known */
  QCOW2_BLOCK_OUTSIDE,          /* not in the file: they read as 0 */
};

/* How many refcounts are read at a time. */
#define QCOW2_REFCOUNT_RUN 4096

/* Start with a table of 'entries', which the caller has bounded, at
 * 'offset'.  On error qcow2_refcounts_close is safe. */
int qcow2_refcounts_open (struct qcow2_refcounts *refcounts,
                          struct source *source, unsigned cluster_bits,
                          unsigned order, uint64_t offset, uint64_t entries,
                          struct vdisk_error *error);

void qcow2_refcounts_close (struct qcow2_refcounts *refcounts);

/* What table entry 'index' says; *offset becomes that of the block. */
enum qcow2_block qcow2_refcounts_block (const struct qcow2_refcounts *r,
                                        uint64_t index, uint64_t *offset);

/* Refcounts of at most 'count' clusters from 'cluster' on, as many as lie
 * in one block and QCOW2_REFCOUNT_RUN at most.  Returns how many; -1 on
 * error.  *known becomes false if the block cannot be found: the refcounts
 * are 0 then. */
int qcow2_refcounts_read (const struct qcow2_refcounts *refcounts,
                          uint64_t cluster, uint64_t count,
                          uint64_t numbers[QCOW2_REFCOUNT_RUN],
                          bool *known, struct vdisk_error *error);

/* True if some block covers a cluster of [cluster, cluster + count). */
bool qcow2_refcounts_any (const struct qcow2_refcounts *refcounts,
                          uint64_t cluster, uint64_t count);

#endif /* VDISK_QCOW2_REFCOUNT_H */
