/* SPDX-License-Identifier: BSD-3-Clause */
/* What a VHD that is written starts and ends with, and where its parts
 * are.
 */

#ifndef VDISK_OUTPUT_VHD_LAYOUT_H
#define VDISK_OUTPUT_VHD_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "format/vhd/disk.h"
#include "vdisk.h"

/* What the user can choose. */
struct vhd_settings {
  uint64_t block_size;          /* a power of two */
  bool fixed;
  const char *uuid;             /* NULL: a random one */
  bool has_time;
  int64_t time;                 /* seconds since 1970 */
  uint64_t round;               /* the disk's size is made a multiple */
};

#define VHD_BLOCK_SIZE_MIN 4096
#define VHD_BLOCK_SIZE_MAX (16 << 20)
#define VHD_BLOCK_SIZE_DEFAULT (2 << 20)
#define VHD_ROUND_MAX (1 << 30)

/* Larger disks are not for VHD: Microsoft's limit. */
#define VHD_DISK_SIZE_MAX (UINT64_C (2040) << 30)

/* Where a differencing disk says its parent is. */
struct vhd_parent {
  uint8_t uuid[16];
  uint32_t time_stamp;
  uint8_t name[512];            /* UTF-16BE */
  struct vhd_locator locators[VHD_LOCATORS];
  uint8_t *data;                /* of the locators: owned */
  uint64_t data_size;           /* whole sectors */
};

/* Find out all that is recorded of the base, which is found at that relative
 * path.  'parent' is all zeros; free parent->data in any case. */
int vhd_parent_describe (struct vhd_parent *parent,
                         const struct vdisk *base, const char *path,
                         struct vdisk_error *error);

/* The disk has a size that a VHD can have. */
int vhd_check_disk_size (const struct vdisk *disk,
                         struct vdisk_error *error);

/* Make the footer.  Its UUID and time stamp are new ones unless the user
 * has said which. */
int vhd_make_footer (struct vhd_footer *footer, const struct vdisk *disk,
                     const struct vhd_settings *settings, enum vhd_type type,
                     struct vdisk_error *error);

struct vhd_geometry {
  uint32_t cylinders, heads, sectors;
};

/* Choose the geometry that is recorded with a size of whole sectors. */
struct vhd_geometry vhd_choose_geometry (const struct vdisk *disk,
                                         uint64_t size);

/* The size that is recorded: whole sectors, or more if the user wants. */
uint64_t vhd_recorded_size (const struct vdisk *disk,
                            const struct vhd_settings *settings);

/* --- The parts of a dynamic or differencing disk ------------------------ */

/* Where locators' data may be. */
#define VHD_LOCATORS_OFFSET \
  (sizeof (struct vhd_footer) + sizeof (struct vhd_dynamic_header))

struct vhd_layout {
  uint64_t block_size;
  uint64_t bitmap_size;         /* of a block: whole sectors */
  uint64_t block_count;         /* of the disk */
  uint64_t table_offset, table_size;    /* of the BAT, whole sectors */
};

/* Lay out what comes before the blocks; the locators' data have so many
 * bytes. */
void vhd_layout_init (struct vhd_layout *layout, const struct vdisk *disk,
                      const struct vhd_settings *settings,
                      uint64_t locators_size);

/* Make the header of a dynamic disk, or with a parent, of a differencing
 * one. */
void vhd_make_header (struct vhd_dynamic_header *header,
                      const struct vhd_layout *layout,
                      const struct vhd_parent *parent);

/* From a block that is stored to the next. */
static inline uint64_t
vhd_stride (const struct vhd_layout *layout)
{
  return layout->bitmap_size + layout->block_size;
}

static inline uint64_t
vhd_blocks_offset (const struct vhd_layout *layout)
{
  return layout->table_offset + layout->table_size;
}

/* The size of the file, with so many blocks stored.  0 with an error if
 * that is more than a BAT can count. */
uint64_t vhd_file_size (const struct vhd_layout *layout,
                        const struct vdisk *disk, uint64_t stored,
                        struct vdisk_error *error);

/* Set the bits of sectors in the bitmap of a block. */
void vhd_set_bits (uint8_t *bitmap, uint64_t first, uint64_t end);

#endif /* VDISK_OUTPUT_VHD_LAYOUT_H */
