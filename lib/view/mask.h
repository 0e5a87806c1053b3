/* SPDX-License-Identifier: BSD-3-Clause */
/* Intervals of what has changed alone: what has not is HOLE, and what has is
 * never HOLE, since it has to be written even if it is zeros.
 */

#ifndef VDISK_MASK_H
#define VDISK_MASK_H

#include "map/interval.h"

struct chain;

/* Append an interval that has changed. */
int mask_append_changed (struct interval_list *out,
                         const struct interval *interval);

/* Append a range that has not. */
int mask_append_same (struct interval_list *out, uint64_t offset,
                      uint64_t end);

/* Append what a chain says where 'changed', whose ranges it has, is not
 * HOLE. */
int mask_chain (const struct chain *chain,
                const struct interval_list *changed,
                struct interval_list *out, struct vdisk_error *error);

#endif /* VDISK_MASK_H */
