/* SPDX-License-Identifier: BSD-3-Clause */
/* Paths of destinations: a file that is to be made is at none yet, so that
 * realpath does not know it, and its name may be a symbolic link all the
 * same.
 */

#include "export/sink-path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

/* As many as the kernel follows. */
#define LINKS_MAX 40

char *
sink_path_beside (const char *path, const char *name)
{
  const char *slash = strrchr (path, '/');
  char *beside;

  if (name[0] == '/' || slash == NULL)
    return strdup (name);
  return asprintf (&beside, "%.*s%s", (int) (slash + 1 - path), path,
                   name) == -1 ? NULL : beside;
}

/* The path without symbolic links but in its last part. */
static char *
path_in_directory (const char *path)
{
  const char *slash = strrchr (path, '/');
  CLEANUP_FREE char *parent = slash ? strndup (path, slash + 1 - path)
    : strdup (".");
  CLEANUP_FREE char *directory = parent ? realpath (parent, NULL) : NULL;
  char *real;

  if (directory == NULL ||
      asprintf (&real, "%s/%s", strcmp (directory, "/") == 0 ? "" : directory,
                slash ? slash + 1 : path) == -1)
    return NULL;
  return real;
}

char *
sink_path_follow (const char *path)
{
  char target[PATH_MAX], *real = path_in_directory (path), *next;
  unsigned links;
  ssize_t n;

  for (links = 0; real; ++links) {
    n = readlink (real, target, sizeof target - 1);
    if (n == -1)                /* no link, or nothing */
      return real;
    target[n] = '\0';
    next = sink_path_beside (real, target);
    free (real);
    if (links == LINKS_MAX) {
      free (next);
      errno = ELOOP;
      return NULL;
    }
    real = next ? path_in_directory (next) : NULL;
    free (next);
  }
  return NULL;
}
