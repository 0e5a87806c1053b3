/* SPDX-License-Identifier: BSD-3-Clause */
/* Escaping for XML.  File names are any bytes; XML 1.0 is Unicode, and
 * not all of that: what it does not have is not printable.
 */

#include "map/xml.h"

#include "util/escape.h"

#define ELLIPSIS "\xe2\x80\xa6"

/* Put the first character.  Returns how many bytes it has taken. */
static size_t
put_character (struct out *out, const char *text)
{
  char one[4];
  size_t used, put = escape_first (one, text, strlen (text), &used);

  if (*text == '<')
    out_text (out, "&lt;");
  else if (*text == '>')
    out_text (out, "&gt;");
  else if (*text == '&')
    out_text (out, "&amp;");
  else if (*text == '"')
    out_text (out, "&quot;");
  else
    out_bytes (out, one, put);
  return used;
}

static size_t
character_size (const char *text)
{
  char one[4];
  size_t used;

  escape_first (one, text, strlen (text), &used);
  return used;
}

static size_t
count_characters (const char *text)
{
  size_t n;

  for (n = 0; *text; ++n)
    text += character_size (text);
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
    if (count > max && i >= max / 2 && i <= count - max + max / 2)
      size = character_size (text);
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
