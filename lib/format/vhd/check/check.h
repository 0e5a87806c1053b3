/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the VHD check share.
 *
 *   check.c    the order of things; disks that have no blocks
 *   footer.c   the two footers, and the sizes they tell
 *   header.c   the header, the batmap, locators, and where all
 *              that is not a block lies
 *   bat.c      each BAT entry and its block's bitmap
 *   space.c    blocks that overlap, and space that nothing uses
 *   walk.c     what bat.c and space.c do to entries alike
 */

#ifndef VDISK_VHD_CHECK_H
#define VDISK_VHD_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check-report.h"
#include "format/vhd/driver.h"
#include "layer.h"
#include "util/checked.h"

/* A part of the file that is no block. */
struct vhd_area {
  char name[VHD_LOCATOR_NAME_SIZE];
  uint64_t offset, end;
  bool is_locator;
  bool is_end_footer;
};

/* Footer and its copy, header, BAT, batmap and its header, locators. */
#define VHD_AREAS_MAX (6 + VHD_LOCATORS)

/* Entries in a row that say the same wrong thing are reported as one. */
struct vhd_run {
  uint64_t first, count;        /* a count of 0: none */
  uint32_t sector;
  char what[128];
};

/* Bitmaps seen, of blocks that are allocated. */
struct vhd_bitmaps {
  uint64_t count, empty;
  uint64_t first_empty;         /* block */
  uint64_t absent;              /* set in the batmap, but not allocated */
  uint64_t first_absent;
  uint64_t looked_at, lying;    /* at absent sectors; those have bytes */
  uint64_t first_lying;
  uint64_t budget;              /* bytes that may yet be looked at */
};

struct vhd_walk {
  const struct layer *layer;
  const struct vhd *vhd;
  struct check_report *report;
  struct vdisk_error *error;

  struct vhd_footers footers;
  struct dynamic_header header;
  struct vhd_area areas[VHD_AREAS_MAX];         /* ascending */
  size_t area_count;

  uint64_t block_size;          /* in the file: bitmap and data */
  uint64_t blocks;              /* of the disk */
  uint64_t entries;             /* of the BAT that the disk may use: more,
                                   if current_size says more */
  uint64_t entries_max;         /* of the BAT in the file */

  struct vhd_run run;
  struct vhd_bitmaps bitmaps;
  uint64_t last_end;            /* of the block before; 0: none yet */
  uint64_t strays, first_stray; /* entries in use beyond 'entries' */

  uint64_t window;              /* slots: see space.c */
  uint64_t windows;
  uint8_t *touched;             /* bitmap of windows */
  uint64_t done;                /* progress, */
  uint64_t total;               /* of this */
};

/* What an entry's place in the file is worth. */
enum vhd_place {
  VHD_PLACE_FREE,
  VHD_PLACE_TAKEN,              /* by an area */
  VHD_PLACE_BEYOND,             /* not all of it in the file */
};

/* check.c */

/* The check, with windows of that many slots. */
int vhd_check_in_windows (struct layer *layer, uint64_t window,
                          struct check_report *report,
                          struct vdisk_error *error);

/* walk.c */

/* Call 'take' for entries [first, end), as vhd_read_bat.  Each counts as
 * so much progress. */
int vhd_walk_bat (struct vhd_walk *walk, uint64_t first, uint64_t end,
                  unsigned weight,
                  int (*take) (void *opaque, uint64_t number,
                               uint32_t sector), void *opaque);

/* Is this entry the same as that of the finding not yet reported, and next to
 * it?  Then it is counted with it. */
bool vhd_run_goes_on (struct vhd_walk *walk, uint64_t number,
                      uint32_t sector);

/* Start a finding: what is wrong with a block. */
void vhd_run_start (struct vhd_walk *walk, uint64_t number, uint32_t sector,
                    const char *format, ...)
  __attribute__ ((format (printf, 4, 5)));

/* Report the finding. */
void vhd_run_end (struct vhd_walk *walk);

/* Sets *area to the one that takes the place, if so. */
enum vhd_place vhd_judge_place (const struct vhd_walk *walk, uint32_t sector,
                                const struct vhd_area **area);

/* footer.c */

/* Check sizes, and the copy. */
int vhd_check_footer (struct vhd_walk *walk);

/* Check the one at the end, which may be where blocks end if not at the
 * end of the file. */
int vhd_check_end_footer (struct vhd_walk *walk);

/* header.c: fill in areas and numbers of entries. */
int vhd_check_header (struct vhd_walk *walk);

/* bat.c */

/* Check entries and bitmaps, and note which windows have blocks. */
int vhd_check_bat (struct vhd_walk *walk);

/* space.c */

/* Set up windows for blocks of a known size. */
int vhd_init_windows (struct vhd_walk *walk);

/* Note that a block starts there. */
void vhd_touch_window (struct vhd_walk *walk, uint32_t sector);

int vhd_check_space (struct vhd_walk *walk);

#endif /* VDISK_VHD_CHECK_H */
