/* SPDX-License-Identifier: BSD-3-Clause */
/* QEMU-compatible locking of a file that is read, or written. */

#include "util/file-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "util/lock-holder.h"

/* Numbers of QEMU's permissions, as offsets from the two bases. */
enum permission {
  CONSISTENT_READ = 0,
  WRITE = 1,
  RESIZE = 3,
};

#define USED(permission) (100 + (permission))
#define NOT_SHARED(permission) (200 + (permission))

/* A byte, and what it means that somebody else has locked it. */
struct conflict {
  off_t byte;
  const char *meaning;
};

/* What a reader, or a writer, does. */
struct role {
  const off_t *held;            /* bytes that it locks, shared */
  size_t held_count;
  const char *locked;           /* the meaning if it cannot */
  const struct conflict *refused;
  size_t refused_count;
};

#define COUNT(array) (sizeof array / sizeof array[0])

static struct flock
lock_of_byte (off_t byte, short type)
{
  return (struct flock) {
    .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1,
  };
}

/* As fcntl, which network file systems may interrupt. */
static int
lock_control (int fd, int command, struct flock *lock)
{
  return TEMP_FAILURE_RETRY (fcntl (fd, command, lock));
}

/* Say why the file is refused: somebody has locked a byte of it. */
static int
in_use (int fd, const char *name, const struct flock *lock, off_t byte,
        const char *meaning, struct vdisk_error *error)
{
  char holder[LOCK_HOLDER_MAX], who[LOCK_HOLDER_MAX + 32];

  if (lock_holder_find (fd, byte, lock->l_pid, holder))
    snprintf (who, sizeof who, "%s, has locked byte %d", holder, (int) byte);
  else
    snprintf (who, sizeof who, "byte %d is locked", (int) byte);
  return error_set (error, EBUSY, "%s: %s: %s", name, meaning, who);
}

/* Hold what the role holds.  1 if the file system has no such locks. */
static int
take_locks (int fd, const char *name, const struct role *role,
            struct vdisk_error *error)
{
  size_t i;

  for (i = 0; i < role->held_count; ++i) {
    struct flock lock = lock_of_byte (role->held[i], F_RDLCK);

    if (lock_control (fd, F_OFD_SETLK, &lock) == 0)
      continue;
    /* Open for writing only: what others hold can be seen all the same. */
    if (errno == EBADF)
      return 0;
    if (errno != EAGAIN && errno != EACCES)
      return 1;
    if (lock_control (fd, F_OFD_GETLK, &lock) == -1)
      lock.l_pid = -1;
    return in_use (fd, name, &lock, role->held[i], role->locked, error);
  }
  return 0;
}

/* Look for what others may not hold. */
static int
look_for_others (int fd, const char *name, const struct role *role,
                 struct vdisk_error *error)
{
  size_t i;

  for (i = 0; i < role->refused_count; ++i) {
    const struct conflict *conflict = &role->refused[i];
    struct flock lock = lock_of_byte (conflict->byte, F_WRLCK);

    if (lock_control (fd, F_OFD_GETLK, &lock) == -1)
      return error_set (error, errno, "%s: whether another program uses it "
                        "cannot be found out: %s", name, strerror (errno));
    if (lock.l_type != F_UNLCK)
      return in_use (fd, name, &lock, conflict->byte, conflict->meaning,
                     error);
  }
  return 0;
}

static int
lock_as (int fd, const char *name, const struct role *role,
         struct vdisk_error *error)
{
  const int r = take_locks (fd, name, role, error);

  if (r != 0)
    return r;
  return look_for_others (fd, name, role, error);
}

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
  static const struct role reader = {
    .held = held, .held_count = COUNT (held),
    .locked = "another program has locked this image",
    .refused = refused, .refused_count = COUNT (refused),
  };

  return lock_as (fd, name, &reader, error);
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
  static const struct role writer = {
    .held = held, .held_count = COUNT (held),
    .locked = "another program has locked this file",
    .refused = refused, .refused_count = COUNT (refused),
  };

  return lock_as (fd, name, &writer, error);
}

int
file_lock_for_joint_writing (int fd, const char *name,
                             struct vdisk_error *error)
{
  static const off_t held[] = { USED (WRITE), USED (RESIZE) };
  static const struct conflict refused[] = {
    { NOT_SHARED (WRITE), "another program uses this file" },
    { NOT_SHARED (RESIZE), "another program uses this file" },
  };
  static const struct role writer = {
    .held = held, .held_count = COUNT (held),
    .locked = "another program has locked this file",
    .refused = refused, .refused_count = COUNT (refused),
  };

  return lock_as (fd, name, &writer, error);
}
