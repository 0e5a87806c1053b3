/* SPDX-License-Identifier: BSD-3-Clause */
/* How much of a disk is of each kind. */

#ifndef VDISK_MAP_TOTALS_H
#define VDISK_MAP_TOTALS_H

#include <stdint.h>

#include "map/writer.h"

struct totals {
  uint64_t bytes[MAP_KINDS];
  uint64_t intervals[MAP_KINDS];    /* as map_tail_goes_on has them */
  struct map_tail tail;
};

static inline void
totals_add (struct totals *totals, const struct vdisk_extent *extent)
{
  totals->bytes[extent->kind] += extent->length;
  if (totals->intervals[extent->kind] == 0 ||
      !map_tail_goes_on (&totals->tail, extent))
    totals->intervals[extent->kind]++;
  map_tail_set (&totals->tail, extent);
}

/* A share of a whole in percent, to two digits, as "12.50"; never "0.00"
 * of something, nor "100.00" of less than all.  Returns 'text'. */
#define PERCENT_MAX 16
const char *totals_percent (uint64_t part, uint64_t whole,
                            char text[PERCENT_MAX]);

#endif /* VDISK_MAP_TOTALS_H */
