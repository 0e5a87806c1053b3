/* SPDX-License-Identifier: BSD-3-Clause */
/* Cancelling all that is done with a handle: a flag that is looked at before
 * and between pieces of work, and a descriptor for whoever waits for a
 * server.  It is for good.
 */

#ifndef VDISK_CANCEL_H
#define VDISK_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "options.h"

struct cancel {
  _Atomic bool is_set;
  int fd;                       /* -1: nobody wants to wait for it */
};

void cancel_init (struct cancel *cancel);
void cancel_destroy (struct cancel *cancel);

/* A descriptor that can be read once it is set: made by the first call,
 * which must come while the handle is being opened.  -1 on error. */
int cancel_descriptor (struct cancel *cancel, struct vdisk_error *error);

/* Cancel.  A signal handler may do so. */
void cancel_set (struct cancel *cancel);

/* Has the handle that these options belong to been cancelled?  They may be
 * NULL, or a caller's. */
static inline bool
is_cancelled (const struct vdisk_options *options)
{
  return options && options->cancel &&
    atomic_load_explicit (&options->cancel->is_set, memory_order_relaxed);
}

/* Fail with ECANCELED if it has; 'file' is what is being worked on. */
int cancel_check (const struct vdisk_options *options, const char *file,
                  struct vdisk_error *error);

#endif /* VDISK_CANCEL_H */
