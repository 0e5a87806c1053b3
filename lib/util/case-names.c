/* SPDX-License-Identifier: BSD-3-Clause */
/* Looking for a file as Windows does.
 *
 * Windows compares names by their upper case, a character at a time, by a
 * table that the volume has; Unicode's simple mappings are as good as that.
 * They must not depend on the language the program speaks: glibc has a
 * locale for that since 2.35, without which the letters of ASCII are all.
 */

#include "util/case-names.h"

#include <dirent.h>
#include <errno.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "util/minmax.h"
#include "util/utf8.h"

static uint32_t
upper_case (uint32_t c, locale_t locale)
{
  if (c < 0x80 || locale == (locale_t) 0)
    return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
  return towupper_l (c, locale);
}

/* Step over a character, or over a byte that is part of none. */
static uint32_t
next_character (const char **text, locale_t locale)
{
  uint32_t c;
  const size_t length = utf8_decode (*text, strlen (*text), &c);

  if (length > 0) {
    *text += length;
    return upper_case (c, locale);
  }
  c = UINT32_MAX - (uint8_t) **text;
  ++*text;
  return c;
}

static bool
is_same (const char *a, const char *b, locale_t locale)
{
  while (*a && *b)
    if (next_character (&a, locale) != next_character (&b, locale))
      return false;
  return *a == *b;
}

/* Keep the first by the order of their bytes, whatever that of the
 * directory is. */
static int
add (struct case_names *found, const char *name)
{
  const size_t kept = min_u64 (found->count++, CASE_NAMES_MAX);
  size_t at = kept;
  char *copy;

  while (at > 0 && strcmp (found->names[at - 1], name) > 0)
    at--;
  if (at == CASE_NAMES_MAX)
    return 0;
  copy = strdup (name);
  if (copy == NULL)
    return -1;
  if (kept == CASE_NAMES_MAX)
    free (found->names[kept - 1]);
  memmove (found->names + at + 1, found->names + at,
           (min_u64 (kept, CASE_NAMES_MAX - 1) - at) * sizeof *found->names);
  found->names[at] = copy;
  return 0;
}

static int
look_through (struct case_names *found, DIR *directory, const char *name,
              locale_t locale)
{
  const struct dirent *entry;

  while (errno = 0, (entry = readdir (directory)))
    if (entry->d_type != DT_DIR && is_same (entry->d_name, name, locale) &&
        add (found, entry->d_name) == -1) {
      errno = ENOMEM;
      return -1;
    }
  return errno == 0 ? 0 : -1;
}

int
case_names_find (struct case_names *found, const char *directory,
                 const char *name)
{
  DIR *stream = opendir (directory);
  locale_t locale;
  int r, saved;

  *found = (struct case_names) { .count = 0 };
  if (stream == NULL)
    return -1;
  locale = newlocale (LC_CTYPE_MASK, "C.UTF-8", (locale_t) 0);
  r = look_through (found, stream, name, locale);
  saved = errno;
  if (locale != (locale_t) 0)
    freelocale (locale);
  closedir (stream);
  errno = saved;
  return r;
}

void
case_names_free (struct case_names *found)
{
  size_t i;

  for (i = 0; i < found->count && i < CASE_NAMES_MAX; ++i)
    free (found->names[i]);
  *found = (struct case_names) { .count = 0 };
}
