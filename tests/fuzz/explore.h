/* SPDX-License-Identifier: BSD-3-Clause */
/* Mapping and reading an open image in many ways that must agree. */

#ifndef FUZZ_EXPLORE_H
#define FUZZ_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vdisk.h"

struct fuzz_control;

/* A disk can be far larger than what one input may take the time for. */
#define EXPLORE_EXTENTS_MAX 128

/* The map of a range, as far as it was told. */
struct explored {
  uint64_t offset, end;         /* the range that was asked for */
  uint64_t reached;             /* told up to here */
  struct vdisk_extent at[EXPLORE_EXTENTS_MAX];
  size_t count;
  unsigned calls, flags;
  bool failed;                  /* the byte at 'reached' cannot be mapped */
  bool exhausted;               /* it might be, but the files are too small
                                   for so large a map: their tables overlap */
};

/* Map a range until there is no more room, and check each extent: they
 * tile the range in ascending order, and each says what one of its kind
 * has to say. */
void explore_map (struct vdisk *vdisk, uint64_t offset, uint64_t count,
                  struct explored *map);

/* Explore an image whose files are those of files.h: see explore.c for
 * what is promised. */
void explore (struct vdisk *vdisk, struct fuzz_control *control);

#endif /* FUZZ_EXPLORE_H */
