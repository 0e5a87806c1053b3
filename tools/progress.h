/* SPDX-License-Identifier: BSD-3-Clause */
/* A progress bar on standard error, for work that takes a while and if
 * somebody is there to see it.
 */

#ifndef VDISK_PROGRESS_H
#define VDISK_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
  bool enabled;                 /* standard error is a terminal */
  bool visible;
  int permille;                 /* as it was drawn last */
  uint64_t start, drawn;        /* milliseconds, of some clock */
};

/* Start measuring.  Nothing is drawn in the first second. */
void progress_start (struct progress *progress);

/* So much is done of 'total'.  May be called as often as one likes. */
void progress_update (struct progress *progress,
                      uint64_t done, uint64_t total);

/* Take the bar off the terminal: before other output, and at the end.  It
 * comes back with the next update. */
void progress_hide (struct progress *progress);

#endif /* VDISK_PROGRESS_H */
