/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a base is, seen from the destination: what a differencing VHD records
 * of its parent.
 */

#include "export/base-path.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "export/sink-path.h"
#include "util/cleanup.h"
#include "util/error.h"

/* Where the destination really is, also if its name is a link to elsewhere.
 * A stream is taken to become a file of the current directory. */
static char *
destination_directory (const struct export *export)
{
  const char *to = export->destination;
  CLEANUP_FREE char *file = NULL;
  const char *slash;

  if (to == NULL || strcmp (to, "-") == 0)
    return realpath (".", NULL);
  if (export->sink && export->sink->path)
    file = strdup (export->sink->path);
  else
    file = sink_path_follow (to);
  slash = file ? strrchr (file, '/') : NULL;
  if (slash == NULL)
    return NULL;
  return slash == file ? strdup ("/") : strndup (file, slash - file);
}

/* The path from a directory to a file, both absolute. */
static char *
relative_path (const char *directory, const char *file)
{
  size_t common = 0, i, ups = 0;
  char *path;

  /* How much both share, up to a slash. */
  for (i = 0; directory[i] == file[i] && file[i] != '\0'; ++i)
    if (file[i] == '/')
      common = i + 1;
  if (directory[i] == '\0' && file[i] == '/')
    common = i + 1;
  if (strcmp (directory, "/") == 0)
    common = 1;
  else if (common <= strlen (directory))
    for (ups = 1, i = common; directory[i] != '\0'; ++i)
      ups += directory[i] == '/';

  path = calloc (1, 3 * ups + strlen (file + common) + 1);
  if (path == NULL)
    return NULL;
  for (i = 0; i < ups; ++i)
    strcat (path, "../");
  return strcat (path, file + common);
}

char *
base_path (const struct export *export, struct vdisk_error *error)
{
  const char *name = vdisk_layer_file (export->base, 0);
  CLEANUP_FREE char *directory = destination_directory (export);
  CLEANUP_FREE char *file = directory ? realpath (name, NULL) : NULL;
  char *path = file ? relative_path (directory, file) : NULL;

  if (path && strlen (path) < PATH_MAX)
    return path;
  errno = path ? ENAMETOOLONG : errno;
  free (path);
  error_record (error, errno, "%s: the way from the destination to it: %s",
                name, strerror (errno));
  return NULL;
}
