/* SPDX-License-Identifier: BSD-3-Clause */
/* Passing on what a check finds. */

#include "finder.h"

#include <stdarg.h>
#include <stdio.h>

#include "util/error.h"

void
finder_add (struct finder *finder, enum vdisk_finding finding,
            const char *format, ...)
{
  struct vdisk_error printable = { 0 };
  char text[sizeof printable.message];
  va_list args;

  switch (finding) {
  case VDISK_ERROR: finder->check->errors++; break;
  case VDISK_LEAK: finder->check->leaks++; break;
  case VDISK_WARNING: finder->check->warnings++; break;
  }
  if (finder->finding_callback == NULL)
    return;
  va_start (args, format);
  vsnprintf (text, sizeof text, format, args);
  va_end (args);
  error_record (&printable, EINVAL, "%s", text);
  finder->finding_callback (finder->opaque, finding, printable.message);
}

int
finder_progress (struct finder *finder, uint64_t done, uint64_t total,
                 struct vdisk_error *error)
{
  if (finder->progress_callback &&
      finder->progress_callback (finder->opaque, done, total) != 0)
    return error_set (error, ECANCELED, "the check was stopped");
  return 0;
}
