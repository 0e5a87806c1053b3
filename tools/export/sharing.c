/* SPDX-License-Identifier: BSD-3-Clause */
/* copy_file_range(2) is not used where blocks cannot be shared: the kernel
 * then copies page by page, which on ext4 takes 2 to 4 times as long as
 * reading and writing 1 MiB at a time, and it is not told whether a file
 * server has copied or the kernel.
 */

#include "export/sharing.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "util/align.h"

/* Of <linux/magic.h> since Linux 5.17 only. */
#define CIFS_MAGIC 0xff534d42
#define SMB2_MAGIC 0xfe534d42

/* Linux before 6.7 drops what was written to a file of SMB, and is not on
 * the server yet, when blocks are shared beside it (commit c54fc3a4f375,
 * "cifs: Fix flushing, invalidation and file size with FICLONE"). */
static bool
may_lose_writes (int fd)
{
  struct statfs fs;

  return fstatfs (fd, &fs) == -1 || (uint32_t) fs.f_type == CIFS_MAGIC ||
    (uint32_t) fs.f_type == SMB2_MAGIC;
}

void
sharing_init (struct sharing *sharing, int fd)
{
  struct stat st;

  sharing->fd = fd;
  sharing->block_size = fstat (fd, &st) == 0 && st.st_blksize > 0
    ? st.st_blksize : 1;
  atomic_init (&sharing->impossible, may_lose_writes (fd));
}

bool
sharing_range (struct sharing *sharing, int from, uint64_t from_offset,
               uint64_t count, uint64_t offset)
{
  struct file_clone_range range = {
    .src_fd = from, .src_offset = from_offset, .src_length = count,
    .dest_offset = offset,
  };

  if (atomic_load (&sharing->impossible) ||
      !is_aligned (from_offset | count | offset, sharing->block_size))
    return false;
  if (ioctl (sharing->fd, FICLONERANGE, &range) == 0)
    return true;
  /* Not EXDEV: other layers may be on this file system. */
  if (errno == EOPNOTSUPP || errno == ENOTTY || errno == ENOSYS)
    atomic_store (&sharing->impossible, true);
  return false;
}
