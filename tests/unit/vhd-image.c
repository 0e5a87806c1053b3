/* SPDX-License-Identifier: BSD-3-Clause */
/* Building VHD images in memory. */

#include "vhd-image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/align.h"

#define BATMAP_ROOM 1024        /* header and one sector */

static uint32_t
sum_of (const void *bytes, size_t size)
{
  const uint8_t *p = bytes;
  uint32_t sum = 0;
  size_t i;

  for (i = 0; i < size; ++i)
    sum += p[i];
  return sum;
}

static void
set_checksum (void *bytes, size_t size, be32 *checksum)
{
  *checksum = to_be32 (0);
  *checksum = to_be32 (~sum_of (bytes, size));
}

struct vhd_footer *
vhd_image_footer (const struct vhd_image *image)
{
  return (struct vhd_footer *) (image->bytes + image->size - 512);
}

struct vhd_footer *
vhd_image_copy (const struct vhd_image *image)
{
  return (struct vhd_footer *) image->bytes;
}

struct vhd_dynamic_header *
vhd_image_header (const struct vhd_image *image)
{
  return (struct vhd_dynamic_header *) (image->bytes + VHD_IMAGE_HEADER);
}

be32 *
vhd_image_bat (const struct vhd_image *image)
{
  return (be32 *) (image->bytes + VHD_IMAGE_BAT);
}

void
vhd_image_fix (struct vhd_image *image)
{
  struct vhd_footer *footer = vhd_image_footer (image);

  set_checksum (footer, sizeof *footer, &footer->checksum);
  if (image->type == VHD_FIXED)
    return;
  memcpy (vhd_image_copy (image), footer, sizeof *footer);
  set_checksum (vhd_image_header (image), sizeof (struct vhd_dynamic_header),
                &vhd_image_header (image)->checksum);
}

static void
fill_footer (struct vhd_image *image, uint64_t disk_size)
{
  struct vhd_footer *footer = vhd_image_footer (image);
  unsigned i;

  memcpy (footer->cookie, "conectix", 8);
  footer->version = to_be32 (0x00010000);
  footer->header_offset =
    to_be64 (image->type == VHD_FIXED ? UINT64_MAX : VHD_IMAGE_HEADER);
  memcpy (footer->creator, "test", 4);
  footer->current_size = to_be64 (disk_size);
  footer->cylinders = to_be16 (65535);
  footer->heads = 16;
  footer->sectors = 255;
  footer->type = to_be32 (image->type);
  for (i = 0; i < sizeof footer->uuid; ++i)
    footer->uuid[i] = i;
}

static void
fill_header (struct vhd_image *image, uint32_t entries)
{
  struct vhd_dynamic_header *header = vhd_image_header (image);

  memcpy (header->cookie, "cxsparse", 8);
  header->next_offset = to_be64 (UINT64_MAX);
  header->table_offset = to_be64 (VHD_IMAGE_BAT);
  header->version = to_be32 (0x00010000);
  header->max_table_entries = to_be32 (entries);
  header->block_size = to_be32 (image->block_size);
  if (image->type == VHD_DIFFERENCING)
    memset (header->parent_uuid, 0xab, sizeof header->parent_uuid);
}

void
vhd_image_init_bat (struct vhd_image *image, enum vhd_type type,
                    uint64_t disk_size, uint32_t block_size,
                    uint32_t entries)
{
  const size_t bat_size = round_up (entries * sizeof (be32), 512);

  image->type = type;
  image->block_size = block_size;
  image->batmap_header = VHD_IMAGE_BAT + bat_size;
  image->size = image->batmap_header + BATMAP_ROOM;
  if (type == VHD_FIXED)
    image->size = disk_size;
  image->size += sizeof (struct vhd_footer);
  image->bytes = calloc (1, image->size);
  ck_assert_ptr_nonnull (image->bytes);
  fill_footer (image, disk_size);
  if (type != VHD_FIXED) {
    fill_header (image, entries);
    memset (vhd_image_bat (image), 0xff, bat_size);
  }
  vhd_image_fix (image);
}

void
vhd_image_init (struct vhd_image *image, enum vhd_type type,
                uint64_t disk_size, uint32_t block_size)
{
  vhd_image_init_bat (image, type, disk_size, block_size,
                      type == VHD_FIXED ? 0 :
                      divide_up (disk_size, block_size));
}

