/* SPDX-License-Identifier: BSD-3-Clause */
/* The QED driver. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "util/error.h"
#include "format/format.h"
#include "format/qed/disk.h"
#include "format/qed/driver.h"
#include "source/source.h"
#include "util/align.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/minmax.h"

/* Bytes of an L2 table read at a time. */
#define PIECE_SIZE 8192

/* The header with its numbers in the CPU's order. */
struct qed_info {
  uint32_t magic, cluster_size, table_size, header_size;
  uint64_t features, l1_table_offset, image_size;
  uint32_t name_offset, name_size;
};

static bool
qed_probe (const struct probe *probe)
{
  le32 magic;

  if (probe->head_size < sizeof magic)
    return false;
  memcpy (&magic, probe->head, sizeof magic);
  return get_le32 (magic) == QED_MAGIC;
}

static int
read_header (const struct layer *layer, struct qed_info *info,
             struct vdisk_error *error)
{
  struct qed_header disk;

  if (layer->source->size < sizeof disk)
    return layer_error (layer, error, EINVAL, "header: the file has only %"
                        PRIu64 " bytes", layer->source->size);
  if (source_pread (layer->source, &disk, sizeof disk, 0, error) == -1)
    return -1;
  *info = (struct qed_info) {
    .magic = get_le32 (disk.magic),
    .cluster_size = get_le32 (disk.cluster_size),
    .table_size = get_le32 (disk.table_size),
    .header_size = get_le32 (disk.header_size),
    .features = get_le64 (disk.features),
    .l1_table_offset = get_le64 (disk.l1_table_offset),
    .image_size = get_le64 (disk.image_size),
    .name_offset = get_le32 (disk.backing_filename_offset),
    .name_size = get_le32 (disk.backing_filename_size),
  };
  return 0;
}

static int
check_geometry (const struct layer *layer, const struct qed_info *info,
                struct vdisk_error *error)
{
  if (info->magic != QED_MAGIC)
    return layer_error (layer, error, EINVAL, "header: magic 0x%08" PRIx32
                        ", expected 0x%08x", info->magic, QED_MAGIC);
  if (info->features & ~QED_F_KNOWN)
    return layer_error (layer, error, ENOTSUP, "header: features 0x%" PRIx64
                        ", unknown feature bit %d is not supported",
                        info->features,
                        __builtin_ctzll (info->features & ~QED_F_KNOWN));
  if (!is_power_of_2 (info->cluster_size) ||
      info->cluster_size < QED_CLUSTER_SIZE_MIN ||
      info->cluster_size > QED_CLUSTER_SIZE_MAX)
    return layer_error (layer, error, EINVAL, "header: cluster_size %"
                        PRIu32 ", must be a power of two from %u to %u",
                        info->cluster_size, QED_CLUSTER_SIZE_MIN,
                        QED_CLUSTER_SIZE_MAX);
  if (!is_power_of_2 (info->table_size) ||
      info->table_size > QED_TABLE_SIZE_MAX)
    return layer_error (layer, error, EINVAL, "header: table_size %" PRIu32
                        ", must be a power of two from 1 to %d",
                        info->table_size, QED_TABLE_SIZE_MAX);
  if (info->header_size == 0)
    return layer_error (layer, error, EINVAL, "header: header_size 0, must "
                        "be at least 1");
  return 0;
}

/* Bytes that one L1 table can map: at most 2^27 entries in it and in each
 * L2 table, and clusters of at most 2^26 bytes, so it may be more than
 * 64 bits can count. */
static uint64_t
largest_image (const struct qed *qed)
{
  unsigned bits = 2 * qed->table_bits + qed->cluster_bits;

  return bits >= 63 ? INT64_MAX : UINT64_C (1) << bits;
}

