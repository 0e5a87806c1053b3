/* SPDX-License-Identifier: BSD-3-Clause */
/* Attributes that free a temporary when its scope ends. */

#ifndef VDISK_CLEANUP_H
#define VDISK_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

static inline void
cleanup_free (void *pointer)
{
  free (*(void **) pointer);
}

static inline void
cleanup_close (int *fd)
{
  if (*fd >= 0)
    close (*fd);
}

#define CLEANUP_FREE __attribute__ ((cleanup (cleanup_free)))
#define CLEANUP_CLOSE __attribute__ ((cleanup (cleanup_close)))

#endif /* VDISK_CLEANUP_H */
