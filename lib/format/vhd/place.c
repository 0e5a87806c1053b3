/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a block may be where its BAT entry says.
 *
 * What lies over a table is no block, and a bitmap that lies in another
 * block is that one's data: what it says of sectors is noise, which would
 * be served as holes.  To know of other blocks takes all of the BAT.  It is
 * gone through once, before the first block of an image is mapped, and if
 * no two blocks overlap, nothing of it is kept.
 *
 * The file is seen as slots, each as long as a block with its bitmap: two
 * blocks that start in the same slot overlap, and otherwise only those in
 * neighbouring slots can (as in check/space.c).
 */

#include "format/vhd/driver.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "util/error.h"
#include "source/source.h"
#include "util/align.h"
#include "util/checked.h"
#include "util/minmax.h"

/* Where the first and the last block that start in a slot do: sectors from
 * the start of the slot, and 1; 0: there is none. */
struct slot {
  uint32_t low, high;
};

/* In 'low': two blocks start there.  A slot has less than 2^23 sectors. */
#define TWICE (UINT32_C (1) << 31)

enum state {
  NOT_MADE,
  NOTHING_TO_KNOW,              /* no overlap, or too many blocks to know */
  HAS_OVERLAPS,
};

struct vhd_index {
  pthread_mutex_t lock;         /* while it is made */
  _Atomic enum state state;
  struct slot *slots;           /* with one before the first and one after
                                   the last, which are empty */
  uint32_t *seconds;            /* as 'low', of the next block that starts in
                                   each; NULL: bitmaps have one sector, in
                                   which no other block can start */
  uint32_t slot_sectors;
  bool has_part;                /* the last block of the disk ends with it,
                                   and is in no slot: */
  uint64_t part_number, part_start, part_end;   /* sectors */
};

struct vhd_index *
vhd_index_new (void)
{
  struct vhd_index *index = calloc (1, sizeof *index);

  if (index)
    pthread_mutex_init (&index->lock, NULL);
  return index;
}

void
vhd_index_free (struct vhd_index *index)
{
  if (index == NULL)
    return;
  pthread_mutex_destroy (&index->lock);
  free (index->slots);
  free (index->seconds);
  free (index);
}

void
vhd_add_structure (struct vhd *vhd, const char *name, uint64_t offset,
                   uint64_t size)
{
  if (size > 0)
    vhd->structures[vhd->structure_count++] = (struct vhd_structure) {
      .name = name, .offset = offset, .end = offset + size,
    };
}

const struct vhd_structure *
vhd_structure_in (const struct vhd *vhd, uint64_t start, uint64_t end)
{
  const struct vhd_structure *first = NULL;
  size_t i;

  for (i = 0; i < vhd->structure_count; ++i) {
    const struct vhd_structure *structure = &vhd->structures[i];

    if (structure->offset < end && structure->end > start &&
        (first == NULL || structure->offset < first->offset))
      first = structure;
  }
  return first;
}

bool
vhd_has_place (const struct layer *layer, uint32_t sector)
{
  const struct vhd *vhd = layer->state;
  const uint64_t offset = (uint64_t) sector * VHD_SECTOR_SIZE;

  return sector != VHD_BAT_UNUSED &&
    range_within (offset, vhd->bitmap_size, layer->source->size) &&
    vhd_structure_in (vhd, offset, offset + vhd->bitmap_size) == NULL;
}

/* --- Making the index --------------------------------------------------- */

struct filling {
  const struct layer *layer;
  struct vhd_index *index;
  uint64_t disk_sectors;        /* of the guest */
  uint32_t bitmap_sectors;
  bool overlaps;
};

static struct slot *
slot_of (const struct vhd_index *index, uint32_t sector, uint32_t *within)
{
  *within = sector % index->slot_sectors + 1;
  return &index->slots[1 + sector / index->slot_sectors];
}

/* Is this the last block of the disk, and not needed in full?  Some write
 * no more of it than there is of the disk. */
