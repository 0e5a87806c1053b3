/* SPDX-License-Identifier: BSD-3-Clause */
/* The header of a QCOW2 image: every rule it has to obey, and its
 * extensions.
 */

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "util/error.h"
#include "format/qcow2/disk.h"
#include "format/qcow2/driver.h"
#include "format/recognize.h"
#include "source/source.h"
#include "util/align.h"
#include "util/checked.h"
#include "util/minmax.h"
#include "util/zstd-codec.h"

static int
check_version_2 (const struct layer *layer, const struct qcow2_info *info,
                 struct vdisk_error *error)
{
  if (info->version == 1)
    return layer_error (layer, error, ENOTSUP, "header: version 1, must be 2 "
                        "or 3: this is a QCOW image, and not read ("
                        RECOGNIZE_CONVERT ")");
  if (info->version != 2 && info->version != 3)
    return layer_error (layer, error, ENOTSUP,
                        "header: version %" PRIu32 ", must be 2 or 3",
                        info->version);
  if (info->cluster_bits < QCOW2_CLUSTER_BITS_MIN ||
      info->cluster_bits > QCOW2_CLUSTER_BITS_MAX)
    return layer_error (layer, error, EINVAL, "header: cluster_bits %u, "
                        "must be %d to %d", info->cluster_bits,
                        QCOW2_CLUSTER_BITS_MIN, QCOW2_CLUSTER_BITS_MAX);
  if (info->size > INT64_MAX)
    return layer_error (layer, error, EINVAL, "header: size %" PRIu64
                        ", must be less than 2^63", info->size);
  return 0;
}

static int
check_encryption (const struct layer *layer, uint32_t method,
                  struct vdisk_error *error)
{
  if (layer->inspect_only && method <= QCOW2_CRYPT_LUKS)
    return 0;
  switch (method) {
  case QCOW2_CRYPT_NONE:
    return 0;
  case QCOW2_CRYPT_AES:
    return layer_error (layer, error, ENOTSUP, "header: the image is "
                        "encrypted with AES-CBC (method 1, legacy), which "
                        "is not supported");
  case QCOW2_CRYPT_LUKS:
    return layer_error (layer, error, ENOTSUP, "header: the image is "
                        "encrypted with LUKS (method 2), which is not "
                        "supported");
  default:
    return layer_error (layer, error, EINVAL, "header: crypt_method %"
                        PRIu32 ", must be 0 to 2", method);
  }
}

/* The fields that version 3 adds. */
static int
check_version_3 (const struct layer *layer, const struct qcow2_header *disk,
                 struct vdisk_error *error)
{
  uint32_t length = get_be32 (disk->header_length);
  uint32_t refcount_order = get_be32 (disk->refcount_order);
  uint64_t cluster_size = UINT64_C (1) << get_be32 (disk->cluster_bits);

  if (length < QCOW2_HEADER_LENGTH_V3 || length > cluster_size ||
      !is_aligned (length, 8))
    return layer_error (layer, error, EINVAL, "header: header_length %"
                        PRIu32 ", must be a multiple of 8 from %d to the "
                        "cluster size %" PRIu64, length,
                        QCOW2_HEADER_LENGTH_V3, cluster_size);
  if (refcount_order > QCOW2_REFCOUNT_ORDER_MAX)
    return layer_error (layer, error, EINVAL, "header: refcount_order %"
                        PRIu32 ", must be at most %d", refcount_order,
                        QCOW2_REFCOUNT_ORDER_MAX);
  return 0;
}

static int
check_backing_name (const struct layer *layer,
                    const struct qcow2_info *info,
                    struct vdisk_error *error)
{
  uint64_t cluster_size = UINT64_C (1) << info->cluster_bits;

  if (info->backing_file_offset == 0)
    return 0;
  if (info->backing_file_size > QCOW2_NAME_SIZE_MAX)
    return layer_error (layer, error, EINVAL, "header: backing_file_size %"
                        PRIu32 ", must be at most %d",
                        info->backing_file_size,
                        QCOW2_NAME_SIZE_MAX);
  if (!range_within (info->backing_file_offset, info->backing_file_size,
                     cluster_size))
    return layer_error (layer, error, EINVAL, "header: backing file name "
                        "of %" PRIu32 " bytes at offset %" PRIu64
                        ", must lie in the first cluster (%" PRIu64
                        " bytes)", info->backing_file_size,
                        info->backing_file_offset, cluster_size);
  if (info->backing_file_size > 0 &&
      !range_within (info->backing_file_offset, info->backing_file_size,
                     layer->source->size))
    return layer_error (layer, error, EINVAL, "header: backing file name "
                        "of %" PRIu32 " bytes at offset %" PRIu64
                        " reaches beyond the end of the file (%" PRIu64
                        " bytes)", info->backing_file_size,
                        info->backing_file_offset, layer->source->size);
  return 0;
}

