/* SPDX-License-Identifier: BSD-3-Clause */
/* Checking each BAT entry by itself, and the bitmap of its block. */

#include "format/vhd/check/check.h"

#include <inttypes.h>

#include "options.h"
#include "source/source.h"
#include "util/align.h"
#include "util/minmax.h"

/* Bytes of a bitmap read at a time; mostly it has but 512. */
#define CHUNK 4096

/* A block that starts this close after the one before it follows it:
 * libvhd leaves such gaps, so that data is aligned. */
#define NEXT_MAX 4096

/* Reading its bitmap takes so much longer than anything else that is done
 * to an entry. */
#define WEIGHT 16

/* Count the bits that are set, of 'count' in as many bytes as they take,
 * the first one most significant. */
static uint64_t
count_bits (const uint8_t *bytes, uint64_t count)
{
  uint64_t set = 0, i;

  for (i = 0; i < count / 8; ++i)
    set += __builtin_popcount (bytes[i]);
  if (count % 8 != 0)
    set += __builtin_popcount (bytes[i] >> (8 - count % 8));
  return set;
}

/* Count the sectors of a block, of 'sectors' that are on the disk, that
 * are present.  Do those that are not have bytes, as far as is looked at? */
static int
count_present (struct vhd_walk *walk, uint64_t offset, uint64_t sectors,
               uint64_t *present, bool *lies)
{
  const uint64_t data = offset + walk->vhd->bitmap_size;
  uint8_t chunk[CHUNK];
  uint64_t done, count;

  *present = 0;
  *lies = false;
  for (done = 0; done < sectors; done += count) {
    count = min_u64 (sectors - done, 8 * CHUNK);
    if (vhd_read_bitmap (walk->layer, chunk, divide_up (count, 8),
                         offset + done / 8, walk->error) == -1)
      return -1;
    *present += count_bits (chunk, count);
    if (vhd_find_absent (walk->layer, chunk, count,
                         data + done * VHD_SECTOR_SIZE,
                         &walk->bitmaps.budget, lies, walk->error) == -1)
      return -1;
  }
  return 0;
}

static int
check_bitmap (struct vhd_walk *walk, uint64_t number, uint64_t offset)
{
  const unsigned bits = walk->vhd->block_bits;
  const uint64_t left = walk->layer->size - (number << bits);
  const uint64_t sectors =
    divide_up (min_u64 (left, UINT64_C (1) << bits), VHD_SECTOR_SIZE);
  struct vhd_bitmaps *bitmaps = &walk->bitmaps;
  uint64_t present;
  bool lies;

  if (count_present (walk, offset, sectors, &present, &lies) == -1)
    return -1;
  bitmaps->count++;
  bitmaps->looked_at += lies || (present < sectors && bitmaps->budget > 0);
  if (lies && bitmaps->lying++ == 0)
    bitmaps->first_lying = number;
  if (!vhd_batmap_has (walk->vhd, number)) {
    if (present == 0 && bitmaps->empty++ == 0)
      bitmaps->first_empty = number;
  }
  else if (present < sectors)
    report_finding (walk->report, VDISK_ERROR, "batmap: block %" PRIu64 " is "
                    "marked as complete, but only %" PRIu64 " of its %" PRIu64
                    " sectors are present by its bitmap", number, present,
                    sectors);
  return 0;
}

/* Count a block of the disk that has a place. */
static void
count_block (struct vhd_walk *walk, uint64_t offset)
{
  struct vdisk_check *check = walk->report->check;

  check->allocated_clusters++;
  if (walk->last_end != 0 &&
      (offset < walk->last_end || offset - walk->last_end >= NEXT_MAX))
    check->fragmented_clusters++;
  walk->last_end = offset + walk->block_size;
}

static void
count_unused (struct vhd_walk *walk, uint64_t number)
{
  if (vhd_batmap_has (walk->vhd, number) && walk->bitmaps.absent++ == 0)
    walk->bitmaps.first_absent = number;
}