static bool
take_part (struct filling *filling, uint64_t number, uint32_t sector)
{
  struct vhd_index *index = filling->index;
  const uint64_t block_sectors = index->slot_sectors -
    filling->bitmap_sectors;
  const uint64_t left = filling->disk_sectors - number * block_sectors;

  if (left >= block_sectors)
    return false;
  index->has_part = true;
  index->part_number = number;
  index->part_start = sector;
  index->part_end = sector + filling->bitmap_sectors + left;
  return true;
}

/* Could a block at 'within' overlap one that starts in a slot, or in one of
 * its neighbours? */
static bool
may_overlap (const struct slot *slot, uint32_t within)
{
  const uint32_t after = slot[1].low & ~TWICE;

  return slot->low != 0 || slot[-1].high > within ||
    (after != 0 && after < within);
}

/* Note a block that starts in a slot. */
static void
put (struct vhd_index *index, struct slot *slot, uint32_t within)
{
  uint32_t *second = index->seconds ? &index->seconds[slot - index->slots]
    : NULL;
  const uint32_t low = slot->low & ~TWICE;

  if (low == within)
    slot->low |= TWICE;
  else if (low == 0 || within < low) {
    slot->low = within;
    if (second)
      *second = low;
  }
  else if (second && (*second == 0 || within < *second))
    *second = within;
  slot->high = max_u64 (slot->high, within);
}

static int
insert (void *opaque, uint64_t number, uint32_t sector)
{
  struct filling *filling = opaque;
  struct slot *slot;
  uint32_t within;

  if (!vhd_has_place (filling->layer, sector))
    return 0;
  slot = slot_of (filling->index, sector, &within);
  if (may_overlap (slot, within))
    filling->overlaps = true;
  if (!take_part (filling, number, sector))
    put (filling->index, slot, within);
  return 0;
}

/* The last block is not in its slot, so that others do not see it. */
static void
look_around_part (struct filling *filling)
{
  const struct slot *slot;
  uint32_t within;

  if (!filling->index->has_part)
    return;
  slot = slot_of (filling->index, filling->index->part_start, &within);
  if (may_overlap (slot, within))
    filling->overlaps = true;
}

/* Put all blocks of the disk into slots.  A BAT that cannot be read is read
 * again for the next block that is mapped. */
static int
fill (struct filling *filling, uint64_t entries, struct vdisk_error *error)
{
  if (vhd_read_bat (filling->layer, 0, entries, insert, filling,
                    error) == -1)
    return -1;
  look_around_part (filling);
  return 0;
}

static void
drop_slots (struct vhd_index *index)
{
  free (index->slots);
  free (index->seconds);
  index->slots = NULL;
  index->seconds = NULL;
  index->has_part = false;
}

static int
make_slots (struct vhd_index *index, uint64_t slots, bool seconds)
{
  index->slots = calloc (slots + 2, sizeof *index->slots);
  if (seconds)
    index->seconds = calloc (slots + 2, sizeof *index->seconds);
  if (index->slots && (index->seconds || !seconds))
    return 0;
  drop_slots (index);
  return -1;
}

static int
make (const struct layer *layer, struct vhd_index *index,
      struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;
  const uint64_t block_size = UINT64_C (1) << vhd->block_bits;
  const uint64_t entries = divide_up (layer->size, block_size);
  const uint64_t file_sectors =
    min_u64 (layer->source->size / VHD_SECTOR_SIZE, VHD_BAT_UNUSED);
  struct filling filling = {
    .layer = layer, .index = index,
    .disk_sectors = divide_up (layer->size, VHD_SECTOR_SIZE),
    .bitmap_sectors = vhd->bitmap_size / VHD_SECTOR_SIZE,
  };
  uint64_t slots;

  index->slot_sectors = (vhd->bitmap_size + block_size) / VHD_SECTOR_SIZE;
  slots = file_sectors / index->slot_sectors + 1;
  if (slots <= VHD_INDEX_SLOTS_MAX && entries <= VHD_INDEX_ENTRIES_MAX) {
    if (make_slots (index, slots, filling.bitmap_sectors > 1) == -1)
      return error_no_memory (error, layer->source->name);
    if (fill (&filling, entries, error) == -1) {
      drop_slots (index);
      return -1;
    }
  }
  if (!filling.overlaps)
    drop_slots (index);
  atomic_store_explicit (&index->state,
                         filling.overlaps ? HAS_OVERLAPS : NOTHING_TO_KNOW,
                         memory_order_release);
  return 0;
}

