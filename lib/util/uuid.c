/* SPDX-License-Identifier: BSD-3-Clause */
/* UUIDs as text. */

#include "util/uuid.h"

#include <string.h>

static int
hex_digit (char c)
{
  static const char digits[] = "0123456789abcdefABCDEF";
  const char *found = c ? strchr (digits, c) : NULL;

  if (found == NULL)
    return -1;
  return found - digits < 16 ? found - digits : found - digits - 6;
}

bool
uuid_parse (const char *text, uint8_t uuid[16])
{
  size_t i;

  for (i = 0; i < 16; ++i) {
    int high, low;

    if (i == 4 || i == 6 || i == 8 || i == 10)
      if (*text++ != '-')
        return false;
    high = hex_digit (text[0]);
    low = high == -1 ? -1 : hex_digit (text[1]);
    if (low == -1)
      return false;
    uuid[i] = high << 4 | low;
    text += 2;
  }
  return *text == '\0';
}
