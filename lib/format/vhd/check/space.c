/* SPDX-License-Identifier: BSD-3-Clause */
/* Which space of the file blocks take: some twice, some not at all.
 *
 * The file is seen as slots, each as long as a block with its bitmap.  A
 * block starts in one slot and ends in that or the next.  So two blocks
 * that start in the same slot overlap, and otherwise only those in
 * neighbouring slots can: all that has to be known of a slot is the first
 * and the last block that starts in it.  That is kept for a window of
 * slots.  For a larger file the BAT is gone over again for each window in
 * which any block starts.
 */

#include "format/vhd/check/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "source/source.h"
#include "util/align.h"
#include "util/minmax.h"

struct slot {
  uint32_t low, high;           /* sectors; VHD_BAT_UNUSED: empty */
  uint32_t low_entry, high_entry;
};

struct space {
  struct vhd_walk *walk;
  struct slot *slots;           /* the last of the window before, then
                                   those of the window */
  uint64_t room;                /* of the window */
  uint64_t first;               /* slot that the window starts with */
  uint64_t slot_sectors;
  uint64_t cursor;              /* space before this has been looked at */
  size_t area;                  /* and areas before this one */
  bool is_device;
};

static uint64_t
slot_count (const struct vhd_walk *walk)
{
  const uint64_t file_sectors =
    min_u64 (walk->layer->source->size / VHD_SECTOR_SIZE, VHD_BAT_UNUSED);

  return file_sectors / (walk->block_size / VHD_SECTOR_SIZE) + 1;
}

int
vhd_init_windows (struct vhd_walk *walk)
{
  walk->windows = divide_up (slot_count (walk), walk->window);
  walk->touched = calloc (divide_up (walk->windows, 8), 1);
  if (walk->touched == NULL)
    return error_no_memory (walk->error, walk->layer->source->name);
  return 0;
}

void
vhd_touch_window (struct vhd_walk *walk, uint32_t sector)
{
  const uint64_t window =
    sector / (walk->block_size / VHD_SECTOR_SIZE) / walk->window;

  walk->touched[window / 8] |= 1 << (window % 8);
}

static bool
is_touched (const struct vhd_walk *walk, uint64_t window)
{
  return walk->touched[window / 8] >> (window % 8) & 1;
}

/* A block already seen that overlaps one that starts in the slot 'at', or
 * false. */
static bool
find_overlap (const struct space *space, const struct slot *at,
              uint32_t sector, uint32_t *entry, uint32_t *other)
{
  const struct slot *before = at - 1, *after = at + 1;

  if (at->low != VHD_BAT_UNUSED) {
    *entry = at->low_entry;
    *other = at->low;
    return true;
  }
  if (before->high != VHD_BAT_UNUSED &&
      before->high + space->slot_sectors > sector) {
    *entry = before->high_entry;
    *other = before->high;
    return true;
  }
  if (after <= space->slots + space->room &&
      after->low != VHD_BAT_UNUSED &&
      sector + space->slot_sectors > after->low) {
    *entry = after->low_entry;
    *other = after->low;
    return true;
  }
  return false;
}

static void
put (struct slot *slot, uint32_t entry, uint32_t sector)
{
  const bool empty = slot->low == VHD_BAT_UNUSED;

  if (empty || sector < slot->low) {
    slot->low = sector;
    slot->low_entry = entry;
  }
  if (empty || sector > slot->high) {
    slot->high = sector;
    slot->high_entry = entry;
  }
}

/* Blocks whose place is wrong anyway have been reported. */
static int
place_block (void *opaque, uint64_t number, uint32_t sector)
{
  struct space *space = opaque;
  struct vhd_walk *walk = space->walk;
  const uint64_t index = sector / space->slot_sectors - space->first;
  const struct vhd_area *area;
  struct slot *slot;
  uint32_t entry, other;

  if (sector == VHD_BAT_UNUSED || index >= space->room ||
      vhd_judge_place (walk, sector, &area) != VHD_PLACE_FREE)
    return 0;
  slot = &space->slots[1 + index];
  if (!vhd_run_goes_on (walk, number, sector) &&
      find_overlap (space, slot, sector, &entry, &other))
    vhd_run_start (walk, number, sector, "overlaps that of entry %" PRIu32
                   " at sector 0x%" PRIx32, entry, other);
  put (slot, number, sector);
  return 0;
}

