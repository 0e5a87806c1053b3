/* SPDX-License-Identifier: BSD-3-Clause */
/* From intervals, which are what an image's tables say, to the extents that
 * callers are told: these know the holes of the host files, too.  Reading
 * needs no such thing, since the holes of a file are read as zeros.
 */

#ifndef VDISK_EXTENTS_H
#define VDISK_EXTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "map/interval.h"
#include "vdisk.h"

struct chain;
struct source;

/* A report of extents.  Set the first four, the others to zeros. */
struct extents {
  const struct chain *chain;
  bool is_difference;
  vdisk_extent_callback *callback;
  void *opaque;
  unsigned flags;               /* VDISK_EXTENTS_* */

  /* With VDISK_EXTENTS_MERGED: what is not told yet, for it may go on.  Of
   * length 0: nothing. */
  struct vdisk_extent pending;

  /* What is known of the file asked last. */
  const struct source *source;
  uint64_t known_offset, known_end;
  enum vdisk_kind known_kind;
};

/* Call the callback for so many intervals.  0 to go on, 1 if the callback
 * wants no more, -1 on error: what was told until then is right. */
int extents_report (struct extents *extents,
                    const struct interval *intervals, size_t count,
                    struct vdisk_error *error);

/* After the last interval: tell what is pending.  1 if the callback wants no
 * more. */
int extents_finish (struct extents *extents);

#endif /* VDISK_EXTENTS_H */
