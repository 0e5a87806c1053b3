/* SPDX-License-Identifier: BSD-3-Clause */
/* The header of a dynamic or differencing VHD: every rule it has to obey, and
 * what it says of the disk and of its BAT.  Whom it names as the parent is in
 * parent.c.
 */

#include "format/vhd/driver.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "util/error.h"
#include "source/source.h"
#include "util/align.h"
#include "util/checked.h"

static int
check_header (const struct layer *layer,
              const struct vhd_dynamic_header *raw,
              struct vdisk_error *error)
{
  const uint32_t checksum = get_be32 (raw->checksum);
  const uint32_t expected = vhd_checksum (raw, sizeof *raw, &raw->checksum);
  const uint32_t version = get_be32 (raw->version);
  const uint32_t block_size = get_be32 (raw->block_size);

  if (memcmp (raw->cookie, VHD_HEADER_COOKIE, VHD_COOKIE_SIZE) != 0)
    return layer_error (layer, error, EINVAL, "header: no cookie \"%s\"",
                        VHD_HEADER_COOKIE);
  if (checksum != expected)
    return layer_error (layer, error, EINVAL, "header: checksum 0x%08" PRIx32
                        ", expected 0x%08" PRIx32, checksum, expected);
  if (version >> 16 != VHD_VERSION_MAJOR)
    return layer_error (layer, error, ENOTSUP,
                        "header: version %" PRIu32 ".%" PRIu32
                        ", must be %d.x", version >> 16, version & 0xffff,
                        VHD_VERSION_MAJOR);
  if (!is_power_of_2 (block_size) || block_size < VHD_SECTOR_SIZE)
    return layer_error (layer, error, EINVAL, "header: block size %" PRIu32
                        ", must be a power of two of at least %d",
                        block_size, VHD_SECTOR_SIZE);
  return 0;
}

static void
parse_header (const struct vhd_dynamic_header *raw,
              struct dynamic_header *header)
{
  size_t i;

  header->table_offset = get_be64 (raw->table_offset);
  header->max_table_entries = get_be32 (raw->max_table_entries);
  header->block_size = get_be32 (raw->block_size);
  memcpy (header->parent_uuid, raw->parent_uuid, sizeof raw->parent_uuid);
  header->parent_time_stamp = get_be32 (raw->parent_time_stamp);
  memcpy (header->parent_name, raw->parent_name, sizeof raw->parent_name);
  for (i = 0; i < VHD_LOCATORS; ++i) {
    header->locators[i].code = get_be32 (raw->locators[i].code);
    header->locators[i].space = get_be32 (raw->locators[i].data_space);
    header->locators[i].length = get_be32 (raw->locators[i].data_length);
    header->locators[i].offset = get_be64 (raw->locators[i].data_offset);
  }
}

int
vhd_read_header (const struct layer *layer, const struct footer *footer,
                 struct dynamic_header *header, struct vdisk_error *error)
{
  struct vhd_dynamic_header raw;

  if (!range_within (footer->header_offset, sizeof raw,
                     layer->source->size))
    return layer_error (layer, error, EINVAL,
                        "footer: header at offset %" PRIu64
                        ", beyond the end of the file (%" PRIu64 " bytes)",
                        footer->header_offset, layer->source->size);
  if (source_pread (layer->source, &raw, sizeof raw, footer->header_offset,
                    error) == -1 ||
      check_header (layer, &raw, error) == -1)
    return -1;
  parse_header (&raw, header);
  return 0;
}

/* Blocks lie in the first 2 TiB of a file, so that a disk much larger than
 * that can but be empty. */
static int
check_dynamic_size (const struct layer *layer, struct vdisk_error *error)
{
  if (layer->size > VHD_DYNAMIC_SIZE_MAX)
    return layer_error (layer, error, EINVAL, "footer: disk of %" PRIu64
                        " bytes, must be at most %" PRIu64 " unless it is "
                        "fixed", layer->size, VHD_DYNAMIC_SIZE_MAX);
  return 0;
}

/* The BAT must speak of the whole disk, and that part of it must be there.
 * It may be larger than that: tools make it so for disks that may grow. */
static int
check_bat (const struct layer *layer, const struct dynamic_header *header,
           struct vdisk_error *error)
{
  const uint64_t entries = divide_up (layer->size, header->block_size);

  if (entries > header->max_table_entries)
    return layer_error (layer, error, EINVAL, "header: %" PRIu32
                        " BAT entries for blocks of %" PRIu32
                        " bytes do not cover the disk (%" PRIu64 " bytes)",
                        header->max_table_entries, header->block_size,
                        layer->size);
  if (entries > VHD_BAT_ENTRIES_MAX)
    return layer_error (layer, error, EINVAL, "header: the disk needs %"
                        PRIu64 " BAT entries, must be at most %d", entries,
                        VHD_BAT_ENTRIES_MAX);
  if (!range_within (header->table_offset, entries * sizeof (be32),
                     layer->source->size))
    return layer_error (layer, error, EINVAL, "header: BAT of %" PRIu64
                        " entries at offset %" PRIu64
                        " reaches beyond the end of the file (%" PRIu64
                        " bytes)", entries, header->table_offset,
                        layer->source->size);
  return 0;
}

int
vhd_check_header_size (const struct layer *layer,
                       const struct dynamic_header *header,
                       struct vdisk_error *error)
{
  if (check_bat (layer, header, error) == -1)
    return -1;
  return check_dynamic_size (layer, error);
}