static int
check_entry (void *opaque, uint64_t number, uint32_t sector)
{
  struct vhd_walk *walk = opaque;
  const uint64_t offset = (uint64_t) sector * VHD_SECTOR_SIZE;
  struct vdisk_check *check = walk->report->check;
  const bool on_disk = number < walk->blocks;
  const struct vhd_area *area;

  if (sector == VHD_BAT_UNUSED) {
    count_unused (walk, number);
    return 0;
  }
  if (on_disk)
    count_block (walk, offset);
  if (vhd_run_goes_on (walk, number, sector))
    return 0;
  switch (vhd_judge_place (walk, sector, &area)) {
  case VHD_PLACE_BEYOND:
    vhd_run_start (walk, number, sector, "reaches beyond the end of the "
                   "file (%" PRIu64 " bytes)", walk->layer->source->size);
    return 0;
  case VHD_PLACE_TAKEN:
    vhd_run_start (walk, number, sector, "overlaps %s at offset %" PRIu64,
                   area->name, area->offset);
    return 0;
  case VHD_PLACE_FREE:
    break;
  }
  vhd_touch_window (walk, sector);
  check->image_end_offset = max_u64 (check->image_end_offset,
                                     offset + walk->block_size);
  if (walk->vhd->ignore_bitmaps || !on_disk)
    return 0;
  return check_bitmap (walk, number, offset);
}

static int
check_stray (void *opaque, uint64_t number, uint32_t sector)
{
  struct vhd_walk *walk = opaque;

  if (sector != VHD_BAT_UNUSED && walk->strays++ == 0)
    walk->first_stray = number;
  return 0;
}

/* Report what has been counted. */
static void
report_counts (struct vhd_walk *walk)
{
  const struct vhd_bitmaps *bitmaps = &walk->bitmaps;

  if (walk->strays > 0)
    report_finding (walk->report, VDISK_WARNING, "BAT: entries beyond the "
                    "end of the disk are in use: %" PRIu64 ", the first is "
                    "entry %" PRIu64, walk->strays, walk->first_stray);
  if (bitmaps->absent > 0)
    report_finding (walk->report, VDISK_WARNING, "batmap: blocks that are "
                    "not allocated are marked as complete: %" PRIu64 ", the "
                    "first is block %" PRIu64, bitmaps->absent,
                    bitmaps->first_absent);
  if (bitmaps->lying > 0)
    report_finding (walk->report, VDISK_WARNING, "bitmaps: %" PRIu64 " of %"
                    PRIu64 " blocks looked at hold bytes in sectors that are "
                    "absent by their bitmaps, and read as zeros, the first is "
                    "block %" PRIu64 ": if they are by a program that does not "
                    "keep bitmaps, %ssector-bitmaps=ignore shows them",
                    bitmaps->lying, bitmaps->looked_at, bitmaps->first_lying,
                    options_prefix (walk->layer->options));
  if (bitmaps->empty == 0)
    return;
  if (bitmaps->empty == bitmaps->count &&
      walk->vhd->footer.type == VHD_DYNAMIC)
    report_finding (walk->report, VDISK_WARNING, "bitmaps: those of all %"
                    PRIu64 " allocated blocks are empty, so the disk reads as "
                    "zeros; if they are by a tool that never sets bitmaps, "
                    "%ssector-bitmaps=ignore shows what the blocks hold",
                    bitmaps->count, options_prefix (walk->layer->options));
  else
    report_finding (walk->report, VDISK_WARNING, "bitmaps: those of %" PRIu64
                    " of %" PRIu64 " allocated blocks are empty, the first is "
                    "that of block %" PRIu64, bitmaps->empty, bitmaps->count,
                    bitmaps->first_empty);
}

int
vhd_check_bat (struct vhd_walk *walk)
{
  struct vdisk_check *check = walk->report->check;
  size_t i;

  check->total_clusters = walk->blocks;
  for (i = 0; i < walk->area_count; ++i)
    if (!walk->areas[i].is_end_footer)
      check->image_end_offset = max_u64 (check->image_end_offset,
                                         walk->areas[i].end);
  walk->total = walk->entries * (WEIGHT + walk->windows) +
    walk->entries_max - walk->entries;
  if (vhd_walk_bat (walk, 0, walk->entries, WEIGHT, check_entry,
                    walk) == -1 ||
      vhd_walk_bat (walk, walk->entries, walk->entries_max, 1, check_stray,
                    walk) == -1)
    return -1;
  report_counts (walk);
  return 0;
}
