/* SPDX-License-Identifier: BSD-3-Clause */
/* Escaping for XML.  File names are any bytes; XML 1.0 is Unicode, and
 * not all of that.
 */

#include "map/xml.h"

#include <stdint.h>

#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS "\xe2\x80\xa6"

/* How many bytes the UTF-8 character at 'text' has if it is one that XML
 * allows; 0 if not. */
static size_t
character_size (const char *text)
{
  const unsigned char *s = (const unsigned char *) text;
  uint32_t c;
  size_t i, n;

  if (s[0] < 0x80)
    return s[0] >= 0x20 || s[0] == '\t' || s[0] == '\n' || s[0] == '\r';
  n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
  if (s[0] < 0xc2 || s[0] > 0xf4)
    return 0;
  c = s[0] & (0x7f >> n);
  for (i = 1; i < n; ++i) {
    if ((s[i] & 0xc0) != 0x80)
      return 0;
    c = c << 6 | (s[i] & 0x3f);
  }
  if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)))
    return 0;
  if ((c >= 0xd800 && c < 0xe000) || c == 0xfffe || c == 0xffff)
    return 0;
  return n;
}

/* Put the first character.  Returns how many bytes it has taken. */
static size_t
put_character (struct out *out, const char *text)
{
  const size_t size = character_size (text);

  if (size == 0)
    out_text (out, REPLACEMENT);
  else if (*text == '<')
    out_text (out, "&lt;");
  else if (*text == '>')
    out_text (out, "&gt;");
  else if (*text == '&')
    out_text (out, "&amp;");
  else if (*text == '"')
    out_text (out, "&quot;");
  else
    out_bytes (out, text, size);
  return size == 0 ? 1 : size;
}

static size_t
count_characters (const char *text)
{
  size_t n;

  for (n = 0; *text; ++n) {
    const size_t size = character_size (text);

    text += size == 0 ? 1 : size;
  }
  return n;
}

void
xml_put_shortened (struct out *out, const char *text, size_t max)
{
  const size_t count = count_characters (text);
  size_t i, size;

  for (i = 0; i < count; ++i, text += size) {
    if (count > max && i == max / 2)
      out_text (out, ELLIPSIS);
    if (count > max && i >= max / 2 && i <= count - max + max / 2) {
      size = character_size (text);
      size += size == 0;
    }
    else
      size = put_character (out, text);
  }
}

void
xml_put_text (struct out *out, const char *text)
{
  while (*text)
    text += put_character (out, text);
}
