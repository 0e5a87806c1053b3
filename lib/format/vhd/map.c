/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the bytes of VHDs are: of fixed ones, all before the footer.
 *
 * In dynamic and differencing ones the BAT tells where each block lies, and
 * the block's bitmap which of its sectors were written: of the others the
 * block holds nothing, or stale bytes of the volume.  Neither is kept in
 * memory, since a chain has many of them.  The BAT entries that a range
 * needs are read together, and of the bitmaps the part that it needs.
 */

#include "format/vhd/driver.h"

#include <errno.h>
#include <inttypes.h>

#include "source/source.h"
#include "util/align.h"
#include "util/minmax.h"

/* What is read at a time into the stack. */
#define BAT_CHUNK 1024          /* entries: 2 GiB of a usual disk */
#define BITMAP_CHUNK 4096       /* bytes: 16 MiB */

/* Blocks of less than 32 KiB: several bitmaps can be read at once. */
#define SMALL_BLOCK_BITS 15

/* A block that is present. */
struct block {
  uint64_t number;
  uint32_t sector;              /* its BAT entry */
  uint64_t offset;              /* on the guest disk */
  uint64_t bitmap;              /* where its bitmap is in the file */
  uint64_t data;                /* where its data is */
  bool is_apart;                /* from all other structures */
};

/* A piece of a block's bitmap. */
struct bits {
  be64 words[BITMAP_CHUNK / sizeof (be64)];
  uint64_t offset;              /* of the first bit, on the guest disk */
};

static int
block_error (const struct layer *layer, const struct block *block,
             const char *what, uint64_t end, struct vdisk_error *error)
{
  return layer_error (layer, error, EIO,
                      "BAT: entry %" PRIu64 ": block at sector 0x%" PRIx32
                      " has %s up to offset %" PRIu64
                      ", beyond the end of the file (%" PRIu64 " bytes)",
                      block->number, block->sector, what, end,
                      layer->source->size);
}

/* Append sectors that are present, or parts of them.  If one lies over
 * something else, all of it is damaged. */
static int
append_apart (const struct layer *layer, const struct block *block,
              uint64_t offset, uint64_t length, uint64_t host,
              struct interval_list *out, struct vdisk_error *error)
{
  const struct vhd_structure *structure = block->is_apart ? NULL
    : vhd_structure_in (layer->state, round_down (host, VHD_SECTOR_SIZE),
                        round_up (host + length, VHD_SECTOR_SIZE));
  uint64_t end = host + length;

  if (structure)
    end = max_u64 (round_down (structure->offset, VHD_SECTOR_SIZE), host);
  if (end > host &&
      layer_append_data (layer, out, offset, end - host, host, "BAT",
                         error) == -1)
    return -1;
  if (structure)
    return layer_error (layer, error, EIO, "BAT: entry %" PRIu64 ": block "
                        "at sector 0x%" PRIx32 ": its data lies over the %s "
                        "at offset %" PRIu64, block->number, block->sector,
                        structure->name, structure->offset);
  return 0;
}

/* Append sectors that are present.  Each must be wholly in the file: no
 * writer leaves one out. */
static int
append_sectors (const struct layer *layer, const struct block *block,
                uint64_t offset, uint64_t end, struct interval_list *out,
                struct vdisk_error *error)
{
  const uint64_t host = block->data + (offset - block->offset);
  const uint64_t limit = round_down (layer->source->size, VHD_SECTOR_SIZE);
  const uint64_t room = host < limit ? limit - host : 0;
  const uint64_t length = min_u64 (end - offset, room);

  if (length > 0 &&
      append_apart (layer, block, offset, length, host, out, error) == -1)
    return -1;
  if (length < end - offset)
    return block_error (layer, block, "data",
                        round_down (host + length, VHD_SECTOR_SIZE) +
                        VHD_SECTOR_SIZE, error);
  return 0;
}

/* The first bit from 'bit' on that differs from it, or 'end'. */
static unsigned
run_end (const be64 *words, unsigned bit, unsigned end, bool value)
{
  const uint64_t same = value ? UINT64_MAX : 0;

  while (bit < end) {
    /* Bits of the run become 0, and so do those before 'bit', which are
     * shifted out. */
    uint64_t different = (get_be64 (words[bit / 64]) ^ same) << bit % 64;

    if (different != 0)
      return min_u64 (bit + __builtin_clzll (different), end);
    bit = round_down (bit, 64) + 64;
  }
  return end;
}

/* Append what the bits say of [offset, end). */
static int
append_runs (const struct layer *layer, const struct block *block,
             const struct bits *bits, uint64_t offset, uint64_t end,
             struct interval_list *out, struct vdisk_error *error)
{
  const unsigned last = divide_up (end - bits->offset, VHD_SECTOR_SIZE);
  unsigned bit = (offset - bits->offset) / VHD_SECTOR_SIZE;

