/* SPDX-License-Identifier: BSD-3-Clause */
/* vdisk map --totals: bytes and intervals by kind. */

#include "map/totals.h"

#include <inttypes.h>
#include <stdio.h>

#include "human.h"
#include "util/share.h"

const char *
totals_percent (uint64_t part, uint64_t whole, char text[PERCENT_MAX])
{
  const unsigned hundredths = whole == 0 ? 0 : share_of (part, whole, 10000);

  if (hundredths == 0 && part > 0)
    return "<0.01";
  snprintf (text, PERCENT_MAX, "%u.%02u", hundredths / 100,
            hundredths % 100);
  return text;
}

static void
put_line (struct map *map, const char *name, uint64_t intervals,
          uint64_t bytes)
{
  char percent[PERCENT_MAX], size[HUMAN_SIZE_MAX];

  out_format (&map->out, "%-10s %12" PRIu64 " %20" PRIu64 " %10s %7s%%\n",
              name, intervals, bytes, human_size (bytes, size),
              totals_percent (bytes, map->end - map->start, percent));
}

static void
totals_extent (struct map *map, const struct vdisk_extent *extent)
{
  totals_add (map->state, extent);
}

static void
totals_end (struct map *map)
{
  const struct totals *totals = map->state;
  uint64_t intervals = 0;
  size_t i;

  out_format (&map->out, "%-10s %12s %20s %10s %8s\n", "kind", "intervals",
              "bytes", "size", "share");
  for (i = 0; i < MAP_KINDS; ++i) {
    const enum vdisk_kind kind = map_kinds[i];

    put_line (map, map_kind_name (kind), totals->intervals[kind],
              totals->bytes[kind]);
    intervals += totals->intervals[kind];
  }
  put_line (map, "all", intervals, map->end - map->start);
}

const struct map_writer map_writer_totals = {
  .name = "totals",
  .state_size = sizeof (struct totals),
  .begin = map_write_nothing,
  .extent = totals_extent,
  .end = totals_end,
};
