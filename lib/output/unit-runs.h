/* SPDX-License-Identifier: BSD-3-Clause */
/* Which units of a disk (clusters, blocks: aligned pieces of one size) have
 * data, as runs of those that follow each other.
 *
 * Rounding is outward: one byte of data makes a unit that is stored.
 */

#ifndef VDISK_UNIT_RUNS_H
#define VDISK_UNIT_RUNS_H

#include <stdbool.h>
#include <stdint.h>

#include "vdisk.h"

/* Besides units with data, which are stored? */
enum unit_rule {
  UNITS_WITH_DATA,
  UNITS_AND_ENDS,               /* the first and the last too */
};

struct unit_runs {
  struct vdisk *disk;
  unsigned unit_bits;
  enum unit_rule rule;
  const uint64_t *changed;      /* bits of units that are stored; NULL: the
                                   map of the disk says it */
  const uint64_t *excepted;     /* and of those of them that are not; NULL:
                                   none */
  uint64_t units;               /* of the disk; the last may reach beyond its
                                   end */
};

struct unit_run {
  uint64_t first, count;
};

/* The size of a unit is a power of two. */
void unit_runs_init (struct unit_runs *runs, struct vdisk *disk,
                     uint64_t unit_size, enum unit_rule rule);

/* An index of units keeps something for every 2^N of them: this is N.  There
 * are at most 2^20 such steps. */
unsigned unit_runs_step_bits (const struct unit_runs *runs);

/* Takes a run of stored units, the longest there is in the range walked.  0
 * to go on, 1 to stop. */
typedef int unit_run_visitor (void *opaque, const struct unit_run *run);

/* Visit the runs of the units in [from, end).  -1 with an error. */
int unit_runs_walk (const struct unit_runs *runs, uint64_t from,
                    uint64_t end, unit_run_visitor *visit, void *opaque,
                    struct vdisk_error *error);

#endif /* VDISK_UNIT_RUNS_H */
