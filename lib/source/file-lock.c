/* SPDX-License-Identifier: BSD-3-Clause */
/* QEMU-compatible locking of a file that is read. */

#include "source/file-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>

#include "error.h"

/* Numbers of QEMU's permissions, as offsets from the two bases. */
enum permission {
  CONSISTENT_READ = 0,
  WRITE = 1,
  RESIZE = 3,
};

#define USED(permission) (100 + (permission))
#define NOT_SHARED(permission) (200 + (permission))

static struct flock
lock_of_byte (off_t byte, short type)
{
  return (struct flock) {
    .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1,
  };
}

/* A lock that others may hold, and what it means that they do. */
struct conflict {
  off_t byte;
  const char *meaning;
};

/* Take shared locks of some bytes.  1 if another has one for itself, 0 if
 * not, also where the file system has no such locks (then *has_locks
 * becomes false). */
static int
take_locks (int fd, const off_t *bytes, size_t count, bool *has_locks)
{
  size_t i;

  *has_locks = true;
  for (i = 0; i < count; ++i) {
    struct flock lock = lock_of_byte (bytes[i], F_RDLCK);

    if (fcntl (fd, F_OFD_SETLK, &lock) == -1) {
      if (errno == EAGAIN || errno == EACCES)
        return 1;
      *has_locks = false;
      return 0;
    }
  }
  return 0;
}

/* What the first of the conflicts that there is means, or NULL. */
static const char *
find_conflict (int fd, const struct conflict *conflicts, size_t count)
{
  size_t i;

  for (i = 0; i < count; ++i) {
    struct flock lock = lock_of_byte (conflicts[i].byte, F_WRLCK);

    if (fcntl (fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
      return conflicts[i].meaning;
  }
  return NULL;
}

#define COUNT(array) (sizeof array / sizeof array[0])

int
file_lock_for_reading (int fd, const char *name, struct vdisk_error *error)
{
  static const off_t held[] = {
    USED (CONSISTENT_READ), NOT_SHARED (WRITE), NOT_SHARED (RESIZE),
  };
  static const struct conflict refused[] = {
    { USED (WRITE), "another program is writing this image" },
    { USED (RESIZE), "another program may resize this image" },
    { NOT_SHARED (CONSISTENT_READ),
      "another program does not let others read this image" },
  };
  const char *problem = NULL;
  bool has_locks;

  if (take_locks (fd, held, COUNT (held), &has_locks) == 1)
    problem = "another program has locked this image";
  else if (has_locks)
    problem = find_conflict (fd, refused, COUNT (refused));
  if (problem)
    return error_set (error, EBUSY, "%s: %s (force-share=true opens it all "
                      "the same, and what is read may be torn)", name,
                      problem);
  return 0;
}

int
file_lock_for_writing (int fd, const char *name, struct vdisk_error *error)
{
  static const off_t held[] = {
    USED (WRITE), USED (RESIZE), NOT_SHARED (WRITE), NOT_SHARED (RESIZE),
  };
  static const struct conflict refused[] = {
    { NOT_SHARED (WRITE), "another program uses this file" },
    { NOT_SHARED (RESIZE), "another program uses this file" },
    { USED (WRITE), "another program is writing this file" },
  };
  const char *problem = NULL;
  bool has_locks;

  if (take_locks (fd, held, COUNT (held), &has_locks) == 1)
    problem = "another program has locked this file";
  else if (has_locks)
    problem = find_conflict (fd, refused, COUNT (refused));
  return problem ? error_set (error, EBUSY, "%s: %s", name, problem) : 0;
}
