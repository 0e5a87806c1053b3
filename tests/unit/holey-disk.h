/* SPDX-License-Identifier: BSD-3-Clause */
/* Raw disks in memory with random holes, whose bytes are known. */

#ifndef VDISK_TEST_HOLEY_DISK_H
#define VDISK_TEST_HOLEY_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "random.h"
#include "vdisk.h"

#define HOLES_MAX 40

/* A raw disk with random holes. */
struct disk {
  struct vdisk *vdisk;
  uint64_t size;
  uint8_t *bytes;
  uint64_t holes[HOLES_MAX][2];
  size_t hole_count;
};

/* Open a disk of that size, of which holes and what is between them have up
 * to so many bytes. */
void disk_open_runs (struct disk *disk, struct random *random, uint64_t size,
                     uint64_t data_max, uint64_t hole_max);
void disk_open (struct disk *disk, struct random *random, uint64_t size);
void disk_close (struct disk *disk);

#endif /* VDISK_TEST_HOLEY_DISK_H */
