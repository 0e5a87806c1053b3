/* SPDX-License-Identifier: BSD-3-Clause */
/* Recording the first error of a call, in printable form. */

#include "util/error.h"

#include <stdio.h>
#include <string.h>

#include "util/escape.h"

void
error_clear (struct vdisk_error *error)
{
  if (error) {
    error->errnum = 0;
    error->message[0] = '\0';
  }
}

void
error_vrecord (struct vdisk_error *error, int errnum, const char *format,
               va_list args)
{
  char text[sizeof error->message];

  if (error == NULL || error->errnum != 0)
    return;
  vsnprintf (text, sizeof text, format, args);
  error->errnum = errnum ? errnum : EIO;
  escape_text (error->message, sizeof error->message, text, strlen (text));
}

void
error_record (struct vdisk_error *error, int errnum, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  error_vrecord (error, errnum, format, args);
  va_end (args);
}

void
error_add (struct vdisk_error *error, const char *format, ...)
{
  char text[sizeof error->message];
  size_t length;
  va_list args;

  if (error == NULL || error->errnum == 0)
    return;

  va_start (args, format);
  vsnprintf (text, sizeof text, format, args);
  va_end (args);

  length = strlen (error->message);
  escape_text (error->message + length, sizeof error->message - length, text,
               strlen (text));
}
