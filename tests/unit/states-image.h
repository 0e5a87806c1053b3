/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshots and bitmaps of QCOW2 images that are built in memory. */

#ifndef UNIT_STATES_IMAGE_H
#define UNIT_STATES_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "qcow2-image.h"

#define STATES_ROOM (1 << 20)

/* Tables under way.  Start with zeros; finish puts them into the image. */
struct states {
  uint8_t snapshots[STATES_ROOM], bitmaps[STATES_ROOM];
  size_t snapshots_size, bitmaps_size;
  unsigned snapshot_count, bitmap_count;
};

struct snapshot_fields {
  uint64_t l1_table_offset;
  uint32_t l1_size;
  const char *id, *name;
  size_t name_size;             /* 0: up to the NUL */
  uint32_t extra_size;
  uint64_t disk_size;           /* told if there are 16 bytes of extra */
};

/* Add an entry to the snapshot table. */
void states_add_snapshot (struct states *states,
                          const struct snapshot_fields *fields);

/* Take a snapshot of the image as it is; its disk is as large as the
 * image's.  The active L2 tables are copied, so that they can be changed. */
void states_take (struct states *states, struct qcow2_image *image,
                  const char *id, const char *name);

/* Add a bitmap: 'bits' are its bytes, in one cluster. */
void states_add_bitmap (struct states *states, struct qcow2_image *image,
                        const char *name, unsigned granularity_bits,
                        const void *bits, size_t size);

/* Add any entry to the bitmap directory. */
void states_add_entry (struct states *states,
                       const struct qcow2_bitmap *entry, const char *name);

/* The entry that was added last. */
struct qcow2_bitmap *states_last_bitmap (struct states *states);

void states_finish (const struct states *states, struct qcow2_image *image);

#endif /* UNIT_STATES_IMAGE_H */
