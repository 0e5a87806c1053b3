/* SPDX-License-Identifier: BSD-3-Clause */
/* VHD as it lies on disk.  From Microsoft's Virtual Hard Disk Image Format
 * Specification 1.0; the batmap is Xen's addition.
 *
 * A fixed disk:
 *
 *   the disk's bytes | footer
 *
 * A dynamic or differencing disk, in the usual order; only the footers
 * have their place, the rest is found by offsets:
 *
 *   copy of the footer | dynamic header | BAT | batmap header, batmap |
 *   locators' data | blocks | footer
 *
 * Block: a bitmap with a bit for each sector, the most significant bit of
 * a byte first, padded to whole sectors; then the sectors.
 * Everything is big-endian but the UTF-16 of locators.
 */

#ifndef VDISK_VHD_DISK_H
#define VDISK_VHD_DISK_H

#include <stdint.h>

#include "bounds.h"
#include "util/bytes.h"

#define VHD_SECTOR_SIZE 512

#define VHD_FOOTER_COOKIE "conectix"
#define VHD_HEADER_COOKIE "cxsparse"
#define VHD_BATMAP_COOKIE "tdbatmap"
#define VHD_COOKIE_SIZE 8

#define VHD_EPOCH 946684800             /* 2000-01-01 UTC */

/* Versions are major << 16 | minor. */
#define VHD_VERSION_MAJOR 1
#define VHD_BATMAP_VERSION_SIGNED 0x00010001    /* sums signed bytes */
#define VHD_BATMAP_VERSION_MAX 0x00010002

enum vhd_type {
  VHD_FIXED = 2,
  VHD_DYNAMIC = 3,
  VHD_DIFFERENCING = 4,
};

/* Very old images lack the last byte of the footer. */
#define VHD_SHORT_FOOTER_SIZE 511

struct vhd_footer {
  uint8_t cookie[VHD_COOKIE_SIZE];
  be32 features;
  be32 version;
  be64 header_offset;           /* all ones in a fixed disk */
  be32 time_stamp;              /* seconds since VHD_EPOCH */
  uint8_t creator[4];
  be32 creator_version;
  be32 creator_os;
  be64 original_size;
  be64 current_size;
  be16 cylinders;
  uint8_t heads;
  uint8_t sectors;              /* per track */
  be32 type;
  be32 checksum;
  uint8_t uuid[16];
  uint8_t saved_state;
  uint8_t hidden;               /* Xen's */
  uint8_t reserved[426];
};

/* This geometry stands for every disk too big to have one. */
#define VHD_CYLINDERS_MAX 65535
#define VHD_HEADS_MAX 16
#define VHD_SECTORS_MAX 255

/* Platform codes of locators. */
#define VHD_LOCATOR_NONE 0
#define VHD_LOCATOR_W2RU 0x57327275     /* Windows, relative, UTF-16LE */
#define VHD_LOCATOR_W2KU 0x57326b75     /* Windows, absolute, UTF-16LE */
#define VHD_LOCATOR_WI2R 0x57693272     /* Windows, relative; obsolete */
#define VHD_LOCATOR_WI2K 0x5769326b     /* Windows, absolute; obsolete */
#define VHD_LOCATOR_MACX 0x4d616358     /* file URL in UTF-8 */

struct vhd_locator {
  be32 code;
  be32 data_space;              /* in sectors, or in bytes: a number below
                                   VHD_LOCATOR_SPACE_BYTES is sectors */
  be32 data_length;             /* in bytes */
  be32 reserved;
  be64 data_offset;
};

#define VHD_LOCATOR_SPACE_BYTES 512
#define VHD_LOCATORS 8

struct vhd_dynamic_header {
  uint8_t cookie[VHD_COOKIE_SIZE];
  be64 next_offset;             /* unused, all ones */
  be64 table_offset;            /* of the BAT */
  be32 version;
  be32 max_table_entries;
  be32 block_size;
  be32 checksum;
  uint8_t parent_uuid[16];
  be32 parent_time_stamp;
  be32 reserved1;
  uint8_t parent_name[512];     /* UTF-16BE */
  struct vhd_locator locators[VHD_LOCATORS];
  uint8_t reserved2[256];
};

/* A BAT entry is a be32: the sector where the block starts, or this. */
#define VHD_BAT_UNUSED UINT32_C (0xffffffff)

/* Lies in the sector after the padded BAT.  The map has a bit for each
 * block of 2 MiB: all sectors of the block are present. */
struct vhd_batmap_header {
  uint8_t cookie[VHD_COOKIE_SIZE];
  be64 map_offset;
  be32 map_sectors;
  be32 version;
  be32 checksum;
};

#define VHD_BATMAP_BLOCK_SIZE (2 << 20)

_Static_assert (sizeof (struct vhd_footer) == 512, "size of footer");
_Static_assert (sizeof (struct vhd_locator) == 24, "size of locator");
_Static_assert (sizeof (struct vhd_dynamic_header) == 1024,
                "size of dynamic header");
_Static_assert (sizeof (struct vhd_batmap_header) == 28,
                "size of batmap header");

#endif /* VDISK_VHD_DISK_H */
