/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading ahead: threads read the pieces of a disk, and do what else can
 * be done with each alone (inflate, compare, digest), while the caller
 * hands them on in the order in which it has asked for them.
 */

#ifndef VDISK_PIPELINE_H
#define VDISK_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vdisk.h"

struct pipeline;

/* A range of the guest disk. */
struct range {
  uint64_t offset, length;
};

/* Ranges are gathered in a piece as long as their number is below this. */
#define PIECE_RANGES_MAX 256

struct piece {
  struct range ranges[PIECE_RANGES_MAX];        /* ascending */
  unsigned range_count;
  uint64_t length;              /* of all ranges together */
  uint8_t *buffer;              /* pipeline_ops.buffer_size bytes */
  size_t size;                  /* how many of them are to be written: set
                                   by 'work', at first the length */
  void *extra;                  /* pipeline_ops.extra_size bytes */

  /* The pipeline's own. */
  bool done;
  int status;
  struct vdisk_error error;
};

struct pipeline_ops {
  /* The most that the ranges of a piece have in all, bytes. */
  size_t piece_length;
  /* Put one range in a piece, rather than as many as there is room for. */
  bool one_range;
  /* Bytes of a piece's buffer, and of what else 'work' leaves for
   * 'write'. */
  size_t buffer_size, extra_size;

  /* In one of the threads: fill the buffer.  -1 with an error. */
  int (*work) (void *opaque, struct piece *piece,
               struct vdisk_error *error);

  /* In the caller's thread, one piece after the other in their order:
   * hand it on.  -1 with an error. */
  int (*write) (void *opaque, struct piece *piece,
                struct vdisk_error *error);
};

/* 'threads' is at least 1.  NULL on error. */
struct pipeline *pipeline_new (const struct pipeline_ops *ops, void *opaque,
                               unsigned threads, struct vdisk_error *error);

/* Ask for a range, which is cut into pieces where it is too long for one.
 * May write pieces that were asked for before.  -1 with an error if one of
 * those has failed, or on an interrupt. */
int pipeline_put (struct pipeline *pipeline, uint64_t offset,
                  uint64_t length, struct vdisk_error *error);

/* Write all that is left. */
int pipeline_finish (struct pipeline *pipeline, struct vdisk_error *error);

/* End the threads, and forget what was not written.  Accepts NULL. */
void pipeline_free (struct pipeline *pipeline);

#endif /* VDISK_PIPELINE_H */
