/* SPDX-License-Identifier: BSD-3-Clause */
/* How large the disk is.
 *
 * A footer has two sizes, current_size and the geometry's, and which of
 * them is meant depends on who made it.  Some that call themselves Virtual
 * PC mean current_size all the same: their geometry is the specification's,
 * which rounds down.  So where the geometry gives less, the file is asked:
 * a block, a sector or (fixed) data beyond it are evidence that the disk is
 * larger.  That takes a bounded look at what lies between the two sizes.
 */

#include "format/vhd/driver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/error.h"
#include "format/format.h"
#include "source/source.h"
#include "util/align.h"
#include "util/minmax.h"

#define BITMAP_CHUNK 512

/* How much of a layer below is mapped at a time. */
#define PIECE_SIZE (UINT64_C (4) << 20)

/* Virtual PC, and QEMU until it called itself "qem2", show the guest no
 * more of the disk than its geometry covers, and record in current_size
 * what was asked for.  All others mean current_size: "win ", "qem2",
 * "d2v ", "tap\0", "CTXS", "caml", "vbox", "vs  ", "wa\0\0", ... */
bool
vhd_creator_means_chs (const struct footer *footer)
{
  return memcmp (footer->creator, "vpc ", 4) == 0 ||
    memcmp (footer->creator, "qemu", 4) == 0;
}

/* A geometry without cylinders, heads or sectors says nothing either. */
bool
vhd_has_chs (const struct footer *footer)
{
  if (footer->cylinders == VHD_CYLINDERS_MAX &&
      footer->heads == VHD_HEADS_MAX && footer->sectors == VHD_SECTORS_MAX)
    return false;
  return footer->cylinders != 0 && footer->heads != 0 &&
    footer->sectors != 0;
}

uint64_t
vhd_chs_size (const struct footer *footer)
{
  return (uint64_t) footer->cylinders * footer->heads * footer->sectors *
    VHD_SECTOR_SIZE;
}

uint64_t
vhd_disk_size (const struct footer *footer, enum vhd_size_rule rule)
{
  const bool chs = rule == VHD_SIZE_CHS ||
    (rule == VHD_SIZE_AUTO && vhd_creator_means_chs (footer));

  return chs && vhd_has_chs (footer) ? vhd_chs_size (footer)
    : footer->current_size;
}

/* --- Evidence ----------------------------------------------------------- */

#define TOO_MUCH "more of the file lies beyond that than is looked at"

static void
find (struct vhd_evidence *evidence, const char *format, ...)
  __attribute__ ((format (printf, 2, 3)));

static void
find (struct vhd_evidence *evidence, const char *format, ...)
{
  va_list args;

  evidence->found = true;
  va_start (args, format);
  vsnprintf (evidence->what, sizeof evidence->what, format, args);
  va_end (args);
}

/* Look for bytes in a range of the file; 'guest' is where it is on the
 * disk. */
static int
look_at_bytes (struct source *source, uint64_t host, uint64_t length,
               uint64_t guest, uint64_t *budget,
               struct vhd_evidence *evidence, struct vdisk_error *error)
{
  uint64_t where;

  switch (vhd_find_bytes (source, host, length, budget, &where, error)) {
  case VHD_BYTES_FOUND:
    find (evidence, "there is data at offset %" PRIu64 " of the disk",
          guest + (where - host));
    return 0;
  case VHD_BYTES_UNKNOWN:
    find (evidence, TOO_MUCH);
    return 0;
  case VHD_BYTES_NONE:
    return 0;
  case VHD_BYTES_ERROR:
    break;
  }
  return -1;
}

