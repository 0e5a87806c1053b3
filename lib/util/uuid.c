/* SPDX-License-Identifier: BSD-3-Clause */
/* UUIDs as text. */

#include "util/uuid.h"

#include <string.h>

#include "util/hex.h"

bool
uuid_parse (const char *text, uint8_t uuid[16])
{
  size_t i;

  for (i = 0; i < 16; ++i) {
    int value;

    if (i == 4 || i == 6 || i == 8 || i == 10)
      if (*text++ != '-')
        return false;
    value = hex_byte (text);
    if (value == -1)
      return false;
    uuid[i] = value;
    text += 2;
  }
  return *text == '\0';
}

bool
uuid_is_null (const uint8_t uuid[16])
{
  static const uint8_t null[16];

  return memcmp (uuid, null, sizeof null) == 0;
}

const char *
uuid_text (const uint8_t uuid[16], char text[UUID_TEXT_SIZE])
{
  char *to = text;
  size_t i;

  for (i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      *to++ = '-';
    hex_from_bytes (to, &uuid[i], 1);
    to += 2;
  }
  return text;
}
