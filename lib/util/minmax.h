/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef VDISK_MINMAX_H
#define VDISK_MINMAX_H

#include <stdint.h>

static inline uint64_t
min_u64 (uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

static inline uint64_t
max_u64 (uint64_t a, uint64_t b)
{
  return a > b ? a : b;
}

#endif /* VDISK_MINMAX_H */
