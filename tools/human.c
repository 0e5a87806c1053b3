/* SPDX-License-Identifier: BSD-3-Clause */
/* Sizes for people. */

#include "human.h"

#include <stdio.h>

const char *
human_size (uint64_t bytes, char text[HUMAN_SIZE_MAX])
{
  static const char *const units[] = {
    "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"
  };
  unsigned unit = 0;
  uint64_t whole = bytes;
  unsigned hundredths;

  while (whole >= 1024) {
    whole >>= 10;
    unit++;
  }
  hundredths = unit == 0 ? 0
    : (bytes >> (10 * (unit - 1)) & 1023) * 100 / 1024;
  if (hundredths == 0 || whole >= 100)
    snprintf (text, HUMAN_SIZE_MAX, "%u %s", (unsigned) (whole % 1024), units[unit]);
  else if (whole >= 10 || hundredths % 10 == 0)
    snprintf (text, HUMAN_SIZE_MAX, "%u.%u %s", (unsigned) (whole % 1024),
              hundredths / 10, units[unit]);
  else
    snprintf (text, HUMAN_SIZE_MAX, "%u.%02u %s", (unsigned) (whole % 1024),
              hundredths, units[unit]);
  return text;
}
