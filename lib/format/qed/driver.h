/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the QED driver share: qed.c opens and maps,
 * check.c checks.
 */

#ifndef VDISK_QED_H
#define VDISK_QED_H

#include <stdint.h>

#include "layer.h"

struct check_report;

struct qed {
  uint64_t features;
  uint64_t header_bytes;        /* regular clusters come after them */
  uint64_t l1_table_offset;
  uint64_t table_entries;       /* of L1 and L2 tables: a power of two */
  unsigned cluster_bits;
  unsigned table_bits;
};

/* The format's 'check'. */
int qed_check (struct layer *layer, struct check_report *report,
               struct vdisk_error *error);

#endif /* VDISK_QED_H */