/* Put the name of an incompatible feature into 'name', from the feature
 * name table, if the image has one that knows it. */
static int
find_feature_name (const struct layer *layer, unsigned bit,
                   uint64_t table, uint32_t table_size,
                   char name[sizeof ((struct qcow2_feature_name *) 0)->name
                             + 1],
                   struct vdisk_error *error)
{
  struct qcow2_feature_name entry;
  uint32_t at;

  name[0] = '\0';
  for (at = 0; table_size - at >= sizeof entry; at += sizeof entry) {
    if (source_pread (layer->source, &entry, sizeof entry, table + at,
                      error) == -1)
      return -1;
    if (entry.type == 0 && entry.bit == bit) {
      memcpy (name, entry.name, sizeof entry.name);
      name[sizeof entry.name] = '\0';
      break;
    }
  }
  return 0;
}

static int
check_features (const struct layer *layer, const struct qcow2_info *info,
                uint64_t name_table, uint32_t name_table_size,
                struct vdisk_error *error)
{
  uint64_t unknown = info->incompatible_features & ~QCOW2_KNOWN_FEATURES;
  char name[sizeof ((struct qcow2_feature_name *) 0)->name + 1];
  unsigned bit;

  if (unknown == 0)
    return 0;
  bit = __builtin_ctzll (unknown);
  if (find_feature_name (layer, bit, name_table, name_table_size, name,
                         error) == -1)
    return -1;
  return layer_error (layer, error, ENOTSUP, "header: incompatible feature "
                      "bit %u (%s) is not supported", bit,
                      name[0] ? name : "not in the feature name table");
}

static int
check_compression (const struct layer *layer, const struct qcow2_info *info,
                   struct vdisk_error *error)
{
  bool flag = info->incompatible_features & QCOW2_COMPRESSION_TYPE;

  if (info->compression_type > QCOW2_COMPRESSION_ZSTD)
    return layer_error (layer, error, ENOTSUP, "header: compression_type "
                        "%u, must be 0 (zlib) or 1 (zstd)",
                        info->compression_type);
  if (flag != (info->compression_type != QCOW2_COMPRESSION_ZLIB))
    return layer_error (layer, error, EINVAL, "header: compression_type %u "
                        "with incompatible feature bit 3 %s",
                        info->compression_type, flag ? "set" : "clear");
  if (info->compression_type == QCOW2_COMPRESSION_ZSTD &&
      !zstd_is_built_in && !layer->inspect_only)
    return layer_error (layer, error, ENOTSUP, "header: compressed with zstd "
                        "(compression_type 1), which cannot be read: built "
                        "without libzstd");
  return 0;
}

static int
check_data_file (const struct layer *layer, const struct qcow2_info *info,
                 struct vdisk_error *error)
{
  if (!(info->incompatible_features & QCOW2_EXTERNAL_DATA)) {
    if ((info->autoclear_features & QCOW2_DATA_FILE_RAW) &&
        !layer->inspect_only)
      return layer_error (layer, error, EINVAL, "header: the external data "
                          "is marked raw (autoclear feature bit 1), but "
                          "there is none (incompatible feature bit 2 is "
                          "clear)");
    return 0;
  }
  if (info->data_file_size == 0 ||
      info->data_file_size > QCOW2_NAME_SIZE_MAX)
    return layer_error (layer, error, EINVAL, "header: the name of the "
                        "external data file has %" PRIu32 " bytes, must be "
                        "1 to %d", info->data_file_size,
                        QCOW2_NAME_SIZE_MAX);
  return 0;
}

static int
check_l1 (const struct layer *layer, const struct qcow2_info *info,
          struct vdisk_error *error)
{
  bool extended = info->incompatible_features & QCOW2_EXTENDED_L2;
  unsigned entry_bits = extended ? 4 : 3;
  uint64_t covered = UINT64_C (1) << (2 * info->cluster_bits - entry_bits);
  uint64_t needed = divide_up (info->size, covered);