/* Look for bits of sectors [first, end) of block 'number'. */
static int
look_at_bitmap (const struct layer *layer, uint64_t number, uint64_t bitmap,
                uint64_t first, uint64_t end, struct vhd_evidence *evidence,
                struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;
  uint8_t chunk[BITMAP_CHUNK];
  uint64_t n, stop;

  for (n = first; n < end; n = stop) {
    const uint64_t start = n / 8;

    stop = min_u64 ((start + sizeof chunk) * 8, end);
    if (vhd_read_bitmap (layer, chunk, divide_up (stop, 8) - start,
                         bitmap + start, error) == -1)
      return -1;
    for (; n < stop; ++n)
      if (chunk[n / 8 - start] << n % 8 & 0x80) {
        find (evidence, "the bitmap of block %" PRIu64 " has a sector at "
              "offset %" PRIu64 " of the disk", number,
              (number << vhd->block_bits) + n * VHD_SECTOR_SIZE);
        return 0;
      }
  }
  return 0;
}

/* Look at the block that the geometry ends in. */
static int
look_at_last_block (const struct layer *layer, uint64_t from, uint64_t end,
                    struct vhd_evidence *evidence, struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;
  const uint64_t number = from >> vhd->block_bits;
  const uint64_t start = number << vhd->block_bits;
  const uint64_t size = layer->source->size;
  uint64_t budget = VHD_EVIDENCE_SIZE_MAX, bitmap, data;
  be32 entry;

  if (from == start)
    return 0;
  if (source_pread (layer->source, &entry, sizeof entry,
                    vhd->bat_offset + number * sizeof entry, error) == -1)
    return -1;
  if (!vhd_has_place (layer, get_be32 (entry)))
    return 0;
  bitmap = (uint64_t) get_be32 (entry) * VHD_SECTOR_SIZE;
  data = bitmap + vhd->bitmap_size + (from - start);
  end = min_u64 (end - start, UINT64_C (1) << vhd->block_bits);
  if (!vhd->ignore_bitmaps)
    return look_at_bitmap (layer, number, bitmap,
                           (from - start) / VHD_SECTOR_SIZE,
                           divide_up (end, VHD_SECTOR_SIZE), evidence,
                           error);
  return data >= size ? 0
    : look_at_bytes (layer->source, data,
                     min_u64 (end - (from - start), size - data), from,
                     &budget, evidence, error);
}

struct look {
  const struct layer *layer;
  struct vhd_evidence *evidence;
};

static int
look_at_entry (void *opaque, uint64_t number, uint32_t sector)
{
  const struct look *look = opaque;

  if (!vhd_has_place (look->layer, sector))
    return 0;
  find (look->evidence, "BAT entry %" PRIu64 " has a block there", number);
  return 1;
}

static int
look_at_blocks (const struct layer *layer, uint64_t from, uint64_t end,
                struct vhd_evidence *evidence, struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;
  const uint64_t block_size = UINT64_C (1) << vhd->block_bits;
  const uint64_t first = divide_up (from, block_size);
  const uint64_t last = divide_up (end, block_size);
  const uint64_t stop = min_u64 (last, first + VHD_EVIDENCE_ENTRIES_MAX);
  struct look look = { .layer = layer, .evidence = evidence };

  if (look_at_last_block (layer, from, end, evidence, error) == -1)
    return -1;
  if (!evidence->found && first < stop &&
      vhd_read_bat (layer, first, stop, look_at_entry, &look, error) == -1)
    return -1;
  if (!evidence->found && stop < last)
    find (evidence, TOO_MUCH);
  return 0;
}

bool
vhd_size_in_doubt (const struct vhd *vhd)
{
  const struct footer *footer = &vhd->footer;

  return vhd_creator_means_chs (footer) && vhd_has_chs (footer) &&
    vhd_chs_size (footer) < footer->current_size &&
    footer->current_size <= vhd->room;
}

int
vhd_find_evidence (const struct layer *layer, struct vhd_evidence *evidence,
                   struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;
  const uint64_t from = vhd_chs_size (&vhd->footer);
  const uint64_t end = vhd->footer.current_size;
  uint64_t budget = VHD_EVIDENCE_SIZE_MAX;

  *evidence = (struct vhd_evidence) { 0 };
  if (vhd->footer.type == VHD_FIXED)
    return look_at_bytes (layer->source, from, end - from, from, &budget,
                          evidence, error);
  return look_at_blocks (layer, from, end, evidence, error);
}

