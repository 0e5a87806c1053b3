/* SPDX-License-Identifier: BSD-3-Clause */
/* Shares of large numbers, without numbers of 128 bits, which compilers for
 * processors of 32 bits do not have.
 */

#ifndef VDISK_SHARE_H
#define VDISK_SHARE_H

#include <stdint.h>

/* As much of 'of' as 'part' is of 'whole', rounded down: part * of / whole.
 * 'part' is at most 'whole', which is less than 2^63 and not 0. */
static inline uint64_t
share_of (uint64_t part, uint64_t whole, uint32_t of)
{
  uint64_t share = 0, rest = 0;
  int bit;

  for (bit = 31; bit >= 0; --bit) {
    rest *= 2;
    share = share * 2 + rest / whole;
    rest %= whole;
    if (of >> bit & 1) {
      rest += part;
      share += rest / whole;
      rest %= whole;
    }
  }
  return share;
}

#endif /* VDISK_SHARE_H */
