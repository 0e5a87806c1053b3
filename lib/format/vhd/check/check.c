/* SPDX-License-Identifier: BSD-3-Clause */
/* The check of a VHD: its footers, header and BAT, the bitmaps of its
 * blocks, and the space they take.  What makes it impossible to open a VHD
 * has kept us from getting here.  It looks at one file only: whether the
 * parent is the right one is asked when the chain is opened.
 */

#include "format/vhd/check/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

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

static int
check_dynamic (struct vhd_walk *walk)
{
  if (vhd_check_header (walk) == -1 ||
      vhd_init_windows (walk) == -1 ||
      vhd_check_bat (walk) == -1 ||
      vhd_check_end_footer (walk) == -1)
    return -1;
  return vhd_check_space (walk);
}

/* The disk's bytes go as far as the footer. */
static int
check_fixed (struct vhd_walk *walk)
{
  const struct footer *footer = &walk->vhd->footer;

  if (footer->current_size > footer->offset)
    report_finding (walk->report, VDISK_ERROR, "footer: current size %" PRIu64
                    ", but there are only %" PRIu64 " bytes before the footer",
                    footer->current_size, footer->offset);
  else if (footer->current_size < footer->offset)
    report_finding (walk->report, VDISK_WARNING, "footer: current size %" PRIu64
                    ", but there are %" PRIu64 " bytes before the footer",
                    footer->current_size, footer->offset);
  walk->report->check->image_end_offset = footer->offset;
  return vhd_check_end_footer (walk);
}

int
vhd_check_in_windows (struct layer *layer, uint64_t window,
                      struct check_report *report, struct vdisk_error *error)
{
  struct vhd_walk walk = {
    .layer = layer, .vhd = layer->state, .report = report, .error = error,
    .window = window,
  };
  int r;

  if (vhd_bitmaps_may_lie (walk.vhd))
    walk.bitmaps.budget = VHD_CHECK_ABSENT_SIZE_MAX;
  if (vhd_read_footers (layer, &walk.footers, error) == -1)
    return -1;
  if (vhd_check_footer (&walk) == -1)
    return -1;
  if (walk.vhd->footer.type == VHD_FIXED)
    r = check_fixed (&walk);
  else
    r = check_dynamic (&walk);
  free (walk.touched);
  return r == -1 ? -1 : report_progress (report, 1, 1, error);
}

int
vhd_check (struct layer *layer, struct check_report *report,
           struct vdisk_error *error)
{
  return vhd_check_in_windows (layer, VHD_CHECK_WINDOW, report, error);
}
