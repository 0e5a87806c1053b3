/* SPDX-License-Identifier: BSD-3-Clause */
/* Until when somebody waits for an NBD server. */

#ifndef VDISK_NBD_DEADLINE_H
#define VDISK_NBD_DEADLINE_H

#include <stdint.h>
#include <time.h>

#include "util/error.h"

/* Milliseconds since some moment: what deadlines are told by. */
static inline int64_t
nbd_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C (1000) + now.tv_nsec / 1000000;
}

/* Nothing has to be done by then. */
#define NBD_NO_DEADLINE INT64_MAX

/* Record that the server has not answered in so many milliseconds. */
static inline int
nbd_timed_out (unsigned limit, struct vdisk_error *error)
{
  return error_set (error, ETIMEDOUT, "the server has not answered in %g "
                    "seconds", limit / 1000.0);
}

#endif /* VDISK_NBD_DEADLINE_H */
