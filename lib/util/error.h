/* SPDX-License-Identifier: BSD-3-Clause */
/* Errors are values the caller owns (struct vdisk_error in vdisk.h).  The
 * first error set wins, so that a function may go on cleaning up, or add
 * a poorer message, without hiding the cause.
 */

#ifndef VDISK_ERROR_H
#define VDISK_ERROR_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>

#include "util/escape.h"
#include "vdisk.h"

/* Make 'error' say that nothing is wrong. */
void error_clear (struct vdisk_error *error);

/* Record an error unless one is recorded already.  'error' may be NULL.
 * The text is escaped (see util/escape.h), since names come from images. */
void error_record (struct vdisk_error *error, int errnum,
                   const char *format, ...)
  __attribute__ ((format (printf, 3, 4)));

/* The same with the arguments of whoever is called with a format. */
void error_vrecord (struct vdisk_error *error, int errnum,
                    const char *format, va_list args)
  __attribute__ ((format (printf, 3, 0)));

/* Add to the message of an error that is recorded, as much as fits. */
void error_add (struct vdisk_error *error, const char *format, ...)
  __attribute__ ((format (printf, 2, 3)));

/* The same as error_record, as an expression that is -1 for the caller to
 * return.  (A macro, so that the compiler sees that it is.) */
#define error_set(...) (error_record (__VA_ARGS__), error_minus_1 ())

static inline int
error_minus_1 (void)
{
  return -1;
}

/* error_set for failing allocations. */
#define error_no_memory(error, what) \
  error_set ((error), ENOMEM, "%s: out of memory", (what))

/* Did something fail because a server does not answer, or because all was
 * cancelled?  Then nothing else is to be tried: it would take as long
 * again. */
static inline bool
error_ends_call (const struct vdisk_error *error)
{
  return error->errnum == ETIMEDOUT || error->errnum == ECANCELED;
}

/* The message as it was before it was escaped, to be part of another one,
 * which will be.  It lives as long as the block around. */
#define error_raw(error) \
  escape_undo ((char [sizeof (error)->message]) { 0 }, (error)->message)

#endif /* VDISK_ERROR_H */