/* Report space before 'offset' that nothing uses, if there is enough for
 * a block.  Everything before 'end' is looked at then. */
static void
use (struct space *space, uint64_t offset, uint64_t end)
{
  const uint64_t block_size = space->walk->block_size;
  struct check_report *report = space->walk->report;

  if (offset >= space->cursor + block_size) {
    const uint64_t unused = offset - space->cursor;

    report_finding (report, VDISK_LEAK, "%" PRIu64 " bytes at offset %" PRIu64
                    ": nothing uses them (room for blocks: %" PRIu64 ")",
                    unused, space->cursor, unused / block_size);
    report->check->leaks += unused / block_size - 1;
  }
  space->cursor = max_u64 (space->cursor, end);
}

/* Look at the areas that start before 'offset'.  On a volume there is room
 * before the footer for blocks to come. */
static void
use_areas (struct space *space, uint64_t offset)
{
  const struct vhd_walk *walk = space->walk;

  for (; space->area < walk->area_count; space->area++) {
    const struct vhd_area *area = &walk->areas[space->area];

    if (area->offset >= offset)
      return;
    if (area->is_end_footer && space->is_device)
      space->cursor = max_u64 (space->cursor, area->offset);
    use (space, area->offset, area->end);
  }
}

static void
use_slots (struct space *space)
{
  uint64_t i;

  for (i = 1; i <= space->room; ++i) {
    const struct slot *slot = &space->slots[i];
    const uint64_t low = (uint64_t) slot->low * VHD_SECTOR_SIZE;
    const uint64_t high = (uint64_t) slot->high * VHD_SECTOR_SIZE;

    if (slot->low == VHD_BAT_UNUSED)
      continue;
    use_areas (space, low);
    use (space, low, high + space->walk->block_size);
  }
}

static int
check_window (struct space *space, uint64_t window)
{
  struct vhd_walk *walk = space->walk;
  const uint64_t first = window * walk->window;

  if (first == space->first + space->room)
    space->slots[0] = space->slots[space->room];
  else
    memset (&space->slots[0], 0xff, sizeof space->slots[0]);
  memset (space->slots + 1, 0xff, space->room * sizeof space->slots[0]);
  space->first = first;
  if (vhd_walk_bat (walk, 0, walk->entries, 1, place_block, space) == -1)
    return -1;
  use_slots (space);
  return 0;
}

static int
check_windows (struct space *space)
{
  struct vhd_walk *walk = space->walk;
  uint64_t window;

  for (window = 0; window < walk->windows; ++window)
    if (!is_touched (walk, window))
      walk->done += walk->entries;
    else if (check_window (space, window) == -1)
      return -1;
  use_areas (space, UINT64_MAX);
  return 0;
}

/* The BAT is read once for each window that has blocks. */
static int
check_effort (const struct vhd_walk *walk)
{
  uint64_t window, touched = 0;

  for (window = 0; window < walk->windows; ++window)
    touched += is_touched (walk, window);
  if (touched == 0 || walk->entries <= VHD_CHECK_ENTRIES_MAX / touched)
    return 0;
  return layer_error (walk->layer, walk->error, ENOTSUP, "BAT: %" PRIu64
                      " entries for blocks in %" PRIu64 " parts of the file "
                      "are too many to be checked for overlaps",
                      walk->entries, touched);
}

int
vhd_check_space (struct vhd_walk *walk)
{
  struct space space = {
    .walk = walk,
    .room = min_u64 (walk->window, slot_count (walk)),
    .slot_sectors = walk->block_size / VHD_SECTOR_SIZE,
    .is_device = walk->layer->source->is_device,
  };
  int r;

  if (check_effort (walk) == -1)
    return -1;
  space.slots = malloc ((space.room + 1) * sizeof space.slots[0]);
  if (space.slots == NULL)
    return error_no_memory (walk->error, walk->layer->source->name);
  /* No window precedes the first. */
  space.first = UINT64_MAX - space.room;
  r = check_windows (&space);
  free (space.slots);
  return r;
}
