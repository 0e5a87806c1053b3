/* SPDX-License-Identifier: BSD-3-Clause */
/* From L1 and L2 entries of a QED image to intervals.  Tables are read in the
 * pieces that a range needs and not kept.
 */

#include <errno.h>
#include <inttypes.h>

#include "util/error.h"
#include "format/qed/disk.h"
#include "format/qed/driver.h"
#include "source/source.h"
#include "util/align.h"
#include "util/checked.h"
#include "util/minmax.h"

/* Bytes of an L2 table read at a time. */
#define PIECE_SIZE 8192

static int
map_entry (struct layer *layer, uint64_t entry, uint64_t offset,
           uint64_t end, struct interval_list *out,
           struct vdisk_error *error)
{
  const struct qed *qed = layer->state;

  if (entry == QED_OFFSET_UNALLOCATED || entry == QED_OFFSET_ZERO)
    return layer_append_empty (layer, out,
                               entry == QED_OFFSET_ZERO ? VDISK_ZERO
                               : VDISK_HOLE, offset, end - offset, error);
  if (!is_aligned (entry, layer->cluster_size))
    return layer_error (layer, error, EIO, "L2 table: offset 0x%" PRIx64
                        " for guest offset %" PRIu64
                        " is not cluster-aligned", entry, offset);
  if (entry < qed->header_bytes)
    return layer_error (layer, error, EIO, "L2 table: offset 0x%" PRIx64
                        " for guest offset %" PRIu64
                        " is in the header (%" PRIu64 " bytes)", entry,
                        offset, qed->header_bytes);
  return layer_append_data (layer, out, offset, end - offset,
                            entry + (offset & (layer->cluster_size - 1)),
                            "L2 table", error);
}

/* Map what the L2 table at 'table' says of [offset, end). */
static int
map_l2 (struct layer *layer, uint64_t table, uint64_t offset, uint64_t end,
        struct interval_list *out, struct vdisk_error *error)
{
  const struct qed *qed = layer->state;
  const uint32_t cluster_size = layer->cluster_size;
  le64 piece[PIECE_SIZE / sizeof (le64)];

  while (offset < end) {
    uint64_t index = (offset >> qed->cluster_bits) &
      (qed->table_entries - 1);
    uint64_t start = round_down (offset, cluster_size);
    size_t i, count = min_u64 (divide_up (end - start, cluster_size),
                               PIECE_SIZE / sizeof (le64));

    if (source_pread (layer->source, piece, count * sizeof (le64),
                      table + index * QED_ENTRY_SIZE, error) == -1)
      return -1;
    out->work += count * sizeof (le64);
    for (i = 0; i < count; ++i) {
      uint64_t next = min_u64 (end, start + (i + 1) * cluster_size);

      if (map_entry (layer, get_le64 (piece[i]), offset, next, out,
                     error) == -1)
        return -1;
      offset = next;
    }
  }
  return 0;
}

/* Where the L2 table is that L1 entry 'index' points to; 0 for none. */
static int
read_l1_entry (struct layer *layer, uint64_t index, uint64_t *table,
               struct vdisk_error *error)
{
  const struct qed *qed = layer->state;
  le64 disk;

  if (source_pread (layer->source, &disk, sizeof disk,
                    qed->l1_table_offset + index * QED_ENTRY_SIZE,
                    error) == -1)
    return -1;
  *table = get_le64 (disk);
  if (!is_aligned (*table, layer->cluster_size))
    return layer_error (layer, error, EIO, "L1 table: entry %" PRIu64
                        ": offset 0x%" PRIx64 " is not cluster-aligned",
                        index, *table);
  if (*table != QED_OFFSET_UNALLOCATED && *table < qed->header_bytes)
    return layer_error (layer, error, EIO, "L1 table: entry %" PRIu64
                        ": offset 0x%" PRIx64 " is in the header (%" PRIu64
                        " bytes)", index, *table, qed->header_bytes);
  if (!range_within (*table, qed->table_entries * QED_ENTRY_SIZE,
                     layer->source->size))
    return layer_error (layer, error, EIO, "L1 table: entry %" PRIu64
                        ": L2 table at offset 0x%" PRIx64 " reaches beyond "
                        "the end of the file (%" PRIu64 " bytes)",
                        index, *table, layer->source->size);
  return 0;
}

int
qed_map (struct layer *layer, uint64_t offset, uint64_t count,
         struct interval_list *out, struct vdisk_error *error)
{
  const struct qed *qed = layer->state;
  const unsigned l1_shift = qed->cluster_bits + qed->table_bits;
  const uint64_t end = offset + count;
  uint64_t table, next;

  for (; offset < end; offset = next) {
    next = min_u64 (end, ((offset >> l1_shift) + 1) << l1_shift);
    if (read_l1_entry (layer, offset >> l1_shift, &table, error) == -1)
      return -1;
    if (table == QED_OFFSET_UNALLOCATED) {
      if (layer_append_empty (layer, out, VDISK_HOLE, offset, next - offset,
                              error) == -1)
        return -1;
    }
    else if (map_l2 (layer, table, offset, next, out, error) == -1)
      return -1;
  }
  return 0;
}
