/* SPDX-License-Identifier: BSD-3-Clause */
/* The header of a QED image: every rule it has to obey, but for those of its
 * backing file's name, which driver.c reads.
 */

#include <errno.h>
#include <inttypes.h>

#include "util/error.h"
#include "format/qed/disk.h"
#include "format/qed/driver.h"
#include "source/source.h"
#include "util/align.h"
#include "util/checked.h"

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

int
qed_read_header (const struct layer *layer, struct qed *qed,
                 struct qed_info *info, struct vdisk_error *error)
{
  if (read_header (layer, info, error) == -1 ||
      check_geometry (layer, info, error) == -1)
    return -1;
  qed->features = info->features;
  qed->header_bytes = (uint64_t) info->header_size * info->cluster_size;
  qed->l1_table_offset = info->l1_table_offset;
  qed->table_entries = (uint64_t) info->table_size * info->cluster_size /
    QED_ENTRY_SIZE;
  qed->cluster_bits = log2_of (info->cluster_size);
  qed->table_bits = log2_of (qed->table_entries);
  return check_size_and_l1 (layer, qed, info, error);
}
