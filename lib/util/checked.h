/* SPDX-License-Identifier: BSD-3-Clause */
/* Bounds checks that cannot wrap. */

#ifndef VDISK_CHECKED_H
#define VDISK_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

/* True if [offset, offset + count) lies within [0, size). */
static inline bool
range_within (uint64_t offset, uint64_t count, uint64_t size)
{
  return offset <= size && count <= size - offset;
}

#endif /* VDISK_CHECKED_H */
