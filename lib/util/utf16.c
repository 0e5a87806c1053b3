/* SPDX-License-Identifier: BSD-3-Clause */
/* UTF-16 to UTF-8, by the Unicode Standard, section 3.9. */

#include "util/utf16.h"

#include <stdint.h>

#define BYTE_ORDER_MARK 0xfeff
#define BYTE_ORDER_MARK_SWAPPED 0xfffe

/* What next_character returns besides characters. */
#define INVALID UINT32_MAX
#define END 0

struct reader {
  const uint8_t *at, *end;
  bool big_endian;
};

static uint32_t
next_unit (struct reader *reader)
{
  const uint8_t *p = reader->at;

  if (p == reader->end)
    return END;
  if (reader->end - p < 2)
    return INVALID;
  reader->at += 2;
  return reader->big_endian ? p[0] << 8 | p[1] : p[1] << 8 | p[0];
}

static bool
is_high_surrogate (uint32_t unit)
{
  return unit >= 0xd800 && unit < 0xdc00;
}

static bool
is_low_surrogate (uint32_t unit)
{
  return unit >= 0xdc00 && unit < 0xe000;
}

static uint32_t
next_character (struct reader *reader)
{
  const uint32_t unit = next_unit (reader);
  uint32_t low;

  if (is_low_surrogate (unit))
    return INVALID;
  if (!is_high_surrogate (unit))
    return unit;
  low = next_unit (reader);
  if (!is_low_surrogate (low))
    return INVALID;
  return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

/* Returns how many bytes it takes, which are at most 4. */
static size_t
encode (uint32_t character, char *to)
{
  size_t length, i;

  if (character < 0x80) {
    to[0] = character;
    return 1;
  }
  length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
  for (i = length - 1; i > 0; --i) {
    to[i] = 0x80 | (character & 0x3f);
    character >>= 6;
  }
  /* As many bits set as there are bytes, then a 0. */
  to[0] = (0xf00 >> length) | character;
  return length;
}

static void
skip_byte_order_mark (struct reader *reader)
{
  struct reader ahead = *reader;
  const uint32_t unit = next_unit (&ahead);

  if (unit == BYTE_ORDER_MARK || unit == BYTE_ORDER_MARK_SWAPPED) {
    *reader = ahead;
    reader->big_endian ^= unit == BYTE_ORDER_MARK_SWAPPED;
  }
}

ssize_t
utf16_to_utf8 (const void *from, size_t size, bool big_endian,
               char *to, size_t to_size)
{
  struct reader reader = {
    .at = from, .end = (const uint8_t *) from + size,
    .big_endian = big_endian,
  };
  size_t used = 0;
  uint32_t c;

  skip_byte_order_mark (&reader);
  while ((c = next_character (&reader)) != END) {
    char bytes[4];
    size_t length, i;

    if (c == INVALID)
      return -1;
    length = encode (c, bytes);
    if (length >= to_size - used)
      return -1;
    for (i = 0; i < length; ++i)
      to[used++] = bytes[i];
  }
  to[used] = '\0';
  return used;
}
