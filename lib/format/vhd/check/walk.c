/* SPDX-License-Identifier: BSD-3-Clause */
/* Walking over the BAT of a VHD that is checked, which its entries and the
 * space of its blocks both need: progress on the way, findings of entries in
 * a row put together as one, and what the place of a block is worth.
 */

#include "format/vhd/check/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "source/source.h"
#include "util/minmax.h"

/* Entries between two words on progress. */
#define SLICE 1024

int
vhd_walk_bat (struct vhd_walk *walk, uint64_t first, uint64_t end,
              unsigned weight,
              int (*take) (void *opaque, uint64_t number, uint32_t sector),
              void *opaque)
{
  uint64_t next;

  for (; first < end; first = next) {
    next = min_u64 (first + SLICE, end);
    if (vhd_read_bat (walk->layer, first, next, take, opaque,
                      walk->error) == -1)
      return -1;
    walk->done += (next - first) * weight;
    if (report_progress (walk->report, walk->done, walk->total,
                         walk->error) == -1)
      return -1;
  }
  vhd_run_end (walk);
  return 0;
}

bool
vhd_run_goes_on (struct vhd_walk *walk, uint64_t number, uint32_t sector)
{
  struct vhd_run *run = &walk->run;

  if (run->count == 0 || sector != run->sector ||
      number != run->first + run->count)
    return false;
  run->count++;
  return true;
}

void
vhd_run_start (struct vhd_walk *walk, uint64_t number, uint32_t sector,
               const char *format, ...)
{
  struct vhd_run *run = &walk->run;
  va_list args;

  vhd_run_end (walk);
  run->first = number;
  run->count = 1;
  run->sector = sector;
  va_start (args, format);
  vsnprintf (run->what, sizeof run->what, format, args);
  va_end (args);
}

void
vhd_run_end (struct vhd_walk *walk)
{
  struct vhd_run *run = &walk->run;

  if (run->count == 1)
    report_finding (walk->report, VDISK_ERROR, "BAT: entry %" PRIu64
                    ": block at sector 0x%" PRIx32 " %s", run->first,
                    run->sector, run->what);
  else if (run->count > 1) {
    report_finding (walk->report, VDISK_ERROR, "BAT: entries %" PRIu64
                    " to %" PRIu64 ": block at sector 0x%" PRIx32 " %s",
                    run->first, run->first + run->count - 1, run->sector,
                    run->what);
    walk->report->check->errors += run->count - 1;
  }
  run->count = 0;
}

enum vhd_place
vhd_judge_place (const struct vhd_walk *walk, uint32_t sector,
                 const struct vhd_area **area)
{
  const uint64_t offset = (uint64_t) sector * VHD_SECTOR_SIZE;
  size_t i;

  if (!range_within (offset, walk->block_size, walk->layer->source->size))
    return VHD_PLACE_BEYOND;
  for (i = 0; i < walk->area_count; ++i) {
    *area = &walk->areas[i];
    if ((*area)->offset < offset + walk->block_size &&
        (*area)->end > offset)
      return VHD_PLACE_TAKEN;
  }
  return VHD_PLACE_FREE;
}
