/* SPDX-License-Identifier: BSD-3-Clause */
/* A disk that fails, for LD_PRELOAD: makes pread, lseek, fstat, open,
 * fdatasync and fsync of some files fail while a control file says so.
 *
 * VDISK_FAULTS names the control file.  It is read again before each call:
 *
 *   CALL FAULT SKIP EVERY NAME
 *
 * CALL is one of these.  FAULT is the number of an errno, or
 * for pread "short" (a part of what was asked for, at least a byte) or
 * "end" (nothing, as at the end of the file).  The first SKIP calls
 * are spared; EVERY is how often one fails then, 1 is each time.  NAME is
 * what the file's path ends in.  An empty control file
 * makes nothing fail.  A byte is added to the file VDISK_FAULTS.count for
 * each fault.
 */

#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct control {
  char call[16], fault[16], name[256];
  unsigned skip, every;
};

/* System calls, so that nothing here is itself made to fail. */
static ssize_t
read_file (const char *path, char *text, size_t size)
{
  int fd = syscall (SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  ssize_t n;

  if (fd == -1)
    return -1;
  n = syscall (SYS_read, fd, text, size - 1);
  syscall (SYS_close, fd);
  text[n < 0 ? 0 : n] = '\0';
  return n;
}

static int
ends_in (const char *path, const char *end)
{
  const size_t length = strlen (path), part = strlen (end);

  return length >= part && strcmp (path + length - part, end) == 0;
}

static void
count_fault (const char *control)
{
  char path[PATH_MAX];
  int fd;

  snprintf (path, sizeof path, "%s.count", control);
  fd = syscall (SYS_openat, AT_FDCWD, path,
                O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd == -1 || syscall (SYS_write, fd, "x", 1) != 1)
    abort ();
  syscall (SYS_close, fd);
}

/* Is this call to fail?  Then 'control' says how. */
static int
fails (const char *call, const char *path, struct control *control)
{
  static unsigned calls;
  unsigned number;
  const char *file = getenv ("VDISK_FAULTS");
  char text[512];

  if (file == NULL || read_file (file, text, sizeof text) <= 0 ||
      sscanf (text, "%15s %15s %u %u %255s", control->call, control->fault,
              &control->skip, &control->every, control->name) != 5 ||
      strcmp (call, control->call) != 0 || !ends_in (path, control->name))
    return 0;
  number = __atomic_fetch_add (&calls, 1, __ATOMIC_RELAXED);
  if (number < control->skip || (number - control->skip) % control->every)
    return 0;
  count_fault (file);
  return 1;
}

static int
fd_fails (const char *call, int fd, struct control *control)
{
  char link[64], path[PATH_MAX];
  ssize_t n;

  snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  n = readlink (link, path, sizeof path - 1);
  if (n == -1)
    return 0;
  path[n] = '\0';
  return fails (call, path, control);
}

#define REAL(name) ((__typeof__ (&name)) dlsym (RTLD_NEXT, #name))

/* What pread does.  Returns how many bytes to ask for, or -1 to fail. */
static ssize_t
fault_of_pread (const struct control *control, size_t count)
{
  if (strcmp (control->fault, "short") == 0)
    return count > 1 ? count / 2 : count;
  if (strcmp (control->fault, "end") == 0)
    return 0;
  errno = atoi (control->fault);
  return -1;
}

#define PREAD(name, type)                                       \
  ssize_t                                                       \
  name (int fd, void *buffer, size_t count, type offset)        \
  {                                                             \
    struct control control;                                     \
                                                                \
    if (fd_fails ("pread", fd, &control)) {                     \
      ssize_t n = fault_of_pread (&control, count);             \
                                                                \
      if (n <= 0)                                               \
        return n;                                               \
      count = n;                                                \
    }                                                           \
    return REAL (name) (fd, buffer, count, offset);             \
  }

PREAD (pread, off_t)
PREAD (pread64, off64_t)

#define LSEEK(name, type)                                       \
  type                                                          \
  name (int fd, type offset, int whence)                        \
  {                                                             \
    struct control control;                                     \
                                                                \
    if (fd_fails ("lseek", fd, &control)) {                     \
      errno = atoi (control.fault);                             \
      return -1;                                                \
    }                                                           \
    return REAL (name) (fd, offset, whence);                    \
  }

LSEEK (lseek, off_t)
LSEEK (lseek64, off64_t)

#define FSTAT(name, type)                                       \
  int                                                           \
  name (int fd, struct type *st)                                \
  {                                                             \
    struct control control;                                     \
                                                                \
    if (fd_fails ("fstat", fd, &control)) {                     \
      errno = atoi (control.fault);                             \
      return -1;                                                \
    }                                                           \
    return REAL (name) (fd, st);                                \
  }

FSTAT (fstat, stat)
FSTAT (fstat64, stat64)

#define SYNC(name)                                              \
  int                                                           \
  name (int fd)                                                 \
  {                                                             \
    struct control control;                                     \
                                                                \
    if (fd_fails (#name, fd, &control)) {                       \
      errno = atoi (control.fault);                             \
      return -1;                                                \
    }                                                           \
    return REAL (name) (fd);                                    \
  }

SYNC (fdatasync)
SYNC (fsync)

static mode_t
mode_of (int flags, va_list args)
{
  return flags & (O_CREAT | __O_TMPFILE) ? va_arg (args, mode_t) : 0;
}

#define OPEN(name)                                              \
  int                                                           \
  name (const char *path, int flags, ...)                       \
  {                                                             \
    struct control control;                                     \
    va_list args;                                               \
    mode_t mode;                                                \
                                                                \
    va_start (args, flags);                                     \
    mode = mode_of (flags, args);                               \
    va_end (args);                                              \
    if (fails ("open", path, &control)) {                       \
      errno = atoi (control.fault);                             \
      return -1;                                                \
    }                                                           \
    return REAL (name) (path, flags, mode);                     \
  }

OPEN (open)
OPEN (open64)

#define OPENAT(name)                                            \
  int                                                           \
  name (int directory, const char *path, int flags, ...)        \
  {                                                             \
    struct control control;                                     \
    va_list args;                                               \
    mode_t mode;                                                \
                                                                \
    va_start (args, flags);                                     \
    mode = mode_of (flags, args);                               \
    va_end (args);                                              \
    if (fails ("open", path, &control)) {                       \
      errno = atoi (control.fault);                             \
      return -1;                                                \
    }                                                           \
    return REAL (name) (directory, path, flags, mode);          \
  }

OPENAT (openat)
OPENAT (openat64)

/* The same, as programs call them that are built with _FORTIFY_SOURCE: those
 * that open without a mode, and those that read into a buffer of known
 * size. */

int __open_2 (const char *path, int flags);
int __open64_2 (const char *path, int flags);
int __openat_2 (int directory, const char *path, int flags);
int __openat64_2 (int directory, const char *path, int flags);
ssize_t __pread_chk (int fd, void *buffer, size_t count, off_t offset,
                     size_t size);
ssize_t __pread64_chk (int fd, void *buffer, size_t count, off64_t offset,
                       size_t size);

int
__open_2 (const char *path, int flags)
{
  return open (path, flags, 0);
}

int
__open64_2 (const char *path, int flags)
{
  return open64 (path, flags, 0);
}

int
__openat_2 (int directory, const char *path, int flags)
{
  return openat (directory, path, flags, 0);
}

int
__openat64_2 (int directory, const char *path, int flags)
{
  return openat64 (directory, path, flags, 0);
}

ssize_t
__pread_chk (int fd, void *buffer, size_t count, off_t offset, size_t size)
{
  (void) size;
  return pread (fd, buffer, count, offset);
}

ssize_t
__pread64_chk (int fd, void *buffer, size_t count, off64_t offset,
               size_t size)
{
  (void) size;
  return pread64 (fd, buffer, count, offset);
}
