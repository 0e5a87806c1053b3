/* SPDX-License-Identifier: BSD-3-Clause */
/* The UUIDs of VHDs, by which footers and headers know each other: 16 bytes,
 * in the order in which they are written as text.
 */

#include "format/vhd/driver.h"

#include <stdio.h>
#include <string.h>

bool
vhd_uuid_is_null (const uint8_t *uuid)
{
  static const uint8_t null[16];

  return memcmp (uuid, null, sizeof null) == 0;
}

const char *
vhd_uuid_text (const uint8_t *uuid, char text[VHD_UUID_TEXT_SIZE])
{
  char *to = text;
  size_t i;

  for (i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      *to++ = '-';
    to += sprintf (to, "%02x", uuid[i]);
  }
  return text;
}
