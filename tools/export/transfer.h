/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes of one file in another without their passing through memory: shared
 * blocks, and copies that a file server makes by itself.
 */

#ifndef VDISK_TRANSFER_H
#define VDISK_TRANSFER_H

#include <stdatomic.h>
#include <stdint.h>

struct transfer {
  int fd;                       /* where to */
  uint32_t block_size;          /* unit of sharing, in bytes */
  /* It has turned out that there is none. */
  atomic_bool no_sharing, no_server;
};

/* Examine a regular file, whose descriptor stays the caller's. */
void transfer_init (struct transfer *transfer, int fd);

/* Transfer 'count' bytes from 'from_offset' of the file 'from' to 'offset'.
 * Gives how many are done, from the start on: what is not is to be read and
 * written, which tells of errors.  By any thread. */
uint64_t transfer_range (struct transfer *transfer, int from,
                         uint64_t from_offset, uint64_t count,
                         uint64_t offset);

#endif /* VDISK_TRANSFER_H */
