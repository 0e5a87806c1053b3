/* SPDX-License-Identifier: BSD-3-Clause */
/* QEMU-compatible locking of a file that is read. */

#include "source/file-lock.h"

#include <errno.h>
#include <fcntl.h>

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

static int
in_use (const char *name, struct vdisk_error *error, const char *what)
{
  return error_set (error, EBUSY, "%s: %s (force-share=true opens it all "
                    "the same, and what is read may be torn)", name, what);
}

int
file_lock_for_reading (int fd, const char *name, struct vdisk_error *error)
{
  static const off_t held[] = {
    USED (CONSISTENT_READ), NOT_SHARED (WRITE), NOT_SHARED (RESIZE),
  };
  static const struct { off_t byte; const char *what; } refused[] = {
    { USED (WRITE), "another program is writing this image" },
    { USED (RESIZE), "another program may resize this image" },
    { NOT_SHARED (CONSISTENT_READ),
      "another program does not let others read this image" },
  };
  size_t i;

  for (i = 0; i < sizeof held / sizeof held[0]; ++i) {
    struct flock lock = lock_of_byte (held[i], F_RDLCK);

    if (fcntl (fd, F_OFD_SETLK, &lock) == -1) {
      if (errno == EAGAIN || errno == EACCES)
        return in_use (name, error,
                       "another program has locked this image");
      return 0;     /* a file system without such locks */
    }
  }

  for (i = 0; i < sizeof refused / sizeof refused[0]; ++i) {
    struct flock lock = lock_of_byte (refused[i].byte, F_WRLCK);

    if (fcntl (fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
      return in_use (name, error, refused[i].what);
  }
  return 0;
}
