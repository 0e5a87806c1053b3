/* SPDX-License-Identifier: BSD-3-Clause */
/* In which place an output stores units of a disk: rank and select.
 *
 * Of a walk over the whole map one count is kept for every so many units, 8 MiB of
 * them at most; the rest is a walk over a small piece, which the cache of the
 * map makes cheap.
 */

#ifndef VDISK_UNIT_INDEX_H
#define VDISK_UNIT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "output/unit-runs.h"
#include "vdisk.h"

struct unit_index;

/* Walk over the map of the disk, which must outlive the index.  The size of
 * a unit is a power of two.  NULL on error. */
struct unit_index *unit_index_new (struct vdisk *disk, uint64_t unit_size,
                                   enum unit_rule rule,
                                   struct vdisk_error *error);

/* The same of units that have changed, or only those of them that have not
 * become zeros.  What the changes refer to has to outlive the index. */
struct unit_index *unit_index_new_changes (struct vdisk *disk,
                                           const struct vdisk_changes *changes,
                                           bool without_zeros,
                                           struct vdisk_error *error);
void unit_index_free (struct unit_index *index);

struct vdisk *unit_index_disk (const struct unit_index *index);
uint64_t unit_index_unit_size (const struct unit_index *index);

/* How many units the disk has (the last may reach beyond its end), and how
 * many of them are stored. */
uint64_t unit_index_units (const struct unit_index *index);
uint64_t unit_index_stored (const struct unit_index *index);

/* How many units before 'unit', which is at most the number of units, are
 * stored.  -1 with an error. */
int unit_index_rank (const struct unit_index *index, uint64_t unit,
                     uint64_t *rank, struct vdisk_error *error);

/* The unit that is stored as number 'rank', which is less than the number of
 * those stored.  -1 with an error. */
int unit_index_select (struct unit_index *index, uint64_t rank,
                       uint64_t *unit, struct vdisk_error *error);

/* The first run of stored units in [from, end): those that follow each
 * other.  The count is 0 if there is none.  -1 with an error. */
int unit_index_next_run (const struct unit_index *index, uint64_t from,
                         uint64_t end, struct unit_run *run,
                         struct vdisk_error *error);

/* The same of the first runs, at most *count of them, which is then how many
 * there are. */
int unit_index_next_runs (const struct unit_index *index, uint64_t from,
                          uint64_t end, struct unit_run *runs, size_t *count,
                          struct vdisk_error *error);

#endif /* VDISK_UNIT_INDEX_H */
