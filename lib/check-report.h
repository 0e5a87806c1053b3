/* SPDX-License-Identifier: BSD-3-Clause */
/* A check under way: what drivers report findings and progress to. */

#ifndef VDISK_CHECK_REPORT_H
#define VDISK_CHECK_REPORT_H

#include "vdisk.h"

struct check_report {
  struct vdisk_check *check;            /* drivers count clusters here;
                                           report_finding counts findings */
  vdisk_finding_callback *finding_callback;
  vdisk_progress_callback *progress_callback;
  void *opaque;
  const struct vdisk_options *options;  /* of the handle; may be NULL */
  const char *file;
};

/* Count a finding and report it.  Bytes that are not printable are escaped. */
void report_finding (struct check_report *report, enum vdisk_finding finding,
                     const char *format, ...)
  __attribute__ ((format (printf, 3, 4)));

/* Report how far the check has come.  -1 with ECANCELED if the caller wants
 * it to stop, or has cancelled all. */
int report_progress (struct check_report *report, uint64_t done, uint64_t total,
                     struct vdisk_error *error);

#endif /* VDISK_CHECK_REPORT_H */
