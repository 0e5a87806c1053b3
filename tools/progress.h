/* SPDX-License-Identifier: BSD-3-Clause */
/* Progress of work that takes a while: a bar on a terminal, if somebody is
 * there to see it, or marks for a program.
 */

#ifndef VDISK_PROGRESS_H
#define VDISK_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum progress_style {
  PROGRESS_NONE,
  PROGRESS_BAR,                 /* redrawn in place */
  PROGRESS_MACHINE,             /* "042": three digits for each percent,
                                   as vhd-tool writes them */
  PROGRESS_JSON,                /* a line for each percent */
};

struct progress {
  enum progress_style style;
  FILE *stream;
  bool counts_bytes;            /* of a bar: they are shown */
  bool visible;                 /* the bar is */
  int permille;                 /* as it was drawn last, or -1 */
  int percent;                  /* as it was marked last, or -1 */
  uint64_t start, drawn;        /* milliseconds, of some clock */
};

/* Start measuring work that is done in no unit, for a bar on standard
 * error if that is a terminal.  Nothing is drawn in the first second. */
void progress_start (struct progress *progress);

/* Start measuring work that is done in bytes. */
void progress_start_bytes (struct progress *progress,
                           enum progress_style style, FILE *stream);

/* So much is done of 'total'.  May be called as often as one likes. */
void progress_update (struct progress *progress,
                      uint64_t done, uint64_t total);

/* Take the bar off the terminal: before other output, and at the end.  It
 * comes back with the next update. */
void progress_hide (struct progress *progress);

#endif /* VDISK_PROGRESS_H */
