/* SPDX-License-Identifier: BSD-3-Clause */
/* Preloaded into nbdkit: what it would tell the system's log goes to the
 * file $SYSLOG_FILE, a line each with its priority.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void __syslog_chk (int priority, int flag, const char *format, ...)
  __attribute__ ((format (printf, 3, 4)));
void __vsyslog_chk (int priority, int flag, const char *format,
                    va_list args)
  __attribute__ ((format (printf, 3, 0)));

void
__vsyslog_chk (int priority, int flag, const char *format, va_list args)
{
  FILE *file = fopen (getenv ("SYSLOG_FILE"), "a");

  (void) flag;
  if (file == NULL)
    abort ();
  fprintf (file, "%d ", priority);
  vfprintf (file, format, args);
  fputc ('\n', file);
  fclose (file);
}

void
__syslog_chk (int priority, int flag, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  __vsyslog_chk (priority, flag, format, args);
  va_end (args);
}
