/* SPDX-License-Identifier: BSD-3-Clause */
/* The VHD driver: probing, opening and closing.  Footers are in footer.c, the
 * header's rules in header.c, which size counts in size.c, parents in
 * parent.c, where a disk's bytes are in map.c; what is told of an image in
 * describe.c and check/check.c.
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
#include "util/minmax.h"
#include "util/uuid.h"

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
      vhd_check_header_size (layer, &header, error) == -1 ||
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
  uuid_text (vhd->footer.uuid, layer->uuid);
  layer->time_stamp = VHD_EPOCH + (int64_t) vhd->footer.time_stamp;
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
