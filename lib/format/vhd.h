/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the VHD driver share: headers that have passed their
 * rules, in the CPU's terms, and the state of an open image.
 */

#ifndef VDISK_VHD_H
#define VDISK_VHD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/vhd-disk.h"
#include "interval.h"
#include "layer.h"
#include "options.h"
#include "vdisk.h"

struct footer {
  uint64_t offset;              /* where it was found */
  enum vhd_type type;
  uint64_t header_offset;
  uint32_t time_stamp;
  uint8_t creator[4];
  uint32_t creator_version;
  uint64_t current_size;
  uint16_t cylinders;
  uint8_t heads, sectors;
  uint8_t uuid[16];
};

struct locator {
  uint32_t code;
  uint32_t space, length;
  uint64_t offset;
};

struct dynamic_header {
  uint64_t table_offset;
  uint32_t max_table_entries;
  uint32_t block_size;
  uint8_t parent_uuid[16];
  uint32_t parent_time_stamp;
  uint8_t parent_name[512];
  struct locator locators[VHD_LOCATORS];
};

/* layer->state */
struct vhd {
  struct footer footer;

  /* The rest is for dynamic and differencing disks only. */
  uint64_t bat_offset;
  unsigned block_bits;          /* log2 of the size of a block's data */
  uint32_t bitmap_size;         /* of a block, padded */
  bool ignore_bitmaps;
  uint8_t *batmap;              /* NULL: there is none to trust */
  uint64_t batmap_blocks;       /* how many blocks it speaks of */
  uint8_t parent_uuid[16];
  uint32_t parent_time_stamp;
};

/* vhd-footer.c */

/* The ones' complement of the sum of the bytes, but for those at
 * 'checksum', which lie among them. */
uint32_t vhd_checksum (const void *bytes, size_t size,
                       const be32 *checksum);

/* Read the footer at the end of the file, or its copy at the start, and
 * warn if a dynamic disk lacks one of them. */
int vhd_read_footer (const struct layer *layer, struct footer *footer,
                     struct vdisk_error *error);

uint64_t vhd_disk_size (const struct footer *footer,
                        enum vhd_size_rule rule);

/* True for libvhd, which Xen's tools are made of. */
bool vhd_creator_is_xen (const struct footer *footer);

/* vhd-batmap.c */

/* Keep the batmap, if there is one and it can be trusted. */
int vhd_read_batmap (const struct layer *layer, struct vhd *vhd,
                     const struct dynamic_header *header,
                     struct vdisk_error *error);

/* True if every sector of the block is known to be present. */
bool vhd_batmap_has (const struct vhd *vhd, uint64_t block);

/* vhd-block.c: the format's 'map' of a dynamic or differencing disk. */
int vhd_map_blocks (const struct layer *layer, uint64_t offset,
                    uint64_t count, struct interval_list *out,
                    struct vdisk_error *error);

/* vhd-parent.c */

/* Fill in layer->backing of a differencing disk. */
int vhd_read_parent (struct layer *layer,
                     const struct dynamic_header *header,
                     struct vdisk_error *error);

/* The format's 'accept_parent'. */
int vhd_accept_parent (const struct layer *child,
                       const struct layer *parent,
                       struct vdisk_error *error);

#endif /* VDISK_VHD_H */