  while (bit < last) {
    const bool present = get_be64 (bits->words[bit / 64]) << bit % 64 >> 63;
    uint64_t stop;
    int r;

    bit = run_end (bits->words, bit, last, present);
    stop = min_u64 (bits->offset + (uint64_t) bit * VHD_SECTOR_SIZE, end);
    if (present)
      r = append_sectors (layer, block, offset, stop, out, error);
    else {
      vhd_look_at_absent (layer, block->number,
                          block->data + (offset - block->offset),
                          stop - offset);
      r = layer_append_empty (layer, out, VDISK_HOLE, offset, stop - offset,
                              error);
    }
    if (r == -1)
      return -1;
    offset = stop;
  }
  return 0;
}

int
vhd_read_bitmap (const struct layer *layer, void *buffer, size_t count,
                 uint64_t offset, struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;

  if (vhd->block_bits < SMALL_BLOCK_BITS)
    return source_pread (layer->source, buffer, count, offset, error);
  return source_pread_data (layer->source, buffer, count, offset, error);
}

/* Read the part of the block's bitmap that speaks of [offset, end), as
 * much of it as fits; sets *stop to the end of that. */
static int
read_bits (const struct layer *layer, const struct block *block,
           uint64_t offset, uint64_t end, struct bits *bits, uint64_t *stop,
           struct vdisk_error *error)
{
  const uint64_t step = 8 * VHD_SECTOR_SIZE;    /* a byte's worth */
  const uint64_t first = (offset - block->offset) / step;
  const uint64_t host = block->bitmap + first;
  const uint64_t size = layer->source->size;
  uint64_t count = divide_up (end - block->offset, step) - first;

  count = min_u64 (count, sizeof bits->words);
  count = min_u64 (count, host < size ? size - host : 0);
  if (count == 0)
    return block_error (layer, block, "its bitmap", host + 1, error);
  bits->words[(count - 1) / sizeof (be64)] = to_be64 (0);
  bits->offset = block->offset + first * step;
  *stop = min_u64 (bits->offset + count * step, end);
  return vhd_read_bitmap (layer, bits->words, count, host, error);
}

/* Append what a block that is present says of [offset, end). */
static int
map_block (const struct layer *layer, const struct block *block,
           uint64_t offset, uint64_t end, struct interval_list *out,
           struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;
  struct bits bits;
  uint64_t stop;

  out->work += end - offset;
  if (vhd_check_place (layer, block->number, block->sector, error) == -1)
    return -1;
  if (vhd->ignore_bitmaps || vhd_batmap_has (vhd, block->number))
    return append_sectors (layer, block, offset, end, out, error);

  for (; offset < end; offset = stop) {
    if (read_bits (layer, block, offset, end, &bits, &stop, error) == -1 ||
        append_runs (layer, block, &bits, offset, stop, out, error) == -1)
      return -1;
  }
  return 0;
}

/* Append what the block 'number', whose BAT entry is 'entry', says of
 * [offset, end). */
static int
map_entry (const struct layer *layer, uint64_t number, uint32_t entry,
           uint64_t offset, uint64_t end, struct interval_list *out,
           struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;
  const uint64_t host = (uint64_t) entry * VHD_SECTOR_SIZE;
  struct block block = {
    .number = number,
    .sector = entry,
    .offset = number << vhd->block_bits,
    .bitmap = host,
    .data = host + vhd->bitmap_size,
  };

  if (entry == VHD_BAT_UNUSED)
    return layer_append_empty (layer, out, VDISK_HOLE, offset, end - offset,
                               error);
  block.is_apart =
    vhd_structure_in (vhd, block.data, block.data +
                      (UINT64_C (1) << vhd->block_bits)) == NULL;
  return map_block (layer, &block, offset, end, out, error);
}

/* The map of a dynamic or differencing disk. */
static int
map_blocks (const struct layer *layer, uint64_t offset, uint64_t count,
            struct interval_list *out, struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;
  const uint64_t end = offset + count;
  be32 bat[BAT_CHUNK];

  while (offset < end) {
    const uint64_t first = offset >> vhd->block_bits;
    const uint64_t last = (end - 1) >> vhd->block_bits;
    const size_t entries = min_u64 (last - first + 1, BAT_CHUNK);
    size_t i;

    if (source_pread (layer->source, bat, entries * sizeof bat[0],
                      vhd->bat_offset + first * sizeof bat[0], error) == -1)
      return -1;
    for (i = 0; i < entries; ++i) {
      const uint64_t stop = min_u64 ((first + i + 1) << vhd->block_bits,
                                     end);

      if (map_entry (layer, first + i, get_be32 (bat[i]), offset, stop, out,
                     error) == -1)
        return -1;
      offset = stop;
    }
  }
  return 0;
}

int
vhd_map (struct layer *layer, uint64_t offset, uint64_t count,
         struct interval_list *out, struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;

  if (vhd->footer.type == VHD_FIXED)
    return layer_append_data (layer, out, offset, count, offset, "footer",
                              error);
  return map_blocks (layer, offset, count, out, error);
}
