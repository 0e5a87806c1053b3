/* SPDX-License-Identifier: BSD-3-Clause */
/* QED images built in memory, right in every field until a test makes one
 * lie.  Layout: the header's clusters, the L1 table, then L2 tables and
 * data as they are added.
 */

#ifndef UNIT_QED_IMAGE_H
#define UNIT_QED_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "format/qed/disk.h"

/* What there is room for.  Memory is only used where something is. */
#define QED_IMAGE_ROOM ((size_t) 1 << 30)

struct qed_image {
  uint8_t *bytes;               /* zeros where nothing was written */
  size_t size;                  /* of the file: a test may change it */
  uint32_t cluster_size;
  uint32_t table_size;
};

/* Start an image with an empty L1 table, and a header of one cluster.
 * Freed by qed_image_free. */
void qed_image_init (struct qed_image *image, uint32_t cluster_size,
                     uint32_t table_size, uint64_t disk_size);

void qed_image_free (struct qed_image *image);

struct qed_header *qed_image_header (const struct qed_image *image);

/* Put the name of a backing file at the end of the header's cluster. */
void qed_image_set_backing (struct qed_image *image, const char *name,
                            uint64_t features);

/* Let the file grow by whole clusters of zeros.  Returns their offset. */
uint64_t qed_image_append (struct qed_image *image, uint64_t clusters);

le64 *qed_image_l1 (const struct qed_image *image, uint64_t index);

/* The L2 entry of a guest offset, in a table that is added when there is
 * none. */
le64 *qed_image_l2 (struct qed_image *image, uint64_t guest);

void qed_image_set (struct qed_image *image, uint64_t guest,
                    uint64_t entry);

/* Add a data cluster for a guest offset.  Returns its offset. */
uint64_t qed_image_add_data (struct qed_image *image, uint64_t guest);

#endif /* UNIT_QED_IMAGE_H */
