/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes where, by bitmaps, none were ever written.
 *
 * In a dynamic disk a sector that is absent reads as zeros, and mostly zeros
 * is what lies there.  Bytes that are not have two reasons.  Xen's tools do
 * not clear the space they take, so that their disks hold what was on the
 * volume before.  Or the bitmaps are wrong: some writers set the bit of only
 * the first sector of those they write, some set none, and then the disk's
 * own data would be lost without a word.  So, but for those known to keep
 * their bitmaps, a part of what is absent is looked at, and the user told
 * of the option that shows it.
 */

#include "format/vhd/driver.h"

#include <inttypes.h>
#include <string.h>

#include "options.h"
#include "source/source.h"
#include "util/align.h"
#include "util/iszero.h"
#include "util/minmax.h"

/* Read at a time. */
#define CHUNK 16384

/* Of sectors in a row that are absent, so many bytes are looked at. */
#define RUN_MAX (256 << 10)

/* The first byte of so many that is not zero. */
static uint64_t
first_byte (const uint8_t *bytes)
{
  uint64_t i = 0;

  while (bytes[i] == 0)
    i++;
  return i;
}

enum vhd_bytes
vhd_find_bytes (struct source *source, uint64_t offset, uint64_t length,
                uint64_t *budget, uint64_t *where, struct vdisk_error *error)
{
  const uint64_t end = offset + length;
  uint8_t chunk[CHUNK];
  uint64_t n, cost;

  for (; offset < end; offset += n) {
    enum vdisk_kind kind;

    if (source_extent (source, offset, &n, &kind, error) == -1)
      return VHD_BYTES_ERROR;
    n = min_u64 (n, end - offset);
    cost = VHD_SECTOR_SIZE;
    if (kind == VDISK_DATA)
      cost = n = min_u64 (n, sizeof chunk);
    if (*budget < cost)
      return VHD_BYTES_UNKNOWN;
    *budget -= cost;
    if (kind != VDISK_DATA)
      continue;
    if (source_pread_data (source, chunk, n, offset, error) == -1)
      return VHD_BYTES_ERROR;
    if (!is_zero (chunk, n)) {
      *where = offset + first_byte (chunk);
      return VHD_BYTES_FOUND;
    }
  }
  return VHD_BYTES_NONE;
}

/* Those whose bitmaps can be believed: Xen's, and what streams them. */
static bool
creator_keeps_bitmaps (const struct footer *footer)
{
  return vhd_creator_is_xen (footer) ||
    memcmp (footer->creator, "CTXS", 4) == 0 ||
    memcmp (footer->creator, "caml", 4) == 0;
}

bool
vhd_bitmaps_may_lie (const struct vhd *vhd)
{
  return vhd->footer.type == VHD_DYNAMIC && !vhd->ignore_bitmaps &&
    !creator_keeps_bitmaps (&vhd->footer);
}

/* Sectors that are absent need not be in the file. */
static enum vhd_bytes
find_in_run (struct source *source, uint64_t offset, uint64_t length,
             uint64_t *budget, struct vdisk_error *error)
{
  const uint64_t room = offset < source->size ? source->size - offset : 0;
  uint64_t where;

  length = min_u64 (min_u64 (length, room), RUN_MAX);
  return vhd_find_bytes (source, offset, length, budget, &where, error);
}

void
vhd_look_at_absent (const struct layer *layer, uint64_t number,
                    uint64_t offset, uint64_t length)
{
  struct vhd *vhd = layer->state;
  const uint64_t before = atomic_load_explicit (&vhd->absent_budget,
                                                memory_order_relaxed);
  /* Threads that look at the same time may look at a little more. */
  uint64_t budget = before;

  if (before == 0)
    return;
  switch (find_in_run (layer->source, offset, length, &budget, NULL)) {
  case VHD_BYTES_FOUND:
    if (atomic_exchange (&vhd->absent_budget, 0) > 0)
      layer_warn (layer, "bitmaps: block %" PRIu64 " holds bytes in sectors "
                  "that are absent by its bitmap, and read as zeros: if it "
                  "was made by a program that does not keep bitmaps, "
                  "%ssector-bitmaps=ignore shows them", number,
                  options_prefix (layer->options));
    return;
  case VHD_BYTES_NONE:
    break;
  case VHD_BYTES_UNKNOWN:
  case VHD_BYTES_ERROR:         /* nothing that was asked for is missing */
    budget = 0;
    break;
  }
  atomic_compare_exchange_strong (&vhd->absent_budget, &(uint64_t) { before },
                                  budget);
}

int
vhd_find_absent (const struct layer *layer, const uint8_t *bits,
                 uint64_t count, uint64_t data, uint64_t *budget,
                 bool *found, struct vdisk_error *error)
{
  uint64_t n, end;

  for (n = 0; n < count && *budget > 0 && !*found; n = end + 1) {
    for (end = n; end < count && !(bits[end / 8] << end % 8 & 0x80); ++end)
      ;
    switch (find_in_run (layer->source, data + n * VHD_SECTOR_SIZE,
                         (end - n) * VHD_SECTOR_SIZE, budget, error)) {
    case VHD_BYTES_FOUND: *found = true; return 0;
    case VHD_BYTES_NONE: break;
    case VHD_BYTES_UNKNOWN: *budget = 0; return 0;
    case VHD_BYTES_ERROR: return -1;
    }
  }
  return 0;
}
