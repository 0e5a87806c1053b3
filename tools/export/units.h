/* SPDX-License-Identifier: BSD-3-Clause */
/* Which units of a disk (clusters, blocks: pieces of a fixed size) an
 * export has to write.  Rounding is outward: one byte of data makes a unit
 * of data.
 */

#ifndef VDISK_UNITS_H
#define VDISK_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/align.h"
#include "vdisk.h"

struct difference;

struct units {
  struct vdisk *disk;
  uint64_t size;                /* of a unit: a power of two */
  bool ends;                    /* the first and the last, whatever is in
                                   them, and those with data */
  const struct difference *difference;  /* only units that differ; NULL:
                                           units with data */
  bool zeros_are_data;          /* of a difference: those to be marked as
                                   zeros are written like the others */
};

/* A run of units that are all to be written as data, or all to be marked
 * as zeros (which a difference has). */
struct unit_run {
  uint64_t first, count;
  bool zero;
};

/* 0 to go on, -1 with an error to stop. */
typedef int unit_visitor (void *opaque, const struct unit_run *run,
                          struct vdisk_error *error);

/* Visit all runs, ascending.  Neither the memory this takes nor the length
 * of a run depends on the disk. */
int units_walk (const struct units *units, unit_visitor *visit, void *opaque,
                struct vdisk_error *error);

/* How many units the disk has.  The last may reach beyond its end. */
static inline uint64_t
units_count (const struct units *units)
{
  return divide_up (vdisk_size (units->disk), units->size);
}

/* The guest bytes that a run stands for. */
static inline uint64_t
unit_run_offset (const struct units *units, const struct unit_run *run)
{
  return run->first * units->size;
}

static inline uint64_t
unit_run_length (const struct units *units, const struct unit_run *run)
{
  const uint64_t left = vdisk_size (units->disk) - run->first * units->size;

  return left / units->size < run->count ? left : run->count * units->size;
}

#endif /* VDISK_UNITS_H */
