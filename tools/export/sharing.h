/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks that a file shares with another instead of a copy of them, on file
 * systems that can do that (FICLONERANGE: Btrfs, XFS).
 */

#ifndef VDISK_SHARING_H
#define VDISK_SHARING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sharing {
  int fd;                       /* where to */
  uint32_t block_size;          /* unit of sharing, in bytes */
  atomic_bool impossible;       /* it has turned out */
};

/* Examine a regular file, whose descriptor stays the caller's. */
void sharing_init (struct sharing *sharing, int fd);

/* Make 'count' bytes at 'offset' those at 'from_offset' of the file 'from'.
 * False if that cannot be: then they are to be read and written, which
 * tells of errors.  By any thread. */
bool sharing_range (struct sharing *sharing, int from, uint64_t from_offset,
                    uint64_t count, uint64_t offset);

#endif /* VDISK_SHARING_H */
