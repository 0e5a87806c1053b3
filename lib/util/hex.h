/* SPDX-License-Identifier: BSD-3-Clause */
/* Hexadecimal digits. */

#ifndef VDISK_HEX_H
#define VDISK_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of a digit, of either case; -1 if it is none. */
static inline int
hex_digit (char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that two digits stand for; -1 if they do not.  The second is not
 * looked at if the first is none. */
static inline int
hex_byte (const char *text)
{
  const int high = hex_digit (text[0]);
  const int low = high == -1 ? -1 : hex_digit (text[1]);

  return low == -1 ? -1 : high << 4 | low;
}

/* Write two digits for each byte, and a NUL. */
static inline void
hex_from_bytes (char *text, const uint8_t *bytes, size_t count)
{
  static const char digits[] = "0123456789abcdef";

  while (count-- > 0) {
    *text++ = digits[*bytes >> 4];
    *text++ = digits[*bytes++ & 15];
  }
  *text = '\0';
}

/* The bytes of a text of two digits for each, and no more.  False if it is
 * none. */
static inline bool
hex_to_bytes (uint8_t *bytes, size_t count, const char *text)
{
  int value;

  for (; count > 0; --count, text += 2) {
    value = hex_byte (text);
    if (value == -1)
      return false;
    *bytes++ = value;
  }
  return *text == '\0';
}

#endif /* VDISK_HEX_H */
