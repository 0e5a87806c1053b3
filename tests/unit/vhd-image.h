/* SPDX-License-Identifier: BSD-3-Clause */
/* VHD images built in memory, right in every field until a test makes one
 * lie.  Layout: copy of the footer at 0, dynamic header at 512, BAT at
 * 1536, room for a batmap after it, then whatever is added, the footer.
 */

#ifndef UNIT_VHD_IMAGE_H
#define UNIT_VHD_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "format/vhd/disk.h"
#include "support.h"

#define VHD_IMAGE_HEADER 512
#define VHD_IMAGE_BAT 1536

struct vhd_image {
  uint8_t *bytes;
  size_t size;
  uint32_t type;
  uint32_t block_size;
  size_t batmap_header;         /* offset of the room for it */
};

/* Start an image: with a BAT just large enough and no block in it, or
 * (fixed) with all its data.  Creator "test", geometry of a disk too big
 * for one, UUID 000102...0f.  Freed by vhd_image_free. */
void vhd_image_init (struct vhd_image *image, enum vhd_type type,
                     uint64_t disk_size, uint32_t block_size);

/* The same with a BAT of 'entries'. */
void vhd_image_init_bat (struct vhd_image *image, enum vhd_type type,
                         uint64_t disk_size, uint32_t block_size,
                         uint32_t entries);

void vhd_image_free (struct vhd_image *image);

/* Where the structures are; they move when something is added. */
struct vhd_footer *vhd_image_footer (const struct vhd_image *image);
struct vhd_footer *vhd_image_copy (const struct vhd_image *image);
struct vhd_dynamic_header *vhd_image_header (const struct vhd_image *image);
be32 *vhd_image_bat (const struct vhd_image *image);

/* Make the checksums right again, and the copy equal to the footer. */
void vhd_image_fix (struct vhd_image *image);

/* Insert zeros before the footer.  Returns their offset. */
size_t vhd_image_append (struct vhd_image *image, size_t count);

/* Add block 'number' with the bits of 'bitmap', block_size / 4096 bytes
 * (at least 1); all set if it is NULL.  Returns its sector. */
uint32_t vhd_image_add_block (struct vhd_image *image, uint32_t number,
                              const uint8_t *bitmap);

/* Set locator 'i', with its data at the end.  Its space is in sectors. */
void vhd_image_add_locator (struct vhd_image *image, unsigned i,
                            uint32_t code, const void *data, size_t length);

/* A locator with UTF-16LE of the ASCII 'text', without terminator. */
void vhd_image_add_path (struct vhd_image *image, unsigned i, uint32_t code,
                         const char *text);

/* Make it an image of libvhd with a batmap of 'count' bytes, at most
 * 512. */
void vhd_image_set_batmap (struct vhd_image *image, const uint8_t *bytes,
                           size_t count);

/* Open it as "disk.vhd": NULL on error. */
struct layer *vhd_image_try (const struct vhd_image *image,
                             struct vdisk_options *options,
                             struct vdisk_error *error);

/* The same, where an error fails the test. */
struct layer *vhd_image_open (const struct vhd_image *image,
                              struct vdisk_options *options);

/* Open it, and expect that map. */
void check_vhd_map (const struct vhd_image *image, uint64_t offset,
                    uint64_t count, const char *expected);

/* Open it, map from 'offset' to the end, and expect what comes before the
 * damage, and then the error. */
void check_vhd_damage (const struct vhd_image *image, uint64_t offset,
                       const char *expected, const char *message);

#endif /* UNIT_VHD_IMAGE_H */
