/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the parts of a VHD are, and the limits of its size. */

#include "output/vhd-layout.h"

#include <errno.h>
#include <inttypes.h>

#include "image.h"
#include "options.h"
#include "util/align.h"
#include "util/error.h"
#include "util/minmax.h"

int
vhd_check_disk_size (const struct vdisk *disk, struct vdisk_error *error)
{
  const uint64_t size = vdisk_size (disk);

  if (size > VHD_DISK_SIZE_MAX)
    return error_set (error, EFBIG, "%s: the disk has %" PRIu64 " bytes, a "
                      "VHD can hold at most %" PRIu64 " (2040 GiB)",
                      vdisk_layer_file (disk, 0), size,
                      VHD_DISK_SIZE_MAX);
  if (size == 0)
    return error_set (error, EINVAL, "%s: the disk is empty, which no VHD "
                      "can be", vdisk_layer_file (disk, 0));
  return 0;
}

void
vhd_layout_init (struct vhd_layout *layout, const struct vdisk *disk,
                 const struct vhd_settings *settings, uint64_t locators_size)
{
  const uint64_t size = vhd_recorded_size (disk, settings);

  layout->block_size = settings->block_size;
  layout->bitmap_size = round_up (layout->block_size / VHD_SECTOR_SIZE / 8,
                                  VHD_SECTOR_SIZE);
  layout->block_count = divide_up (size, layout->block_size);
  layout->table_offset = VHD_LOCATORS_OFFSET +
    max_u64 (locators_size, VHD_SECTOR_SIZE);
  layout->table_size = round_up (layout->block_count * sizeof (be32),
                                 VHD_SECTOR_SIZE);
}

/* The BAT counts sectors, in 32 bits. */
uint64_t
vhd_file_size (const struct vhd_layout *layout, const struct vdisk *disk,
               uint64_t stored, struct vdisk_error *error)
{
  const uint64_t size = vhd_blocks_offset (layout) +
    stored * vhd_stride (layout) + sizeof (struct vhd_footer);

  if (size / VHD_SECTOR_SIZE < VHD_BAT_UNUSED)
    return size;
  error_set (error, EFBIG, "%s: with %sblock-size=%" PRIu64 " a VHD of it "
             "would have %" PRIu64 " bytes: the limit is 2 TiB",
             vdisk_layer_file (disk, 0), options_prefix (disk->options),
             layout->block_size, size);
  return 0;
}

void
vhd_set_bits (uint8_t *bitmap, uint64_t first, uint64_t end)
{
  for (; first < end; ++first)
    bitmap[first / 8] |= 0x80 >> first % 8;
}
