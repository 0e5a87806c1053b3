/* SPDX-License-Identifier: BSD-3-Clause */
/* Copying a range of an output to a sink: one way for all formats. */

#ifndef VDISK_EXPORT_COPY_H
#define VDISK_EXPORT_COPY_H

#include <stdint.h>

#include "vdisk.h"

struct digests;
struct sink;
struct vdisk_output;

struct copy {
  struct vdisk_output *output;
  struct sink *sink;            /* has begun */
  uint64_t start, end;          /* of the output */
  uint64_t sink_start;          /* which of its bytes is the sink's first */
  uint64_t before;              /* bytes that the sink has before that */
  unsigned threads;
  struct digests *digests;      /* of what is copied; NULL: none */

  /* Called now and then: everything before 'position' is written, and in
   * the digests; 'copied' bytes of it were no holes.  -1 with an error to
   * stop. */
  int (*advance) (void *opaque, uint64_t position, uint64_t copied,
                  struct vdisk_error *error);
  void *opaque;

  /* The copy's own. */
  uint64_t position, copied;
  struct pipeline *pipeline;
  struct vdisk_error why;
};

int copy_run (struct copy *copy, struct vdisk_error *error);

#endif /* VDISK_EXPORT_COPY_H */
