/* SPDX-License-Identifier: BSD-3-Clause */
/* A file system where space is to be found before it is written, for
 * LD_PRELOAD: every one seems to be ext4, and fallocate finds none, but
 * writes down what it was asked for.
 *
 * VDISK_ALLOCATE is an errno that all calls fail with, or 0.  Each takes
 * VDISK_ALLOCATE_US microseconds.  The file VDISK_ALLOCATE_LOG gets a line
 * "OFFSET LENGTH" for each.
 */

#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#define REAL(name) ((__typeof__ (&name)) dlsym (RTLD_NEXT, #name))

#define FSTATFS(name, type)                     \
  int                                           \
  name (int fd, struct type *fs)                \
  {                                             \
    int r = REAL (name) (fd, fs);               \
                                                \
    fs->f_type = EXT4_SUPER_MAGIC;              \
    return r;                                   \
  }

FSTATFS (fstatfs, statfs)
FSTATFS (fstatfs64, statfs64)

#define FALLOCATE(name, type)                                           \
  int                                                                   \
  name (int fd, int mode, type offset, type length)                     \
  {                                                                     \
    char line[64];                                                      \
    int n = snprintf (line, sizeof line, "%lld %lld\n",                 \
                      (long long) offset, (long long) length);          \
    int log = open (getenv ("VDISK_ALLOCATE_LOG"),                      \
                    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);   \
                                                                        \
    (void) fd;                                                          \
    (void) mode;                                                        \
    if (log == -1 || write (log, line, n) != n)                         \
      abort ();                                                         \
    close (log);                                                        \
    usleep (atoi (getenv ("VDISK_ALLOCATE_US")));                       \
    errno = atoi (getenv ("VDISK_ALLOCATE"));                           \
    return errno ? -1 : 0;                                              \
  }

FALLOCATE (fallocate, off_t)
FALLOCATE (fallocate64, off64_t)
