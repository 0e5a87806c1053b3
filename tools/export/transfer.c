/* SPDX-License-Identifier: BSD-3-Clause */
/* Sharing is FICLONERANGE, of Btrfs, XFS and others.  copy_file_range(2) is
 * left to file systems with a server behind them: elsewhere the kernel
 * copies page by page, and on ext4 that takes 2 to 4 times as long as
 * reading and writing 1 MiB at a time.
 */

#include "export/transfer.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "util/align.h"

/* Of <linux/magic.h> since Linux 5.17 only. */
#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xff534d42
#endif
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xfe534d42
#endif

/* Below this what is read is better gathered for one large write. */
#define SERVER_LEAST (64 << 10)

static bool
has_server (int fd)
{
  struct statfs fs;

  if (fstatfs (fd, &fs) == -1)
    return false;
  switch ((uint32_t) fs.f_type) {
  case NFS_SUPER_MAGIC:
  case CIFS_SUPER_MAGIC:
  case SMB2_SUPER_MAGIC:
  case CEPH_SUPER_MAGIC:
  case FUSE_SUPER_MAGIC:
    return true;
  default:
    return false;
  }
}

void
transfer_init (struct transfer *transfer, int fd)
{
  struct stat st;

  transfer->fd = fd;
  transfer->block_size = fstat (fd, &st) == 0 && st.st_blksize > 0
    ? st.st_blksize : 1;
  atomic_init (&transfer->no_sharing, false);
  atomic_init (&transfer->no_server, !has_server (fd));
}

/* Is it not only these bytes?  The kernel, the file systems, or that they
 * are two. */
static bool
is_for_good (int errnum)
{
  return errnum == EOPNOTSUPP || errnum == EXDEV || errnum == ENOTTY ||
    errnum == EBADF || errnum == ENOSYS;
}

static bool
share_blocks (struct transfer *transfer, int from, uint64_t from_offset,
              uint64_t count, uint64_t offset)
{
  struct file_clone_range range = {
    .src_fd = from, .src_offset = from_offset, .src_length = count,
    .dest_offset = offset,
  };

  if (atomic_load (&transfer->no_sharing) ||
      !is_aligned (from_offset | count | offset, transfer->block_size))
    return false;
  if (ioctl (transfer->fd, FICLONERANGE, &range) == 0)
    return true;
  if (is_for_good (errno))
    atomic_store (&transfer->no_sharing, true);
  return false;
}

static uint64_t
copy_on_server (struct transfer *transfer, int from, uint64_t from_offset,
                uint64_t count, uint64_t offset)
{
  loff_t source = from_offset, dest = offset;
  uint64_t done = 0;

  if (count < SERVER_LEAST || atomic_load (&transfer->no_server))
    return 0;
  while (done < count) {
    const ssize_t r = copy_file_range (from, &source, transfer->fd, &dest,
                                       count - done, 0);

    if (r <= 0) {
      if (r == -1 && is_for_good (errno))
        atomic_store (&transfer->no_server, true);
      break;
    }
    done += r;
  }
  return done;
}

uint64_t
transfer_range (struct transfer *transfer, int from, uint64_t from_offset,
                uint64_t count, uint64_t offset)
{
  if (share_blocks (transfer, from, from_offset, count, offset))
    return count;
  return copy_on_server (transfer, from, from_offset, count, offset);
}
