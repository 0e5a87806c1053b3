/* SPDX-License-Identifier: BSD-3-Clause */
/* The directory is opened first, the file in it, and the kernel asked for
 * the directory's path.  To resolve the path of the file before or after
 * opening it would be to ask twice, and to get two answers if somebody
 * exchanges a part of it for a symbolic link in between.
 */

#include "source/open-in.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

/* Without /proc the path is resolved again, and has to lead to the same
 * directory. */
static char *
resolve_again (int fd, const char *path)
{
  char *real = realpath (path, NULL);
  struct stat now, opened;

  if (real && stat (real, &now) == 0 && fstat (fd, &opened) == 0 &&
      now.st_dev == opened.st_dev && now.st_ino == opened.st_ino)
    return real;
  if (real)
    errno = ESTALE;
  free (real);
  return NULL;
}

static char *
path_of_directory (int fd, const char *path)
{
  char link[64], real[PATH_MAX];
  ssize_t length;

  snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  length = readlink (link, real, sizeof real);
  if (length > 0 && (size_t) length < sizeof real && real[0] == '/')
    return strndup (real, length);
  return resolve_again (fd, path);
}

static int
open_below (const char *path, const char *name, int flags, char **directory)
{
  int parent = TEMP_FAILURE_RETRY (open (path, O_PATH | O_DIRECTORY |
                                         O_CLOEXEC));
  int fd = -1, saved;

  if (parent == -1)
    return -1;
  *directory = path_of_directory (parent, path);
  if (*directory) {
    fd = TEMP_FAILURE_RETRY (openat (parent, name, flags));
    if (fd == -1) {
      saved = errno;
      free (*directory);
      *directory = NULL;
      errno = saved;
    }
  }
  saved = errno;
  close (parent);
  errno = saved;
  return fd;
}

int
open_in_directory (const char *path, int flags, char **directory)
{
  const char *slash = strrchr (path, '/');
  CLEANUP_FREE char *parent = NULL;

  *directory = NULL;
  if (slash == NULL)
    return open_below (".", path, flags, directory);
  /* The name of a directory may end in a slash. */
  if (slash[1] == '\0')
    return open_below (path, ".", flags, directory);
  parent = strndup (path, slash - path + 1);
  if (parent == NULL)
    return -1;
  return open_below (parent, slash + 1, flags, directory);
}
