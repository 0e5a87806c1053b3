/* SPDX-License-Identifier: BSD-3-Clause */
/* A check under way: what drivers tell findings and progress to. */

#ifndef VDISK_FINDER_H
#define VDISK_FINDER_H

#include "vdisk.h"

struct finder {
  struct vdisk_check *check;            /* drivers count clusters here;
                                           finder_add counts findings */
  vdisk_finding_callback *finding_callback;
  vdisk_progress_callback *progress_callback;
  void *opaque;
};

/* Count a finding and tell it.  Bytes that are not printable are escaped. */
void finder_add (struct finder *finder, enum vdisk_finding finding,
                 const char *format, ...)
  __attribute__ ((format (printf, 3, 4)));

/* Tell how far the check has come.  -1 with ECANCELED if the caller wants
 * it to stop. */
int finder_progress (struct finder *finder, uint64_t done, uint64_t total,
                     struct vdisk_error *error);

#endif /* VDISK_FINDER_H */
