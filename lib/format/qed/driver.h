/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the QED driver share: the header in the CPU's terms, and
 * the state of an open image.
 */

#ifndef VDISK_QED_H
#define VDISK_QED_H

#include <stdint.h>

#include "layer.h"
#include "map/interval.h"

struct check_report;
struct json_t;

/* The header with its numbers in the CPU's order. */
struct qed_info {
  uint32_t magic, cluster_size, table_size, header_size;
  uint64_t features, l1_table_offset, image_size;
  uint32_t name_offset, name_size;
};

/* layer->state */
struct qed {
  uint64_t features;
  uint64_t header_bytes;        /* regular clusters come after them */
  uint64_t l1_table_offset;
  uint64_t table_entries;       /* of L1 and L2 tables: a power of two */
  unsigned cluster_bits;
  unsigned table_bits;
};

/* header.c: read and validate the header of a layer whose cluster size and so
 * on are not set yet. */
int qed_read_header (const struct layer *layer, struct qed *qed,
                     struct qed_info *info, struct vdisk_error *error);

/* map.c: the format's 'map'. */
int qed_map (struct layer *layer, uint64_t offset, uint64_t count,
             struct interval_list *out, struct vdisk_error *error);

/* describe.c: the format's 'describe'. */
int qed_describe (struct layer *layer, struct json_t *document,
                  struct vdisk_error *error);

/* check/check.c: the format's 'check'. */
int qed_check (struct layer *layer, struct check_report *report,
               struct vdisk_error *error);

#endif /* VDISK_QED_H */
