/* SPDX-License-Identifier: BSD-3-Clause */
/* "Did you mean": which of the known words somebody had in mind who typed
 * another one.
 *
 *   suggestion_start (&suggestion, typed);
 *   for (...)
 *     suggestion_consider (&suggestion, known[i]);
 *   error_record (error, EINVAL, "there is no %s%s", typed,
 *                 suggestion_text (&suggestion));
 */

#ifndef VDISK_SUGGESTION_H
#define VDISK_SUGGESTION_H

struct suggestion {
  const char *word;             /* what was typed */
  const char *best;             /* the nearest known word, or NULL */
  unsigned distance;            /* less than this is nearer */
  char text[64];
};

void suggestion_start (struct suggestion *suggestion, const char *word);

/* It may be 'known' if at most one character in three is wrong (added,
 * left out, another one, or exchanged with its neighbour), without regard
 * to case. */
void suggestion_consider (struct suggestion *suggestion, const char *known);

/* "; did you mean 'KNOWN'?", or "" if no known word is close. */
const char *suggestion_text (struct suggestion *suggestion);

/* All of it for an array that ends in NULL. */
const char *suggestion_among (struct suggestion *suggestion,
                              const char *word, const char *const *words);

#endif /* VDISK_SUGGESTION_H */