/* --- The size ----------------------------------------------------------- */

static void
take_current_size (struct layer *layer, const struct vhd_evidence *evidence)
{
  struct vhd *vhd = layer->state;
  const struct footer *footer = &vhd->footer;

  layer_warn (layer, "footer: creator \"%.4s\" means geometry %" PRIu16 "/%"
              PRIu8 "/%" PRIu8 ", %" PRIu64 " bytes, but %s: taking the "
              "current size, %" PRIu64 " bytes",
              (const char *) footer->creator, footer->cylinders,
              footer->heads, footer->sectors, vhd_chs_size (footer),
              evidence->what, footer->current_size);
  layer->size = footer->current_size;
  vhd->asks_parents = false;
}

int
vhd_choose_size (struct layer *layer, struct vdisk_error *error)
{
  struct vhd *vhd = layer->state;
  const struct footer *footer = &vhd->footer;
  struct vhd_evidence evidence;

  /* A child may be smaller than its parent, and its own size is what the
   * guest sees: nothing is gained by cutting the parent. */
  if (layer->depth > 0 && layer->size < footer->current_size &&
      footer->current_size <= vhd->room)
    layer->size = footer->current_size;
  if (layer->depth > 0 || layer->options->size != VHD_SIZE_AUTO ||
      !vhd_size_in_doubt (vhd))
    return 0;
  if (vhd_find_evidence (layer, &evidence, error) == -1)
    return -1;
  vhd->asks_parents = !evidence.found;
  if (evidence.found)
    take_current_size (layer, &evidence);
  return 0;
}

/* Look at the data of a layer below. */
static int
look_at_intervals (const struct layer *layer,
                   const struct interval_list *list, uint64_t *budget,
                   struct vhd_evidence *evidence, struct vdisk_error *error)
{
  size_t i;

  for (i = 0; i < list->count && !evidence->found; ++i) {
    const struct interval *interval = &list->at[i];

    if (interval->kind == VDISK_DATA &&
        look_at_bytes (layer->data, interval->host, interval->length,
                       interval->offset, budget, evidence, error) == -1)
      return -1;
  }
  return 0;
}

/* Look at a layer below from 'from' to 'end', a piece at a time.  What
 * cannot be mapped is something that is there. */
static int
look_below (struct layer *layer, uint64_t from, uint64_t end,
            uint64_t *budget, struct vhd_evidence *evidence,
            struct vdisk_error *error)
{
  struct interval_list list = { 0 };
  struct vdisk_error why = { 0 };
  uint64_t next;
  int r = 0;

  for (; from < end && r == 0 && !evidence->found; from = next) {
    next = min_u64 (round_down (from, PIECE_SIZE) + PIECE_SIZE, end);
    interval_list_clear (&list);
    if (*budget < VHD_SECTOR_SIZE)
      find (evidence, TOO_MUCH);
    else if (layer->format->map (layer, from, next - from, &list, &why) == -1)
      find (evidence, "%.100s", error_raw (&why));
    else {
      *budget -= VHD_SECTOR_SIZE;
      r = look_at_intervals (layer, &list, budget, evidence, error);
    }
  }
  interval_list_free (&list);
  return r;
}

int
vhd_settle (struct layer *top, struct layer *const *below, unsigned count,
            struct vdisk_error *error)
{
  struct vhd *vhd = top->state;
  uint64_t end = vhd->footer.current_size, budget = VHD_EVIDENCE_SIZE_MAX;
  struct vhd_evidence evidence = { 0 };
  unsigned i;

  if (!vhd->asks_parents)
    return 0;
  for (i = 0; i < count && !evidence.found; ++i) {
    end = min_u64 (end, below[i]->size);
    if (look_below (below[i], top->size, end, &budget, &evidence,
                    error) == -1)
      return -1;
  }
  if (evidence.found)
    take_current_size (top, &evidence);
  return 0;
}
