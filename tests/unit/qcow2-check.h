/* SPDX-License-Identifier: BSD-3-Clause */
/* What the suites of QCOW2 maps share. */

#ifndef UNIT_QCOW2_CHECK_H
#define UNIT_QCOW2_CHECK_H

#include <stdint.h>

struct layer;
struct map_model;
struct qcow2_image;
struct random;

/* Open the image, as "disk.qcow2". */
struct layer *qcow2_open (const struct qcow2_image *image);

/* The same, with an external data file of 'data_size' bytes, "data.raw",
 * that can be mapped but not read. */
struct layer *qcow2_open_external (const struct qcow2_image *image,
                                   uint64_t data_size);

/* Add to the model what a naive reader makes of the bitmap of an extended
 * L2 entry whose cluster is at 'host', or VDISK_NO_HOST_OFFSET. */
void qcow2_add_subclusters (struct map_model *model, uint64_t cluster_size,
                            uint64_t host, uint64_t bitmap);

/* A bitmap that breaks no rule; some are sparse, some have long runs. */
uint64_t qcow2_random_bitmap (struct random *random);

#endif /* UNIT_QCOW2_CHECK_H */
