/* SPDX-License-Identifier: BSD-3-Clause */
/* Xen's batmap: a bit for each block that tells that all its sectors are
 * present, which saves reading its bitmap.
 *
 * It is a shortcut, so whatever is wrong with it only means that bitmaps
 * are read.  Trusted wrongly it would show the guest stale bytes of the
 * volume.  So it counts only in images made by Xen's tools: elsewhere the
 * sector after the BAT may be a block's bitmap, which the guest writes.
 * And its checksum covers only the sectors that libvhd counts for the size
 * of the disk, rounding down to whole bytes first: no bit outside counts.
 */

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

/* Tools older than this made none. */
#define CREATOR_VERSION_MIN 0x00000002

/* How many bytes of the map the checksum covers. */
static uint64_t
covered_bytes (const struct footer *footer)
{
  const uint64_t bytes = footer->current_size / VHD_BATMAP_BLOCK_SIZE / 8;

  return max_u64 (round_up (bytes, VHD_SECTOR_SIZE), VHD_SECTOR_SIZE);
}

/* Version 1.1 summed signed bytes. */
static uint32_t
checksum (const uint8_t *map, uint64_t size, uint32_t version)
{
  uint32_t sum = 0;
  uint64_t i;

  for (i = 0; i < size; ++i)
    sum += version == VHD_BATMAP_VERSION_SIGNED ?
      (uint32_t) (int8_t) map[i] : map[i];
  return ~sum;
}

/* Take where the map is from its header: it needs 'size' bytes. */
static int
check_batmap_header (const struct layer *layer,
                     const struct vhd_batmap_header *raw, uint64_t size,
                     struct vhd_batmap *batmap)
{
  const uint32_t version = get_be32 (raw->version);
  struct vdisk_error *problem = &batmap->problem;

  batmap->offset = get_be64 (raw->map_offset);
  batmap->size = (uint64_t) get_be32 (raw->map_sectors) * VHD_SECTOR_SIZE;
  if (version > VHD_BATMAP_VERSION_MAX)
    return error_set (problem, EINVAL,
                      "version %" PRIu32 ".%" PRIu32 ", must be at most 1.2",
                      version >> 16, version & 0xffff);
  if (batmap->size < size)
    return error_set (problem, EINVAL,
                      "%" PRIu64 " bytes, the disk needs %" PRIu64,
                      batmap->size, size);
  if (!range_within (batmap->offset, size, layer->source->size))
    return error_set (problem, EINVAL,
                      "%" PRIu64 " bytes at offset %" PRIu64
                      " reach beyond the end of the file (%" PRIu64
                      " bytes)", size, batmap->offset, layer->source->size);
  return 0;
}

/* Read 'size' bytes of the map, and keep them if their checksum is
 * right. */
static int
read_map (const struct layer *layer, const struct vhd_batmap_header *raw,
          uint64_t size, struct vhd_batmap *batmap,
          struct vdisk_error *error)
{
  const uint32_t recorded = get_be32 (raw->checksum);
  uint8_t *bits = malloc (size);
  uint32_t expected;

  if (bits == NULL)
    return error_no_memory (error, layer->source->name);
  if (source_pread (layer->source, bits, size, batmap->offset,
                    error) == -1) {
    free (bits);
    return -1;
  }
  expected = checksum (bits, size, get_be32 (raw->version));
  if (recorded == expected) {
    batmap->bits = bits;
    batmap->blocks = size * 8;
    return 0;
  }
  free (bits);
  error_record (&batmap->problem, EINVAL,
                "checksum 0x%08" PRIx32 ", expected 0x%08" PRIx32,
                recorded, expected);
  return 0;
}

int
vhd_find_batmap (const struct layer *layer, const struct footer *footer,
                 const struct dynamic_header *header,
                 struct vhd_batmap *batmap, struct vdisk_error *error)
{
  const uint64_t size = covered_bytes (footer);
  struct vhd_batmap_header raw;

  *batmap = (struct vhd_batmap) { 0 };
  if (!vhd_creator_is_xen (footer) ||
      footer->creator_version < CREATOR_VERSION_MIN ||
      header->block_size != VHD_BATMAP_BLOCK_SIZE || size > VHD_BATMAP_SIZE_MAX)
    return 0;
  /* The offset was checked against the size of the file, so that there is
   * room for the BAT in 64 bits. */
  batmap->header_offset = header->table_offset +
    round_up ((uint64_t) header->max_table_entries * sizeof (be32),
              VHD_SECTOR_SIZE);
  if (!range_within (batmap->header_offset, sizeof raw,
                     layer->source->size))
    return 0;
  if (source_pread (layer->source, &raw, sizeof raw, batmap->header_offset,
                    error) == -1)
    return -1;
  if (memcmp (raw.cookie, VHD_BATMAP_COOKIE, VHD_COOKIE_SIZE) != 0)
    return 0;
  batmap->found = true;
  if (check_batmap_header (layer, &raw, size, batmap) == -1)
    return 0;
  return read_map (layer, &raw, size, batmap, error);
}

int
vhd_read_batmap (const struct layer *layer, struct vhd *vhd,
                 const struct dynamic_header *header,
                 struct vdisk_error *error)
{
  struct vhd_batmap batmap;

  if (vhd_find_batmap (layer, &vhd->footer, header, &batmap, error) == -1)
    return -1;
  if (batmap.problem.errnum != 0)
    layer_warn (layer, "batmap: %s: ignored", error_raw (&batmap.problem));
  if (batmap.bits) {
    vhd_add_structure (vhd, "batmap header", batmap.header_offset,
                       VHD_SECTOR_SIZE);
    vhd_add_structure (vhd, "batmap", batmap.offset, batmap.blocks / 8);
  }
  vhd->batmap = batmap.bits;
  vhd->batmap_blocks = batmap.blocks;
  return 0;
}

bool
vhd_batmap_has (const struct vhd *vhd, uint64_t block)
{
  return block < vhd->batmap_blocks &&
    (vhd->batmap[block / 8] << block % 8 & 0x80) != 0;
}
