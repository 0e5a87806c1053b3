/* SPDX-License-Identifier: BSD-3-Clause */
/* Which bytes of text from an image may be shown as they are: characters
 * in UTF-8 that do nothing to a terminal or to the order of a line.
 */

#ifndef VDISK_UTF8_H
#define VDISK_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the well-formed UTF-8 sequence (RFC 3629) that 'size'
 * bytes, at least 1, start with, and in *c its character.  0 if there is
 * none. */
static inline size_t
utf8_decode (const char *text, size_t size, uint32_t *c)
{
  static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
  const uint8_t *p = (const uint8_t *) text;
  const size_t length = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 :
    p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf8 ? 4 : 0;
  size_t i;

  if (length <= 1 || length > size) {
    *c = p[0];
    return length == 1;
  }
  *c = p[0] & (0x7f >> length);
  for (i = 1; i < length; ++i) {
    if ((p[i] & 0xc0) != 0x80)
      return 0;
    *c = *c << 6 | (p[i] & 0x3f);
  }
  if (*c < smallest[length] || *c > 0x10ffff ||
      (*c >= 0xd800 && *c < 0xe000))
    return 0;
  return length;
}

/* C0 and C1 controls (which terminals obey in UTF-8 too), separators of
 * lines, what turns the direction of text around, and two that are no
 * characters, and that XML cannot have. */
static inline bool
utf8_is_control (uint32_t c)
{
  return c < 0x20 || (c >= 0x7f && c < 0xa0) ||
    c == 0xfffe || c == 0xffff || c == 0x61c || c == 0x200e || c == 0x200f ||
    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* How many of 'size' bytes, at least 1, make a character that can be
 * shown.  0: the first byte has to be escaped. */
static inline size_t
utf8_printable (const char *text, size_t size)
{
  uint32_t c;
  const size_t length = utf8_decode (text, size, &c);

  return length > 0 && !utf8_is_control (c) ? length : 0;
}

#endif /* VDISK_UTF8_H */
