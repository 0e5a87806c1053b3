/* SPDX-License-Identifier: BSD-3-Clause */
/* A file server that copies by itself, for LD_PRELOAD: every file system
 * seems to be NFS, and copy_file_range does what VDISK_SERVER_COPY says:
 *
 *   all       copy all that was asked for
 *   short     copy half of it
 *   end       nothing, as at the end of the file
 *   ERRNO     the first four calls copy a half, the others fail with this
 *
 * For each call the file VDISK_SERVER_COPY_LOG gets a line with the number of
 * bytes that were copied.
 */

#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define REAL(name) ((__typeof__ (&name)) dlsym (RTLD_NEXT, #name))

#define FSTATFS(name, type)                     \
  int                                           \
  name (int fd, struct type *fs)                \
  {                                             \
    int r = REAL (name) (fd, fs);               \
                                                \
    fs->f_type = NFS_SUPER_MAGIC;               \
    return r;                                   \
  }

FSTATFS (fstatfs, statfs)
FSTATFS (fstatfs64, statfs64)

static void
log_bytes (ssize_t bytes)
{
  char line[32];
  int length = snprintf (line, sizeof line, "%zd\n", bytes > 0 ? bytes : 0);
  int fd = open (getenv ("VDISK_SERVER_COPY_LOG"),
                 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

  if (fd == -1 || write (fd, line, length) != length)
    abort ();
  close (fd);
}

static ssize_t
copy (int from, off64_t *from_offset, int to, off64_t *to_offset,
      size_t length)
{
  size_t done = 0;

  while (done < length) {
    char buffer[65536];
    const size_t left = length - done;
    const ssize_t n = pread64 (from, buffer,
                               left < sizeof buffer ? left : sizeof buffer,
                               *from_offset);

    if (n <= 0)
      break;
    if (pwrite64 (to, buffer, n, *to_offset) != n)
      abort ();
    *from_offset += n;
    *to_offset += n;
    done += n;
  }
  return done;
}

ssize_t
copy_file_range (int from, off64_t *from_offset, int to, off64_t *to_offset,
                 size_t length, unsigned flags)
{
  static unsigned calls;
  const char *how = getenv ("VDISK_SERVER_COPY");
  ssize_t r = -1;

  (void) flags;
  errno = atoi (how);
  if (strcmp (how, "end") == 0)
    r = 0;
  else if (strcmp (how, "all") == 0)
    r = copy (from, from_offset, to, to_offset, length);
  else if (strcmp (how, "short") == 0 ||
           __atomic_fetch_add (&calls, 1, __ATOMIC_RELAXED) < 4)
    r = copy (from, from_offset, to, to_offset, (length + 1) / 2);
  log_bytes (r);
  return r;
}
