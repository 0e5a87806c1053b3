/* SPDX-License-Identifier: BSD-3-Clause */
/* The check of a VHD: its footers, header and BAT, the bitmaps of its
 * blocks, and the space they take.  What makes it impossible to open a VHD
 * has kept us from getting here.  It looks at one file only: whether the
 * parent is the right one is asked when the chain is opened.
 */

#include "format/vhd/check/check.h"

#include <inttypes.h>
#include <stdlib.h>

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
