/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the QCOW2 check share.
 *
 *   check.c         the passes, in their order, and why; windows
 *   header.c        what the header refers to
 *   lists.c         snapshots and bitmaps
 *   roots.c         L1 tables and bitmap tables
 *   l1.c            from L1 tables to a list of L2 tables
 *   l2.c            from L2 entries to clusters
 *   use.c           one reference, and reporting what is wrong with it
 *   compare.c       what was counted, and what is recorded
 *   ../count.c      the counters
 *   ../refcount.c   the refcounts that are recorded
 */

#ifndef VDISK_QCOW2_CHECK_H
#define VDISK_QCOW2_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check-report.h"
#include "format/qcow2/count.h"
#include "format/qcow2/refcount.h"
#include "format/qcow2/driver.h"
#include "layer.h"

/* Where something is said, for messages: "L2 table at 0x40000: entry 5 for
 * guest offset 327680 is 0x8000000000070000". */
struct qcow2_place {
  const char *structure;
  uint64_t offset;              /* of the structure */
  bool has_entry;
  uint64_t entry, value;
  bool has_guest;
  uint64_t guest;
  uint32_t times;               /* how many tables share it: each counts */
};

/* A part of the file that the header refers to. */
struct qcow2_area {
  const char *name;
  uint64_t offset, size;
};
#define QCOW2_AREAS_MAX 5

/* A table that clusters hang from: an L1 table, or a bitmap's. */
struct qcow2_root {
  uint64_t offset;
  uint32_t entries;
  uint32_t active;              /* 1: the L1 table of the disk itself */
  uint32_t others;              /* how many snapshots (or bitmaps) have it */
  bool bitmap;
  bool followed;                /* false: left out, see root_is_fresh */
};

/* An L2 table, and how many L1 entries refer to it. */
struct qcow2_l2 {
  uint64_t offset;
  uint32_t index;               /* in the active L1 table, if in that */
  uint32_t active, copied;      /* of the active ones COPIED is set in */
  uint32_t others;              /* of snapshots */
  uint32_t first_window, last_window;   /* what its entries refer to */
};

/* A list of L2 tables, ascending.  When there are more than fit it has
 * those from 'start' to before 'limit', and has to be made again. */
struct qcow2_l2_list {
  struct qcow2_l2 *at;
  size_t count, room, room_max;
  uint64_t start, limit;
  bool complete;                /* all tables there are */
  bool reported;                /* what is wrong with L1 entries */
};

/* Clusters in a row whose refcounts are wrong in the same way. */
struct qcow2_mismatch {
  uint64_t first, count;
  uint64_t refcount, references;
};

struct qcow2_walk {
  struct layer *layer;
  const struct qcow2 *qcow2;
  struct check_report *report;
  struct vdisk_error *error;

  struct qcow2_area areas[QCOW2_AREAS_MAX];
  size_t area_count;
  struct qcow2_root *roots;
  size_t root_count, root_room;
  bool refcounts_known;
  struct qcow2_refcounts refcounts;

  uint64_t clusters;            /* of the file */
  uint64_t slots;               /* one more: the last cluster may be cut
                                   short, and what is in it reach on */
  uint64_t use_end;             /* what is in use ends before this */
  uint64_t highest;             /* cluster in use */
  struct qcow2_mismatch mismatch;

  struct qcow2_counts counts;
  uint64_t window, windows;     /* the present one, and how many */
  bool first;                   /* the first window */
  uint8_t *touched;             /* bitmap of windows */
  uint32_t first_window, last_window;   /* touched since last asked */

  struct qcow2_l2_list l2;
  uint64_t stray_budget;        /* see l2_is_followed */
  be64 *table;                  /* room for an L2 table */
};

/* use.c */

/* Report a finding: the place, and what is wrong there. */
void qcow2_found (struct qcow2_walk *walk, const struct qcow2_place *place,
                  enum vdisk_finding finding, const char *format, ...)
  __attribute__ ((format (printf, 4, 5)));

/* Count place->times references from a place to the clusters that hold
 * 'size' bytes at 'offset'. */
void qcow2_use (struct qcow2_walk *walk, const struct qcow2_place *place,
                uint64_t offset, uint64_t size, bool metadata);

/* Check the COPIED flag of references to the cluster at 'offset': 'set'
 * have it, 'clear' have not. */
int qcow2_check_copied (struct qcow2_walk *walk,
                        const struct qcow2_place *place, uint64_t offset,
                        uint32_t set, uint32_t clear);

/* header.c: find areas, roots and recorded refcounts. */
int qcow2_check_header (struct qcow2_walk *walk);

/* lists.c */

/* Add the roots of snapshots; *end becomes where the table ends. */
int qcow2_read_snapshots (struct qcow2_walk *walk, uint64_t offset,
                          uint32_t count, uint64_t *end);

/* Add the roots of bitmaps. */
int qcow2_read_bitmaps (struct qcow2_walk *walk, uint64_t offset,
                        uint64_t size, uint32_t count);

/* roots.c */

int qcow2_add_root (struct qcow2_walk *walk, const struct qcow2_root *root);

/* When all are added: merge those that are the same. */
void qcow2_settle_roots (struct qcow2_walk *walk);

/* Count the clusters of the roots themselves, and of bitmaps. */
int qcow2_use_roots (struct qcow2_walk *walk);

/* Call 'take' for each entry of a root that is not 0. */
int qcow2_read_root (struct qcow2_walk *walk, const struct qcow2_root *root,
                     int (*take) (struct qcow2_walk *walk,
                                  const struct qcow2_root *root,
                                  uint64_t index, uint64_t entry));

/* l1.c: call 'take' for every L2 table. */
int qcow2_for_each_l2 (struct qcow2_walk *walk, bool reports_progress,
                       int (*take) (struct qcow2_walk *walk,
                                    struct qcow2_l2 *l2));

/* l2.c */

/* Count the clusters of a table itself. */
int qcow2_use_l2 (struct qcow2_walk *walk, struct qcow2_l2 *l2);

/* Count the clusters that its entries refer to. */
int qcow2_walk_l2 (struct qcow2_walk *walk, struct qcow2_l2 *l2);

/* check.c: call 'take' for the recorded refcount of each cluster of the
 * window that can be known; 'index' is its place in the window. */
int qcow2_for_each_refcount (struct qcow2_walk *walk,
                             void (*take) (struct qcow2_walk *walk,
                                           uint64_t index,
                                           uint64_t refcount));

/* compare.c */

/* Compare the clusters of the window. */
int qcow2_compare (struct qcow2_walk *walk);

/* Report walk->mismatch, and empty it. */
void qcow2_report_mismatch (struct qcow2_walk *walk);

#endif /* VDISK_QCOW2_CHECK_H */