void
vhd_image_free (struct vhd_image *image)
{
  free (image->bytes);
  image->bytes = NULL;
}

size_t
vhd_image_append (struct vhd_image *image, size_t count)
{
  const size_t offset = image->size - sizeof (struct vhd_footer);

  image->bytes = realloc (image->bytes, image->size + count);
  ck_assert_ptr_nonnull (image->bytes);
  memmove (image->bytes + offset + count, image->bytes + offset,
           sizeof (struct vhd_footer));
  memset (image->bytes + offset, 0, count);
  image->size += count;
  return offset;
}

uint32_t
vhd_image_add_block (struct vhd_image *image, uint32_t number,
                     const uint8_t *bitmap)
{
  const size_t used = divide_up (image->block_size, 4096);
  const size_t bitmap_size = round_up (used, 512);
  const size_t offset = vhd_image_append (image,
                                          bitmap_size + image->block_size);

  if (bitmap)
    memcpy (image->bytes + offset, bitmap, used);
  else
    memset (image->bytes + offset, 0xff, used);
  vhd_image_bat (image)[number] = to_be32 (offset / 512);
  return offset / 512;
}

void
vhd_image_add_locator (struct vhd_image *image, unsigned i, uint32_t code,
                       const void *data, size_t length)
{
  const size_t space = round_up (length, 512);
  const size_t offset = vhd_image_append (image, space);
  struct vhd_locator *locator = &vhd_image_header (image)->locators[i];

  if (length > 0)
    memcpy (image->bytes + offset, data, length);
  locator->code = to_be32 (code);
  locator->data_space = to_be32 (space / 512);
  locator->data_length = to_be32 (length);
  locator->data_offset = to_be64 (offset);
  vhd_image_fix (image);
}

void
vhd_image_add_path (struct vhd_image *image, unsigned i, uint32_t code,
                    const char *text)
{
  uint8_t data[512] = { 0 };
  size_t n;

  for (n = 0; text[n]; ++n)
    data[2 * n] = text[n];
  vhd_image_add_locator (image, i, code, data, 2 * n);
}

void
vhd_image_set_batmap (struct vhd_image *image, const uint8_t *bytes,
                      size_t count)
{
  uint8_t *at = image->bytes + image->batmap_header;
  struct vhd_batmap_header *header = (struct vhd_batmap_header *) at;
  struct vhd_footer *footer = vhd_image_footer (image);

  memcpy (footer->creator, "tap", 4);
  footer->creator_version = to_be32 (0x00010003);
  if (count > 0)
    memcpy (at + 512, bytes, count);
  memcpy (header->cookie, "tdbatmap", 8);
  header->map_offset = to_be64 (image->batmap_header + 512);
  header->map_sectors = to_be32 (1);
  header->version = to_be32 (0x00010002);
  header->checksum = to_be32 (~sum_of (at + 512, 512));
  vhd_image_fix (image);
}

struct layer *
vhd_image_try (const struct vhd_image *image, struct vdisk_options *options,
               struct vdisk_error *error)
{
  return open_layer_bytes (&format_vhd, "disk.vhd", image->bytes,
                           image->size, options, error);
}

struct layer *
vhd_image_open (const struct vhd_image *image, struct vdisk_options *options)
{
  struct vdisk_error error = { 0 };
  struct layer *layer = vhd_image_try (image, options, &error);

  ck_assert_msg (layer != NULL, "%s", error.message);
  return layer;
}

void
check_vhd_map (const struct vhd_image *image, uint64_t offset,
               uint64_t count, const char *expected)
{
  struct layer *layer = vhd_image_open (image, NULL);

  ck_assert_str_eq (map_text (layer, offset, count), expected);
  layer_close (layer);
}

void
check_vhd_damage (const struct vhd_image *image, uint64_t offset,
                  const char *expected, const char *message)
{
  struct layer *layer = vhd_image_open (image, NULL);
  struct interval_list list = { 0 };
  struct vdisk_error error = { 0 };

  ck_assert_int_eq (format_vhd.map (layer, offset, layer->size - offset,
                                    &list, &error), -1);
  ck_assert_int_eq (error.errnum, EIO);
  ck_assert_str_eq (error.message, message);
  ck_assert_str_eq (list_text (&list), expected);
  interval_list_free (&list);
  layer_close (layer);
}
