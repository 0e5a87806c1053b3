/* SPDX-License-Identifier: BSD-3-Clause */
/* Which units of a disk differ from those of another disk, its base.  The
 * bytes count, not the formats: the two need have nothing in common.
 */

#ifndef VDISK_DIFFERENCE_H
#define VDISK_DIFFERENCE_H

#include <stdint.h>

#include "export/units.h"
#include "vdisk.h"

struct difference;

/* Compare the disk with its base, reading with so many threads.  What both
 * read from the same place of the same file, and what reads as zeros in
 * both, is not read.  Past the end of the base are zeros.  This keeps two
 * bits for each unit, in pages of those that differ.  NULL on error. */
struct difference *difference_new (struct vdisk *disk, struct vdisk *base,
                                   uint64_t unit_size, unsigned threads,
                                   struct vdisk_error *error);

/* The same from a difference of the library's, of which nothing is read.  A
 * unit that has changed in part is one of data, unless all of it has become
 * zeros.  What was from 'known' on is unknown: it is all taken to have
 * changed. */
struct difference *difference_of_view (struct vdisk *changed,
                                       uint64_t unit_size, uint64_t known,
                                       struct vdisk_error *error);

/* Accepts NULL. */
void difference_free (struct difference *difference);

/* The changes, but for their base.  They are the difference's. */
struct vdisk_changes difference_changes (const struct difference *difference);

/* Visit the runs of units that differ; see struct units.  -1 with the
 * visitor's error. */
int difference_walk (const struct difference *difference,
                     bool zeros_are_data, unit_visitor *visit, void *opaque,
                     struct vdisk_error *error);

#endif /* VDISK_DIFFERENCE_H */
