/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON strings of bytes that need be no UTF-8. */

#include "util/escape-json.h"

#include <stdlib.h>

#include "util/cleanup.h"
#include "util/escape.h"

json_t *
escape_json (const char *bytes, size_t length)
{
  const size_t size = ESCAPED_SIZE (length);
  CLEANUP_FREE char *escaped = malloc (size);

  if (escaped == NULL)
    return NULL;
  return json_stringn_nocheck (escaped, escape_text (escaped, size, bytes,
                                                     length));
}
