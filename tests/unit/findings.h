/* SPDX-License-Identifier: BSD-3-Clause */
/* What a check finds, as text. */

#ifndef UNIT_FINDINGS_H
#define UNIT_FINDINGS_H

#include <stddef.h>
#include <stdint.h>

#include "check-report.h"
#include "layer.h"
#include "vdisk.h"

/* Large: let it be static. */
struct findings {
  char text[1 << 16];           /* a line each: "error: ...\n" */
  size_t used;
  uint64_t calls;               /* of the progress callback */
  uint64_t stop_at;             /* stop the check at that call, if not 0 */
  uint64_t done;                /* what was told last */
};

/* A report for one check, which tells findings here, all but stop_at
 * afresh, and counts in 'check'. */
struct check_report findings_start (struct findings *findings,
                                    struct vdisk_check *check);

/* Check the layer. */
int findings_try (struct findings *findings, struct layer *layer,
                  struct vdisk_check *check, struct vdisk_error *error);

/* The same, where an error fails the test. */
void findings_check (struct findings *findings, struct layer *layer,
                     struct vdisk_check *check);

#endif /* UNIT_FINDINGS_H */
