/* SPDX-License-Identifier: BSD-3-Clause */
/* From extents to runs of units. */

#include "export/units.h"

#include "util/error.h"
#include "export/difference.h"
#include "export/interrupt.h"

struct walk {
  const struct units *units;
  unit_visitor *visit;
  void *opaque;
  struct vdisk_error *error;
  struct unit_run run;          /* found, and not visited yet, if it has
                                   any units */
};

static int
visit_run (struct walk *walk)
{
  if (walk->run.count == 0)
    return 0;
  if (interrupt_check (walk->error) == -1)
    return -1;
  return walk->visit (walk->opaque, &walk->run, walk->error);
}

/* Add the units from first to last, of which the first may be the last of
 * the run already. */
static int
add_units (struct walk *walk, uint64_t first, uint64_t last)
{
  struct unit_run *run = &walk->run;

  if (run->count == 0 || first > run->first + run->count) {
    if (visit_run (walk) == -1)
      return -1;
    run->first = first;
  }
  run->count = last - run->first + 1;
  return 0;
}

static int
take_extent (void *opaque, const struct vdisk_extent *extent)
{
  struct walk *walk = opaque;
  const unsigned bits = log2_of (walk->units->size);

  if (extent->kind != VDISK_DATA && extent->kind != VDISK_PACKED)
    return 0;
  return add_units (walk, extent->offset >> bits,
                    (extent->offset + extent->length - 1) >> bits);
}

static int
walk_data (struct walk *walk)
{
  const struct units *units = walk->units;
  const uint64_t count = units_count (units);

  if (count == 0)
    return 0;
  if (units->ends && add_units (walk, 0, 0) == -1)
    return -1;
  if (vdisk_extents (units->disk, 0, vdisk_size (units->disk), take_extent,
                     walk, walk->error) == -1)
    return -1;
  /* A visitor that has failed has stopped the walk. */
  if (walk->error->errnum != 0)
    return -1;
  if (units->ends && add_units (walk, count - 1, count - 1) == -1)
    return -1;
  return visit_run (walk);
}

int
units_walk (const struct units *units, unit_visitor *visit, void *opaque,
            struct vdisk_error *error)
{
  struct walk walk = {
    .units = units, .visit = visit, .opaque = opaque, .error = error,
  };

  if (units->difference)
    return difference_walk (units->difference, units->zeros_are_data, visit,
                            opaque, error);
  return walk_data (&walk);
}
