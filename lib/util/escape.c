/* SPDX-License-Identifier: BSD-3-Clause */
/* Escaping of text from outside, and its reverse. */

#include "util/escape.h"

#include <string.h>

#include "util/utf8.h"

static const char hex[] = "0123456789abcdef";

size_t
escape_first (char *to, const char *bytes, size_t length, size_t *used)
{
  const size_t size = utf8_printable (bytes, length);
  const unsigned char c = *bytes;

  *used = size > 0 ? size : 1;
  if (size == 0) {
    to[0] = '\\';
    to[1] = 'x';
    to[2] = hex[c >> 4];
    to[3] = hex[c & 15];
    return 4;
  }
  memcpy (to, bytes, size);
  if (c != '\\')
    return size;
  to[1] = '\\';
  return 2;
}

size_t
escape_text (char *to, size_t size, const char *bytes, size_t length)
{
  size_t put, used, total = 0;
  char one[4];

  for (; length > 0; bytes += used, length -= used) {
    put = escape_first (one, bytes, length, &used);
    if (put >= size - total)
      break;
    memcpy (to + total, one, put);
    total += put;
  }
  to[total] = '\0';
  return total;
}

char *
escape_undo (char *to, const char *text)
{
  char *p = to;

  while (*text) {
    if (text[0] != '\\')
      *p++ = *text++;
    else if (text[1] != 'x') {
      *p++ = '\\';
      text += text[1] == '\\' ? 2 : 1;
    }
    else {
      const char *high = strchr (hex, text[2]);
      const char *low = text[2] ? strchr (hex, text[3]) : NULL;

      if (high == NULL || low == NULL || text[3] == '\0')
        break;
      *p++ = (high - hex) << 4 | (low - hex);
      text += 4;
    }
  }
  *p = '\0';
  return to;
}
