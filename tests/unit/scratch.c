/* SPDX-License-Identifier: BSD-3-Clause */
/* A directory for the files a suite makes. */

#include "scratch.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[PATH_MAX];

void
scratch_setup (void)
{
  const char *parent = getenv ("TMPDIR");
  char template[PATH_MAX];

  snprintf (template, sizeof template, "%s/vdisk-unit-XXXXXX",
            parent && *parent ? parent : "/tmp");
  if (mkdtemp (template) == NULL || realpath (template, directory) == NULL) {
    perror (template);
    exit (EXIT_FAILURE);
  }
}

static int
remove_entry (const char *path, const struct stat *st, int type,
              struct FTW *ftw)
{
  (void) st;
  (void) type;
  (void) ftw;
  return remove (path);
}

void
scratch_teardown (void)
{
  nftw (directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *
scratch_directory (void)
{
  return directory;
}

const char *
scratch_path (const char *name)
{
  static char paths[8][2 * PATH_MAX];
  static unsigned next;
  char *path = paths[next++ % 8];

  snprintf (path, sizeof paths[0], "%s/%s", directory, name);
  return path;
}

const char *
scratch_write (const char *name, const void *bytes, size_t size)
{
  const char *path = scratch_path (name);
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  ck_assert_msg (fd >= 0, "%s cannot be made", path);
  if (size > 0)
    ck_assert_int_eq (write (fd, bytes, size), size);
  ck_assert_int_eq (close (fd), 0);
  return path;
}
