/* SPDX-License-Identifier: BSD-3-Clause */
/* QCOW2 images built in memory, right in every field until a test makes
 * one lie.  Layout: the header and what is added to its cluster, the L1
 * table from cluster 1 on, then L2 tables and data as they are added.
 */

#ifndef UNIT_QCOW2_IMAGE_H
#define UNIT_QCOW2_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "format/qcow2/disk.h"

/* What there is room for.  Memory is only used where something is. */
#define QCOW2_IMAGE_ROOM ((size_t) 1 << 30)

struct qcow2_image {
  uint8_t *bytes;               /* zeros where nothing was written */
  size_t size;                  /* of the file: a test may change it */
  unsigned cluster_bits;
  uint64_t cluster_size;
  unsigned entry_size;          /* of an L2 entry */
  size_t extension;             /* where the next one goes */
};

/* Start an image with an L1 table just large enough and nothing in it.
 * 'features' are the incompatible ones (version 3).  With
 * QCOW2_COMPRESSION_TYPE it is zstd, with QCOW2_EXTERNAL_DATA the data
 * file is called "data.raw".  Freed by qcow2_image_free. */
void qcow2_image_init (struct qcow2_image *image, unsigned version,
                       unsigned cluster_bits, uint64_t disk_size,
                       uint64_t features);

void qcow2_image_free (struct qcow2_image *image);

struct qcow2_header *qcow2_image_header (const struct qcow2_image *image);

/* Add a header extension, padded to 8 bytes.  The end of extensions is not
 * written: zeros follow. */
void qcow2_image_add_extension (struct qcow2_image *image, uint32_t type,
                                const void *data, uint32_t length);

/* Put the name of a backing file at the end of the first cluster. */
void qcow2_image_set_backing (struct qcow2_image *image, const char *name);

/* Let the file grow by 'count' zeros from the next cluster on.  Returns
 * their offset. */
uint64_t qcow2_image_append (struct qcow2_image *image, size_t count);

/* Let the file grow by these bytes, just where it ends.  Returns their
 * offset. */
uint64_t qcow2_image_append_bytes (struct qcow2_image *image,
                                   const void *bytes, size_t count);

be64 *qcow2_image_l1 (const struct qcow2_image *image, uint64_t index);

/* The L2 entry of a guest offset, in a table that is added when there is
 * none. */
be64 *qcow2_image_l2 (struct qcow2_image *image, uint64_t guest);

/* Set the entry of a guest offset, and its bitmap if entries are
 * extended. */
void qcow2_image_set (struct qcow2_image *image, uint64_t guest,
                      uint64_t entry);
void qcow2_image_set_extended (struct qcow2_image *image, uint64_t guest,
                               uint64_t entry, uint64_t bitmap);

/* Add a data cluster for a guest offset.  Returns its offset. */
uint64_t qcow2_image_add_data (struct qcow2_image *image, uint64_t guest);

/* The entry of a cluster compressed to 'packed_size' bytes at 'host', or
 * of one of 'sectors' beyond the first. */
uint64_t qcow2_image_packed (const struct qcow2_image *image, uint64_t host,
                             uint64_t packed_size);
uint64_t qcow2_image_packed_sectors (const struct qcow2_image *image,
                                     uint64_t host, uint64_t sectors);

#endif /* UNIT_QCOW2_IMAGE_H */