  if (extended && info->cluster_bits < QCOW2_EXTENDED_L2_CLUSTER_BITS_MIN)
    return layer_error (layer, error, EINVAL, "header: cluster_bits %u, "
                        "must be at least %d with extended L2 entries",
                        info->cluster_bits,
                        QCOW2_EXTENDED_L2_CLUSTER_BITS_MIN);
  if (info->l1_size > QCOW2_L1_SIZE_MAX / QCOW2_L1_ENTRY_SIZE)
    return layer_error (layer, error, EINVAL, "header: l1_size %" PRIu32
                        ", must be at most %d entries", info->l1_size,
                        QCOW2_L1_SIZE_MAX / QCOW2_L1_ENTRY_SIZE);
  if (info->l1_size < needed)
    return layer_error (layer, error, EINVAL, "header: l1_size %" PRIu32
                        ", a disk of %" PRIu64 " bytes needs %" PRIu64
                        " entries", info->l1_size, info->size, needed);
  if (!is_aligned (info->l1_table_offset,
                   UINT64_C (1) << info->cluster_bits))
    return layer_error (layer, error, EINVAL, "L1 table: offset 0x%" PRIx64
                        " is not cluster-aligned", info->l1_table_offset);
  if (!range_within (info->l1_table_offset, needed * QCOW2_L1_ENTRY_SIZE,
                     layer->source->size))
    return layer_error (layer, error, EINVAL, "L1 table: %" PRIu64
                        " entries at offset 0x%" PRIx64 " reach beyond the "
                        "end of the file (%" PRIu64 " bytes)", needed,
                        info->l1_table_offset, layer->source->size);
  return 0;
}

/* What reading the extensions finds besides what is in qcow2_info. */
struct extensions {
  uint64_t offset, end;         /* where they are */
  uint64_t feature_names;
  uint32_t feature_names_size;
};

static int
read_backing_format (const struct layer *layer, struct qcow2_info *info,
                     uint64_t offset, uint32_t length,
                     struct vdisk_error *error)
{
  if (length > QCOW2_FORMAT_NAME_SIZE_MAX)
    return layer_error (layer, error, EINVAL, "header extension 0x%x "
                        "(backing format): length %" PRIu32
                        ", must be at most %d",
                        QCOW2_EXTENSION_BACKING_FORMAT, length,
                        QCOW2_FORMAT_NAME_SIZE_MAX);
  memset (info->backing_format, 0, sizeof info->backing_format);
  return source_pread (layer->source, info->backing_format, length, offset,
                       error);
}

/* A damaged one of these matters only to check and describe, which find
 * nothing there. */
static int
read_bitmaps (const struct layer *layer, struct qcow2_info *info,
              uint64_t offset, uint32_t length, struct vdisk_error *error)
{
  struct qcow2_bitmaps_extension disk;

  if (length < sizeof disk)
    return 0;
  if (source_pread (layer->source, &disk, sizeof disk, offset, error) == -1)
    return -1;
  info->bitmap_count = get_be32 (disk.bitmap_count);
  info->bitmap_directory_size = get_be64 (disk.directory_size);
  info->bitmap_directory_offset = get_be64 (disk.directory_offset);
  return 0;
}

static int
read_crypt (const struct layer *layer, struct qcow2_info *info,
            uint64_t offset, uint32_t length, struct vdisk_error *error)
{
  struct qcow2_crypt_extension disk;

  if (length < sizeof disk)
    return 0;
  if (source_pread (layer->source, &disk, sizeof disk, offset, error) == -1)
    return -1;
  info->crypt_header_offset = get_be64 (disk.offset);
  info->crypt_header_size = get_be64 (disk.size);
  return 0;
}

static int
read_extension (const struct layer *layer, struct qcow2_info *info,
                struct extensions *extensions, uint32_t type,
                uint64_t offset, uint32_t length, struct vdisk_error *error)
{
  switch (type) {
  case QCOW2_EXTENSION_BACKING_FORMAT:
    return read_backing_format (layer, info, offset, length, error);
  case QCOW2_EXTENSION_FEATURE_NAMES:
    extensions->feature_names = offset;
    extensions->feature_names_size = length;
    return 0;
  case QCOW2_EXTENSION_DATA_FILE:
    info->data_file_offset = offset;
    info->data_file_size = length;
    return 0;
  case QCOW2_EXTENSION_BITMAPS:
    return read_bitmaps (layer, info, offset, length, error);
  case QCOW2_EXTENSION_CRYPT:
    return read_crypt (layer, info, offset, length, error);
  default:
    return 0;           /* what may yet come */
  }
}

static int
read_extensions (const struct layer *layer, struct qcow2_info *info,
                 struct extensions *extensions, struct vdisk_error *error)
{
  uint64_t offset = extensions->offset, end = extensions->end;
  struct qcow2_extension disk;
  unsigned n;

