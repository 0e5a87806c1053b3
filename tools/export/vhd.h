/* SPDX-License-Identifier: BSD-3-Clause */
/* What a VHD starts and ends with. */

#ifndef VDISK_EXPORT_VHD_H
#define VDISK_EXPORT_VHD_H

#include <stdbool.h>
#include <stdint.h>

#include "export/export.h"
#include "format/vhd/disk.h"

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

/* Find out all that is recorded of the base, for a disk whose locators'
 * data is at 'offset'.  Free parent->data in any case. */
int vhd_parent_describe (struct vhd_parent *parent,
                         const struct export *export, uint64_t offset,
                         struct vdisk_error *error);

/* Make the footer.  Its UUID and time stamp are new ones unless the user
 * has said which. */
int vhd_make_footer (struct vhd_footer *footer, const struct export *export,
                     enum vhd_type type, struct vdisk_error *error);

/* Make the header of a dynamic disk, or with a parent, of a differencing
 * one. */
void vhd_make_header (struct vhd_dynamic_header *header,
                      uint64_t table_offset, uint32_t blocks,
                      uint32_t block_size, const struct vhd_parent *parent);

/* Parse a UUID as it is shown: "00112233-4455-6677-8899-aabbccddeeff".
 * False if it is none. */
bool vhd_parse_uuid (const char *text, uint8_t uuid[16]);

struct vhd_geometry {
  uint32_t cylinders, heads, sectors;
};

/* Choose the geometry that is recorded with a size of whole sectors. */
int vhd_choose_geometry (const struct export *export, uint64_t size,
                         struct vhd_geometry *geometry,
                         struct vdisk_error *error);

/* The size that is recorded: whole sectors, or more if the user wants. */
uint64_t vhd_recorded_size (const struct export *export);

#endif /* VDISK_EXPORT_VHD_H */
