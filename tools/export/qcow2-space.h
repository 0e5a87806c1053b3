/* SPDX-License-Identifier: BSD-3-Clause */
/* The space of a qcow2 file that is written from front to back, and the
 * refcounts of what is in it.  Compressed clusters share host clusters.
 *
 * A refcount block is written as soon as all clusters it counts are, so
 * that memory does not grow with the file.
 */

#ifndef VDISK_QCOW2_SPACE_H
#define VDISK_QCOW2_SPACE_H

#include <stdint.h>

#include "export/qcow2-layout.h"
#include "export/sink.h"

struct qcow2_space;

/* Space whose first 'reserved' clusters are in use already.  NULL on
 * error. */
struct qcow2_space *qcow2_space_new (struct sink *sink,
                                     const struct qcow2_image *image,
                                     uint64_t reserved,
                                     struct vdisk_error *error);
void qcow2_space_free (struct qcow2_space *space);

/* Append a cluster, and tell where it is. */
int qcow2_space_put (struct qcow2_space *space, const void *cluster,
                     uint64_t *offset, struct vdisk_error *error);

/* Append a compressed cluster of so many bytes, less than a cluster. */
int qcow2_space_put_packed (struct qcow2_space *space, const void *bytes,
                            size_t size, uint64_t *offset,
                            struct vdisk_error *error);

/* Write the refcount blocks that are left, and the table to 'offset'.
 * Nothing can be put after this; tells the size of the file. */
int qcow2_space_finish (struct qcow2_space *space, uint64_t table_offset,
                        uint64_t *size, struct vdisk_error *error);

#endif /* VDISK_QCOW2_SPACE_H */