static int
check_size_and_l1 (const struct layer *layer, const struct qed *qed,
                   const struct qed_info *info, struct vdisk_error *error)
{
  uint64_t table_bytes = qed->table_entries * QED_ENTRY_SIZE;

  if (!is_aligned (info->image_size, QED_SECTOR_SIZE) ||
      info->image_size > largest_image (qed))
    return layer_error (layer, error, EINVAL, "header: image_size %" PRIu64
                        ", must be a multiple of %d and at most %" PRIu64,
                        info->image_size, QED_SECTOR_SIZE,
                        largest_image (qed));
  if (!is_aligned (info->l1_table_offset, info->cluster_size))
    return layer_error (layer, error, EINVAL, "L1 table: offset 0x%" PRIx64
                        " is not cluster-aligned", info->l1_table_offset);
  if (info->l1_table_offset < qed->header_bytes)
    return layer_error (layer, error, EINVAL, "L1 table: offset 0x%" PRIx64
                        " is in the header (%" PRIu64 " bytes)",
                        info->l1_table_offset, qed->header_bytes);
  if (!range_within (info->l1_table_offset, table_bytes,
                     layer->source->size))
    return layer_error (layer, error, EINVAL, "L1 table: %" PRIu64
                        " bytes at offset 0x%" PRIx64 " reach beyond the "
                        "end of the file (%" PRIu64 " bytes)", table_bytes,
                        info->l1_table_offset, layer->source->size);
  return 0;
}

static int
open_backing (struct layer *layer, const struct qed_info *info,
              struct vdisk_error *error)
{
  const struct qed *qed = layer->state;

  if (!(info->features & QED_F_BACKING_FILE))
    return 0;
  if (info->name_size > QED_NAME_SIZE_MAX)
    return layer_error (layer, error, EINVAL, "header: "
                        "backing_filename_size %" PRIu32
                        ", must be at most %d", info->name_size,
                        QED_NAME_SIZE_MAX);
  if (!range_within (info->name_offset, info->name_size, qed->header_bytes))
    return layer_error (layer, error, EINVAL, "header: backing file name "
                        "of %" PRIu32 " bytes at offset %" PRIu32
                        ", must lie in the header's clusters (%" PRIu64
                        " bytes)", info->name_size, info->name_offset,
                        qed->header_bytes);
  if (layer_read_name (layer, &layer->backing, info->name_offset,
                       info->name_size, error) == -1)
    return -1;
  if (layer->backing.name_count == 0)
    return 0;
  layer->backing.role = "backing file";
  if (info->features & QED_F_BACKING_FORMAT_NO_PROBE)
    layer->backing.format = &format_raw;
  return 0;
}

static int
qed_open (struct layer *layer, struct vdisk_error *error)
{
  struct qed *qed = layer->state = calloc (1, sizeof *qed);
  struct qed_info info;

  if (qed == NULL)
    return error_no_memory (error, layer->source->name);
  if (read_header (layer, &info, error) == -1 ||
      check_geometry (layer, &info, error) == -1)
    return -1;
  qed->features = info.features;
  qed->header_bytes = (uint64_t) info.header_size * info.cluster_size;
  qed->l1_table_offset = info.l1_table_offset;
  qed->table_entries = (uint64_t) info.table_size * info.cluster_size /
    QED_ENTRY_SIZE;
  qed->cluster_bits = log2_of (info.cluster_size);
  qed->table_bits = log2_of (qed->table_entries);
  if (check_size_and_l1 (layer, qed, &info, error) == -1)
    return -1;
  layer->size = info.image_size;
  layer->cluster_size = info.cluster_size;
  layer->preferred_size = info.cluster_size;
  layer->granularity = info.cluster_size;
  if (info.features & QED_F_NEED_CHECK)
    layer_warn (layer, "the image was not closed properly and needs a "
                "check; it is read as it is");
  return open_backing (layer, &info, error);
}

static void
qed_close (struct layer *layer)
{
  free (layer->state);
}

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

static int
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

static int
qed_describe (struct layer *layer, struct json_t *document,
              struct vdisk_error *error)
{
  const struct qed *qed = layer->state;
  const bool dirty = qed->features & QED_F_NEED_CHECK;
  json_t *data;

  if (describe_set (document, "dirty-flag", json_boolean (dirty),
                    error) == -1)
    return -1;
  data = json_pack ("{s:b, s:I}", "need-check", dirty, "table-size",
                    (json_int_t) (qed->table_entries * QED_ENTRY_SIZE));
  return describe_set (document, "format-specific",
                       json_pack ("{s:s, s:o}", "type", "qed",
                                  "data", data), error);
}

const struct format format_qed = {
  .name = "qed",
  .probe = qed_probe,
  .open = qed_open,
  .close = qed_close,
  .map = qed_map,
  .describe = qed_describe,
  .check = qed_check,
};
