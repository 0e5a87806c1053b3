/* SPDX-License-Identifier: BSD-3-Clause */
/* A disk cut into cells of equal size, as many as a picture has room for,
 * and how much of each cell is of what kind.
 */

#ifndef VDISK_MAP_CELLS_H
#define VDISK_MAP_CELLS_H

#include <stddef.h>
#include <stdint.h>

#include "map/totals.h"
#include "map/writer.h"

#define CELLS_MAX 8192

struct cells {
  uint64_t start, end;          /* the range of the disk */
  unsigned bits;                /* log2 of the size of a cell */
  size_t count;
  struct totals totals;
  uint64_t bytes[CELLS_MAX][MAP_KINDS];
};

/* Cut the range of the map into at most 'max' cells, all empty: 'max' at
 * least 1 and at most CELLS_MAX.  Their size is a power of two, so that
 * their offsets are round numbers. */
void cells_init (struct cells *cells, const struct map *map, size_t max);

void cells_add (struct cells *cells, const struct vdisk_extent *extent);

static inline uint64_t
cells_size (const struct cells *cells)
{
  return UINT64_C (1) << cells->bits;
}

/* Where cell i starts on the disk; past the last one, where that ends. */
uint64_t cells_offset (const struct cells *cells, size_t i);

/* Divide a cell's height of 'height' units among the kinds it has, each
 * of which gets one unit at least (given that height >= MAP_KINDS). */
void cells_divide (const struct cells *cells, size_t i, unsigned height,
                   unsigned shares[MAP_KINDS]);

#endif /* VDISK_MAP_CELLS_H */
