/* SPDX-License-Identifier: BSD-3-Clause */
/* Debug messages: what the library does, for whoever wonders.  Without a
 * callback for them nothing is formatted, and no clock is read.
 */

#ifndef VDISK_DEBUG_H
#define VDISK_DEBUG_H

#include <stdint.h>

#include "options.h"

/* Tell something.  The text is escaped.  'options' may be NULL. */
void debug_message (const struct vdisk_options *options,
                    const char *format, ...)
  __attribute__ ((format (printf, 2, 3)));

/* Nanoseconds since some moment. */
uint64_t debug_now (void);

/* When a request begins; 0 if nobody wants to know how long it takes. */
static inline uint64_t
debug_clock (const struct vdisk_options *options)
{
  return options->slow_milliseconds > 0 ? debug_now () : 0;
}

/* A request, such as a "read" of 'file', that began at 'since' ends: tell it
 * if it was slow. */
void debug_slow (const struct vdisk_options *options, uint64_t since,
                 const char *file, const char *request, uint64_t count,
                 uint64_t offset);

#endif /* VDISK_DEBUG_H */
