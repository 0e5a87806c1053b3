/* SPDX-License-Identifier: BSD-3-Clause */
/* Arithmetic that cannot wrap. */

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

/* The sum, or as much as there can be. */
static inline uint64_t
add_up_to_max (uint64_t a, uint64_t b)
{
  uint64_t sum;

  return __builtin_add_overflow (a, b, &sum) ? UINT64_MAX : sum;
}

#endif /* VDISK_CHECKED_H */
