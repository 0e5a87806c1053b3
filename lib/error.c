/* SPDX-License-Identifier: BSD-3-Clause */
/* Recording the first error of a call, in printable form. */

#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/utf8.h"

void
error_clear (struct vdisk_error *error)
{
  if (error) {
    error->errnum = 0;
    error->message[0] = '\0';
  }
}

/* Copy text as much as fits.  Bytes that are no printable character of
 * UTF-8 are escaped. */
static void
copy_printable (char *to, size_t size, const char *text)
{
  static const char hex[] = "0123456789abcdef";
  size_t used = 0;

  while (*text) {
    const size_t length = utf8_printable (text);
    const unsigned char c = *text;

    if (size - used <= (length ? length : 4))
      break;
    if (length) {
      memcpy (to + used, text, length);
      used += length;
      text += length;
    }
    else {
      to[used++] = '\\';
      to[used++] = 'x';
      to[used++] = hex[c >> 4];
      to[used++] = hex[c & 15];
      text++;
    }
  }
  to[used] = '\0';
}

void
error_record (struct vdisk_error *error, int errnum, const char *format, ...)
{
  char text[sizeof error->message];
  va_list args;

  if (error == NULL || error->errnum != 0)
    return;

  va_start (args, format);
  vsnprintf (text, sizeof text, format, args);
  va_end (args);

  error->errnum = errnum ? errnum : EIO;
  copy_printable (error->message, sizeof error->message, text);
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
  copy_printable (error->message + length, sizeof error->message - length,
                  text);
}
