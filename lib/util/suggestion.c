/* SPDX-License-Identifier: BSD-3-Clause */
/* The distance between words is that of Damerau and Levenshtein, in its
 * form for words of which no part is edited twice ("optimal string
 * alignment").  A word longer than all known ones is close to none, so that
 * the table is small whatever somebody types.
 */

#include "util/suggestion.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define WORD_MAX 32

static int
lower (char c)
{
  return tolower ((unsigned char) c);
}

static unsigned
least (unsigned a, unsigned b)
{
  return a < b ? a : b;
}

/* Of words of at most WORD_MAX characters. */
static unsigned
distance (const char *a, const char *b)
{
  const size_t a_length = strlen (a), b_length = strlen (b);
  unsigned d[WORD_MAX + 1][WORD_MAX + 1];
  size_t i, j;

  for (i = 0; i <= a_length; ++i)
    d[i][0] = i;
  for (j = 0; j <= b_length; ++j)
    d[0][j] = j;
  for (i = 1; i <= a_length; ++i)
    for (j = 1; j <= b_length; ++j) {
      d[i][j] = least (least (d[i - 1][j], d[i][j - 1]) + 1,
                       d[i - 1][j - 1] +
                       (lower (a[i - 1]) != lower (b[j - 1])));
      if (i > 1 && j > 1 && lower (a[i - 1]) == lower (b[j - 2]) &&
          lower (a[i - 2]) == lower (b[j - 1]))
        d[i][j] = least (d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a_length][b_length];
}

void
suggestion_start (struct suggestion *suggestion, const char *word)
{
  const size_t length = strnlen (word, WORD_MAX + 1);

  suggestion->word = word;
  suggestion->best = NULL;
  suggestion->distance = length < 2 || length > WORD_MAX ? 0
    : length < 6 ? 2 : length / 3 + 1;
}

void
suggestion_consider (struct suggestion *suggestion, const char *known)
{
  unsigned d;

  if (suggestion->distance == 0 || strlen (known) > WORD_MAX)
    return;
  d = distance (suggestion->word, known);
  if (d < suggestion->distance) {
    suggestion->best = known;
    suggestion->distance = d;
  }
}

const char *
suggestion_text (struct suggestion *suggestion)
{
  suggestion->text[0] = '\0';
  if (suggestion->best)
    snprintf (suggestion->text, sizeof suggestion->text,
              "; did you mean '%s'?", suggestion->best);
  return suggestion->text;
}

const char *
suggestion_among (struct suggestion *suggestion, const char *word,
                  const char *const *words)
{
  suggestion_start (suggestion, word);
  for (; *words; ++words)
    suggestion_consider (suggestion, *words);
  return suggestion_text (suggestion);
}
