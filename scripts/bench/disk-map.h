/* SPDX-License-Identifier: BSD-3-Clause */
/* Walk the block status of an NBD disk from start to end, one request of
 * almost 4 GiB after the other, and join neighbours of one type.  That
 * makes the answers of all servers comparable, however they cut them.
 */

#ifndef DISK_MAP_H
#define DISK_MAP_H

#include <stdint.h>

#include <libnbd.h>

/* Takes a piece of the disk that is all data or has none. */
typedef void piece_callback (void *opaque, uint64_t offset, uint64_t length,
                             int is_data);

struct disk_map {
  uint64_t size;                /* of what was walked */
  uint64_t extents;             /* as they were sent */
  uint64_t pieces;              /* after joining */
  uint64_t data;                /* bytes that are neither hole nor zeros */
  double first;                 /* seconds until the first answer */
  double total;
};

/* A handle that asks for base:allocation, to be connected. */
struct nbd_handle *new_handle (void);

/* Walk the first 'limit' bytes, or what there is of them.  'callback' may
 * be NULL.  Exits on failure. */
void walk_disk (struct nbd_handle *nbd, uint64_t limit,
                piece_callback *callback, void *opaque,
                struct disk_map *map);

#endif /* DISK_MAP_H */
