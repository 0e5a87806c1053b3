/* SPDX-License-Identifier: BSD-3-Clause */
/* Recording the first error of a call, in printable form. */

#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
error_clear (struct vdisk_error *error)
{
  if (error) {
    error->errnum = 0;
    error->message[0] = '\0';
  }
}

/* Copy text with control bytes escaped, as much as fits.  Bytes from 0x80
 * up pass: they are letters of names in UTF-8. */
static void
copy_printable (char *to, size_t size, const char *text)
{
  static const char hex[] = "0123456789abcdef";
  size_t used = 0;

  for (; *text; text++) {
    unsigned char c = *text;

    if (c >= 0x20 && c != 0x7f) {
      if (size - used < 2)
        break;
      to[used++] = c;
    }
    else {
      if (size - used < 5)
        break;
      to[used++] = '\\';
      to[used++] = 'x';
      to[used++] = hex[c >> 4];
      to[used++] = hex[c & 15];
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
