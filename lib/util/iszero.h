/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef VDISK_ISZERO_H
#define VDISK_ISZERO_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* True if all bytes are zero.  (If the first few are, and each other byte
 * equals the one so many before it.) */
static inline bool
is_zero (const void *bytes, size_t size)
{
  static const char zeros[16];

  if (size <= sizeof zeros)
    return memcmp (bytes, zeros, size) == 0;
  return memcmp (bytes, zeros, sizeof zeros) == 0 &&
    memcmp (bytes, (const char *) bytes + sizeof zeros,
            size - sizeof zeros) == 0;
}

#endif /* VDISK_ISZERO_H */
