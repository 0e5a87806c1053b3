/* SPDX-License-Identifier: BSD-3-Clause */
/* Files in a directory whose names differ from one in no more than case, as
 * on Windows none may.
 */

#ifndef VDISK_CASE_NAMES_H
#define VDISK_CASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* More of them are counted only. */
#define CASE_NAMES_MAX 4

struct case_names {
  char *names[CASE_NAMES_MAX];  /* sorted; owned */
  size_t count;
};

/* Find what is called 'name', but for case, and is no directory.  -1 with
 * errno set if the directory cannot be read; the names are to be freed in any
 * case. */
int case_names_find (struct case_names *found, const char *directory,
                     const char *name);

void case_names_free (struct case_names *found);

#endif /* VDISK_CASE_NAMES_H */