static int
make_once (const struct layer *layer, struct vhd_index *index,
           struct vdisk_error *error)
{
  int r = 0;

  pthread_mutex_lock (&index->lock);
  if (index->state == NOT_MADE)
    r = make (layer, index, error);
  pthread_mutex_unlock (&index->lock);
  return r;
}

/* --- Asking it ---------------------------------------------------------- */

/* Where the first block after 'within' starts in a slot; 0 if there is none,
 * or if that does not matter. */
static uint32_t
next_in_slot (const struct vhd_index *index, const struct slot *slot,
              uint32_t within)
{
  const uint32_t low = slot->low & ~TWICE;

  if (low > within)
    return low;
  return index->seconds ? index->seconds[slot - index->slots] : 0;
}

/* Where another block starts that the bitmap of block 'number' lies in;
 * VHD_BAT_UNUSED if in none. */
static uint32_t
find_other (const struct vhd_index *index, uint64_t number, uint32_t sector,
            uint32_t bitmap_sectors)
{
  uint32_t within;
  const struct slot *slot = slot_of (index, sector, &within);
  const uint32_t start = sector - within;       /* and 1: of the slot */
  const uint32_t low = slot->low & ~TWICE, after = slot[1].low & ~TWICE;
  const uint32_t next = next_in_slot (index, slot, within);
  const bool in_slot = !index->has_part || number != index->part_number;

  if (low != 0 && low < within)
    return start + low;
  if (low == within && (slot->low != low || !in_slot))
    return sector;
  if (slot[-1].high > within)
    return start + slot[-1].high - index->slot_sectors;
  if (next > within && next < within + bitmap_sectors)
    return start + next;
  if (after != 0 && index->slot_sectors + after < within + bitmap_sectors)
    return start + index->slot_sectors + after;
  if (in_slot && index->has_part &&
      index->part_start < (uint64_t) sector + bitmap_sectors &&
      index->part_end > sector)
    return index->part_start;
  return VHD_BAT_UNUSED;
}

static int
check_other_blocks (const struct layer *layer, uint64_t number,
                    uint32_t sector, struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;
  struct vhd_index *index = vhd->index;
  uint32_t other;

  if (atomic_load_explicit (&index->state,
                            memory_order_acquire) == NOT_MADE &&
      make_once (layer, index, error) == -1)
    return -1;
  if (atomic_load_explicit (&index->state,
                            memory_order_acquire) == NOTHING_TO_KNOW ||
      !vhd_has_place (layer, sector))
    return 0;
  other = find_other (index, number, sector,
                      vhd->bitmap_size / VHD_SECTOR_SIZE);
  if (other == VHD_BAT_UNUSED)
    return 0;
  return layer_error (layer, error, EIO, "BAT: entry %" PRIu64 ": block at "
                      "sector 0x%" PRIx32 ": its bitmap lies in another "
                      "block, at sector 0x%" PRIx32, number, sector, other);
}

int
vhd_check_place (const struct layer *layer, uint64_t number, uint32_t sector,
                 struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;
  const uint64_t offset = (uint64_t) sector * VHD_SECTOR_SIZE;
  const struct vhd_structure *structure =
    vhd_structure_in (vhd, offset, offset + vhd->bitmap_size);

  if (structure)
    return layer_error (layer, error, EIO, "BAT: entry %" PRIu64 ": block "
                        "at sector 0x%" PRIx32 ": its bitmap lies in the %s "
                        "at offset %" PRIu64, number, sector,
                        structure->name, structure->offset);
  return vhd->ignore_bitmaps ? 0
    : check_other_blocks (layer, number, sector, error);
}
