/* SPDX-License-Identifier: BSD-3-Clause */
/* Rounding to powers of two, and their logarithms. */

#ifndef VDISK_ALIGN_H
#define VDISK_ALIGN_H

#include <stdbool.h>
#include <stdint.h>

static inline bool
is_power_of_2 (uint64_t n)
{
  return n != 0 && (n & (n - 1)) == 0;
}

/* The alignment must be a power of two. */
static inline bool
is_aligned (uint64_t n, uint64_t alignment)
{
  return (n & (alignment - 1)) == 0;
}

static inline uint64_t
round_down (uint64_t n, uint64_t alignment)
{
  return n & ~(alignment - 1);
}

/* The caller knows that the result fits. */
static inline uint64_t
round_up (uint64_t n, uint64_t alignment)
{
  return (n + alignment - 1) & ~(alignment - 1);
}

static inline uint64_t
divide_up (uint64_t n, uint64_t divisor)
{
  return n / divisor + (n % divisor != 0);
}

/* log2 of a power of two. */
static inline unsigned
log2_of (uint64_t n)
{
  return __builtin_ctzll (n);
}

#endif /* VDISK_ALIGN_H */
