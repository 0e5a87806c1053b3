/* SPDX-License-Identifier: BSD-3-Clause */
/* Passing on what a check finds. */

#include "check-report.h"

#include <stdarg.h>
#include <stdio.h>

#include "cancel.h"
#include "util/error.h"

void
report_finding (struct check_report *report, enum vdisk_finding finding,
                const char *format, ...)
{
  struct vdisk_error printable = { 0 };
  va_list args;

  switch (finding) {
  case VDISK_ERROR: report->check->errors++; break;
  case VDISK_LEAK: report->check->leaks++; break;
  case VDISK_WARNING: report->check->warnings++; break;
  }
  if (report->finding_callback == NULL)
    return;
  va_start (args, format);
  error_vrecord (&printable, EINVAL, format, args);
  va_end (args);
  report->finding_callback (report->opaque, finding, printable.message);
}

int
report_progress (struct check_report *report, uint64_t done, uint64_t total,
                 struct vdisk_error *error)
{
  if (report->progress_callback &&
      report->progress_callback (report->opaque, done, total) != 0)
    return error_set (error, ECANCELED, "the check was stopped");
  return cancel_check (report->options, report->file, error);
}
