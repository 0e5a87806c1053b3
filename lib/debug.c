/* SPDX-License-Identifier: BSD-3-Clause */
/* Handing debug messages to the caller of vdisk_open. */

#include "debug.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "util/error.h"

#define NANOSECONDS_PER_MILLISECOND 1000000

void
debug_message (const struct vdisk_options *options, const char *format, ...)
{
  struct vdisk_error printable = { 0 };
  va_list args;

  if (options == NULL || options->debug_callback == NULL)
    return;
  va_start (args, format);
  error_vrecord (&printable, EINVAL, format, args);
  va_end (args);
  options->debug_callback (options->debug_opaque, printable.message);
}

uint64_t
debug_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

void
debug_slow (const struct vdisk_options *options, uint64_t since,
            const char *file, const char *request, uint64_t count,
            uint64_t offset)
{
  uint64_t took;

  if (since == 0)
    return;
  took = (debug_now () - since) / NANOSECONDS_PER_MILLISECOND;
  if (took >= options->slow_milliseconds)
    debug_message (options, "%s: %s of %" PRIu64 " bytes at offset %" PRIu64
                   " took %" PRIu64 " ms", file, request, count, offset,
                   took);
}
