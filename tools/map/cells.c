/* SPDX-License-Identifier: BSD-3-Clause */
/* Adding extents up in cells. */

#include "map/cells.h"

#include "util/share.h"

/* No cell is smaller than a sector. */
#define CELL_BITS_MIN 9

void
cells_init (struct cells *cells, const struct map *map, size_t max)
{
  const uint64_t size = map->end - map->start;

  cells->start = map->start;
  cells->end = map->end;
  cells->bits = CELL_BITS_MIN;
  while (size > 0 && (size - 1) >> cells->bits >= max)
    cells->bits++;
  cells->count = size > 0 ? ((size - 1) >> cells->bits) + 1 : 0;
}

uint64_t
cells_offset (const struct cells *cells, size_t i)
{
  return i >= cells->count ? cells->end
    : cells->start + ((uint64_t) i << cells->bits);
}

void
cells_add (struct cells *cells, const struct vdisk_extent *extent)
{
  uint64_t offset = extent->offset - cells->start;
  const uint64_t end = offset + extent->length;

  totals_add (&cells->totals, extent);
  while (offset < end) {
    const uint64_t i = offset >> cells->bits;
    const uint64_t cell_end = (i + 1) << cells->bits;
    const uint64_t stop = end < cell_end ? end : cell_end;

    cells->bytes[i][extent->kind] += stop - offset;
    offset = stop;
  }
}

static unsigned
largest (const unsigned shares[MAP_KINDS])
{
  unsigned i, best = 0;

  for (i = 1; i < MAP_KINDS; ++i)
    if (shares[i] > shares[best])
      best = i;
  return best;
}

void
cells_divide (const struct cells *cells, size_t i, unsigned height,
              unsigned shares[MAP_KINDS])
{
  const uint64_t *bytes = cells->bytes[i];
  const uint64_t whole = cells_offset (cells, i + 1) -
    cells_offset (cells, i);
  unsigned kind, sum = 0;

  for (kind = 0; kind < MAP_KINDS; ++kind) {
    shares[kind] = share_of (bytes[kind], whole, height);
    if (shares[kind] == 0 && bytes[kind] > 0)
      shares[kind] = 1;
    sum += shares[kind];
  }
  for (; sum > height; --sum)
    shares[largest (shares)]--;
  for (; sum < height; ++sum)
    shares[largest (shares)]++;
}
