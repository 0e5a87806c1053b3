/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the QCOW2 driver share: qcow2.c opens, and reads the
 * header by way of qcow2-header.c; qcow2-map.c turns L1 and L2 entries
 * into intervals; qcow2-packed.c inflates compressed clusters.
 */

#ifndef VDISK_QCOW2_H
#define VDISK_QCOW2_H

#include <stdbool.h>
#include <stdint.h>

#include "interval.h"
#include "layer.h"

struct qcow2_unpackers;

/* The header, validated, and the extensions that matter. */
struct qcow2_info {
  uint32_t version;
  unsigned cluster_bits;
  uint64_t size;
  uint64_t l1_table_offset;
  uint32_t l1_size;                     /* entries */
  uint64_t incompatible_features;
  uint8_t compression_type;
  uint64_t backing_file_offset;         /* 0: there is none */
  uint32_t backing_file_size;
  char backing_format[16];              /* "": not recorded */
  uint64_t data_file_offset;            /* of the name; 0: none */
  uint32_t data_file_size;
};

struct qcow2 {
  struct qcow2_info info;
  unsigned l2_bits;                     /* log2 of the entries of a table */
  unsigned entry_size;                  /* of an L2 entry, bytes */
  struct qcow2_unpackers *unpackers;
};

/* Read and validate the header of a layer whose cluster size and so on
 * are not set yet. */
int qcow2_read_header (const struct layer *layer, struct qcow2_info *info,
                       struct vdisk_error *error);

int qcow2_map (struct layer *layer, uint64_t offset, uint64_t count,
               struct interval_list *out, struct vdisk_error *error);

/* A set of decompressors of a compression type, one for each thread that
 * needs one at the same time.  NULL if out of memory. */
struct qcow2_unpackers *qcow2_unpackers_new (uint8_t compression_type);
void qcow2_unpackers_free (struct qcow2_unpackers *unpackers);

int qcow2_unpack (struct layer *layer, const struct interval *interval,
                  void *cluster, struct vdisk_error *error);

#endif /* VDISK_QCOW2_H */
