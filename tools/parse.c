/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers of bytes. */

#include "parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool
parse_bytes (const char *text, uint64_t *bytes)
{
  static const char suffixes[] = "kMGT";
  const char *suffix;
  char *end;

  /* strtoull would take spaces and signs. */
  if (*text < '0' || *text > '9')
    return false;
  errno = 0;
  *bytes = strtoull (text, &end, 10);
  if (errno != 0)
    return false;
  if (*end == '\0')
    return true;
  suffix = strchr (suffixes, *end == 'K' ? 'k' : *end);
  if (suffix == NULL || end[1] != '\0')
    return false;
  return !__builtin_mul_overflow (*bytes, UINT64_C (1024) <<
                                  10 * (suffix - suffixes), bytes);
}