  for (n = 0; offset < end && end - offset >= sizeof disk; ++n) {
    uint32_t type, length;

    if (source_pread (layer->source, &disk, sizeof disk, offset,
                      error) == -1)
      return -1;
    type = get_be32 (disk.type);
    length = get_be32 (disk.length);
    offset += sizeof disk;
    if (type == QCOW2_EXTENSION_END)
      break;
    if (n == QCOW2_EXTENSIONS_MAX)
      return layer_error (layer, error, EINVAL, "header: more than %d "
                          "extensions", QCOW2_EXTENSIONS_MAX);
    if (length > end - offset)
      return layer_error (layer, error, EINVAL, "header extension 0x%"
                          PRIx32 ": length %" PRIu32 ", only %" PRIu64
                          " bytes are left for it", type, length,
                          end - offset);
    if (read_extension (layer, info, extensions, type, offset, length,
                        error) == -1)
      return -1;
    offset += round_up (length, 8);
  }
  return 0;
}

static int
read_disk_header (const struct layer *layer, struct qcow2_header *disk,
                  struct vdisk_error *error)
{
  struct source *source = layer->source;

  if (source->size < QCOW2_HEADER_LENGTH_V2)
    return layer_error (layer, error, EINVAL, "header: the file has only %"
                        PRIu64 " bytes", source->size);
  memset (disk, 0, sizeof *disk);
  if (source_pread (source, disk, min_u64 (sizeof *disk, source->size), 0,
                    error) == -1)
    return -1;
  if (get_be32 (disk->magic) != QCOW2_MAGIC)
    return layer_error (layer, error, EINVAL, "header: magic 0x%08" PRIx32
                        ", expected 0x%08x", get_be32 (disk->magic),
                        QCOW2_MAGIC);
  return 0;
}

static void
swap_header (const struct qcow2_header *disk, struct qcow2_info *info,
             struct extensions *extensions)
{
  *info = (struct qcow2_info) {
    .version = get_be32 (disk->version),
    .cluster_bits = get_be32 (disk->cluster_bits),
    .size = get_be64 (disk->size),
    .l1_table_offset = get_be64 (disk->l1_table_offset),
    .l1_size = get_be32 (disk->l1_size),
    .backing_file_offset = get_be64 (disk->backing_file_offset),
    .backing_file_size = get_be32 (disk->backing_file_size),
    .refcount_table_offset = get_be64 (disk->refcount_table_offset),
    .refcount_table_clusters = get_be32 (disk->refcount_table_clusters),
    .refcount_order = 4,
    .snapshot_count = get_be32 (disk->nb_snapshots),
    .snapshots_offset = get_be64 (disk->snapshots_offset),
    .crypt_method = get_be32 (disk->crypt_method),
  };
  *extensions = (struct extensions) { .offset = QCOW2_HEADER_LENGTH_V2 };
  if (info->version >= 3) {
    extensions->offset = get_be32 (disk->header_length);
    info->incompatible_features = get_be64 (disk->incompatible_features);
    info->compatible_features = get_be64 (disk->compatible_features);
    info->autoclear_features = get_be64 (disk->autoclear_features);
    info->refcount_order = get_be32 (disk->refcount_order);
    if (extensions->offset > offsetof (struct qcow2_header,
                                       compression_type))
      info->compression_type = disk->compression_type;
  }
}

/* Extensions end where the backing file's name or the cluster does. */
static uint64_t
end_of_extensions (const struct layer *layer, const struct qcow2_info *info)
{
  uint64_t end = min_u64 (UINT64_C (1) << info->cluster_bits,
                          layer->source->size);

  if (info->backing_file_offset != 0)
    end = min_u64 (end, info->backing_file_offset);
  return end;
}

int
qcow2_read_header (const struct layer *layer, struct qcow2_info *info,
                   struct vdisk_error *error)
{
  struct extensions extensions;
  struct qcow2_header disk;

  if (read_disk_header (layer, &disk, error) == -1)
    return -1;
  swap_header (&disk, info, &extensions);
  if (check_version_2 (layer, info, error) == -1)
    return -1;
  if (info->version >= 3 && check_version_3 (layer, &disk, error) == -1)
    return -1;
  if (check_backing_name (layer, info, error) == -1)
    return -1;

  extensions.end = end_of_extensions (layer, info);
  if (read_extensions (layer, info, &extensions, error) == -1)
    return -1;

  if (check_features (layer, info, extensions.feature_names,
                      extensions.feature_names_size, error) == -1 ||
      check_encryption (layer, info->crypt_method, error) == -1 ||
      check_compression (layer, info, error) == -1 ||
      check_data_file (layer, info, error) == -1 ||
      check_l1 (layer, info, error) == -1)
    return -1;
  return 0;
}
