/* SPDX-License-Identifier: BSD-3-Clause */
/* The VHD driver: probing, opening, closing, and the map of fixed disks.
 * Where a dynamic disk's bytes are is in map.c, footers in
 * footer.c, which size counts in size.c, parents in parent.c;
 * what is told of an image in describe.c and check/check.c.
 */

#include "format/format.h"
#include "format/vhd/driver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "source/source.h"
#include "util/align.h"
#include "util/checked.h"
#include "util/minmax.h"

/* A fixed disk has no blocks: what allocates is the file system under it,
 * mostly by this much. */
#define FIXED_CLUSTER_SIZE 4096

/* A part of a block can be read like any other part of a file.  Clients
 * make requests at least as large as this, and a server may have a buffer
 * for each of many threads. */
#define PREFERRED_SIZE 4096

static bool
vhd_probe (const struct probe *probe)
{
  /* At the end the cookie may be a byte late: see footer.c. */
  return memcmp (probe->head, VHD_FOOTER_COOKIE, VHD_COOKIE_SIZE) == 0 ||
    memcmp (probe->tail, VHD_FOOTER_COOKIE, VHD_COOKIE_SIZE) == 0 ||
    memcmp (probe->tail + 1, VHD_FOOTER_COOKIE, VHD_COOKIE_SIZE) == 0;
}

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

/* Take what the header says, but for the parent. */
static void
take_header (struct layer *layer, struct vhd *vhd,
             const struct dynamic_header *header)
{
  const uint64_t bitmap_bytes = divide_up (header->block_size /
                                           VHD_SECTOR_SIZE, 8);
  const uint64_t file_size = layer->source->size;
  const uint64_t entries = header->table_offset > file_size ? 0
    : min_u64 (header->max_table_entries,
               (file_size - header->table_offset) / sizeof (be32));

  layer->cluster_size = header->block_size;
  layer->granularity = VHD_SECTOR_SIZE;
  vhd->bat_offset = header->table_offset;
  vhd->block_bits = log2_of (header->block_size);
  vhd->bitmap_size = round_up (bitmap_bytes, VHD_SECTOR_SIZE);
  vhd->room = min_u64 (min_u64 (entries, VHD_BAT_ENTRIES_MAX) <<
                       vhd->block_bits, VHD_DYNAMIC_SIZE_MAX);
  vhd->ignore_bitmaps = vhd->footer.type == VHD_DYNAMIC &&
    layer->options->ignore_sector_bitmaps;
  vhd->absent_budget = vhd_bitmaps_may_lie (vhd) ? VHD_ABSENT_SIZE_MAX : 0;
}

/* Of the BAT, which may have room for more, what the disk uses, whichever
 * of the two sizes counts. */
static void
note_structures (const struct layer *layer, struct vhd *vhd,
                 const struct dynamic_header *header)
{
  const uint64_t used = min_u64 (max_u64 (vhd->footer.current_size,
                                          layer->size), vhd->room);
  size_t i;

  vhd_add_structure (vhd, "footer copy", 0, sizeof (struct vhd_footer));
  vhd_add_structure (vhd, "header", vhd->footer.header_offset,
                     sizeof (struct vhd_dynamic_header));
  vhd_add_structure (vhd, "BAT", header->table_offset,
                     divide_up (used, header->block_size) * sizeof (be32));
  if (vhd->footer.offset != 0)
    vhd_add_structure (vhd, "footer", vhd->footer.offset,
                       sizeof (struct vhd_footer));
  for (i = 0; i < VHD_LOCATORS; ++i)
    if (vhd->footer.type == VHD_DIFFERENCING &&
        vhd_locator_has_place (layer, &header->locators[i]))
      vhd_add_structure (vhd, "parent locator", header->locators[i].offset,
                         header->locators[i].length);
}

static int
open_dynamic (struct layer *layer, struct vhd *vhd,
              struct vdisk_error *error)
{
  struct dynamic_header header;

  if (vhd_read_header (layer, &vhd->footer, &header, error) == -1)
    return -1;
  take_header (layer, vhd, &header);
  note_structures (layer, vhd, &header);
  vhd->index = vhd_index_new ();
  if (vhd->index == NULL)
    return error_no_memory (error, layer->source->name);
  if (vhd_choose_size (layer, error) == -1 ||
      check_bat (layer, &header, error) == -1 ||
      check_dynamic_size (layer, error) == -1 ||
      vhd_read_batmap (layer, vhd, &header, error) == -1)
    return -1;
  if (vhd->footer.type == VHD_DYNAMIC)
    return 0;
  memcpy (vhd->parent_uuid, header.parent_uuid, sizeof vhd->parent_uuid);
  vhd->parent_time_stamp = header.parent_time_stamp;
  return vhd_read_parent (layer, &header, error);
}

static int
open_fixed (struct layer *layer, struct vhd *vhd,
            struct vdisk_error *error)
{
  vhd->room = vhd->footer.offset;
  if (vhd_choose_size (layer, error) == -1)
    return -1;
  if (layer->size > vhd->footer.offset)
    return layer_error (layer, error, EINVAL, "footer: disk of %" PRIu64
                        " bytes, but there are only %" PRIu64
                        " before the footer", layer->size,
                        vhd->footer.offset);
  layer->cluster_size = FIXED_CLUSTER_SIZE;
  layer->granularity = LAYER_UNDIVIDED;
  return 0;
}

static int
vhd_open (struct layer *layer, struct vdisk_error *error)
{
  struct vhd *vhd = calloc (1, sizeof *vhd);

  if (vhd == NULL)
    return error_no_memory (error, layer->source->name);
  layer->state = vhd;
  if (vhd_read_footer (layer, &vhd->footer, error) == -1)
    return -1;
  layer->size = vhd_disk_size (&vhd->footer, layer->options->size);
  layer->preferred_size = PREFERRED_SIZE;
  if (vhd->footer.type == VHD_FIXED)
    return open_fixed (layer, vhd, error);
  return open_dynamic (layer, vhd, error);
}

static void
vhd_close (struct layer *layer)
{
  struct vhd *vhd = layer->state;

  if (vhd == NULL)
    return;
  vhd_index_free (vhd->index);
  free (vhd->batmap);
  free (vhd);
  layer->state = NULL;
}

static int
vhd_map (struct layer *layer, uint64_t offset, uint64_t count,
         struct interval_list *out, struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;

  if (vhd->footer.type == VHD_FIXED)
    return layer_append_data (layer, out, offset, count, offset, "footer",
                              error);
  return vhd_map_blocks (layer, offset, count, out, error);
}

static bool
vhd_qemu_finds_holes (const struct layer *layer)
{
  const struct vhd *vhd = layer->state;

  return vhd->footer.type == VHD_FIXED;
}

const struct format format_vhd = {
  .name = "vhd",
  .probe = vhd_probe,
  .open = vhd_open,
  .close = vhd_close,
  .accept_parent = vhd_accept_parent,
  .settle = vhd_settle,
  .map = vhd_map,
  .describe = vhd_describe,
  .check = vhd_check,
  .qemu_finds_holes = vhd_qemu_finds_holes,
};
