/* SPDX-License-Identifier: BSD-3-Clause */
/* The header of a qcow2 image, and how large its tables are. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "util/error.h"
#include "export/qcow2.h"
#include "format/qcow2/disk.h"
#include "util/align.h"

/* QEMU's limit, bytes. */
#define REFCOUNT_TABLE_SIZE_MAX (8 << 20)

static int
check_name (const char *option, const char *name, size_t most,
            struct vdisk_error *error)
{
  if (name && strlen (name) > most)
    return error_set (error, ENAMETOOLONG, "--%s: the name has %zu bytes, "
                      "qcow2 has room for %zu", option, strlen (name), most);
  return 0;
}

/* QEMU's limits. */
static int
check_names (const struct export_options *options, struct vdisk_error *error)
{
  if (check_name ("backing", options->backing, QCOW2_NAME_SIZE_MAX,
                  error) == -1 ||
      check_name ("backing-format", options->backing_format,
                  QCOW2_FORMAT_NAME_SIZE_MAX, error) == -1)
    return -1;
  return check_name (options->data_file_raw ? "data-file-raw" : "data-file",
                     options->data_file, QCOW2_NAME_SIZE_MAX, error);
}

int
qcow2_layout_init (struct qcow2_layout *layout, const struct export *export,
                   struct vdisk_error *error)
{
  const struct export_options *options = export->options;
  uint64_t clusters;

  *layout = (struct qcow2_layout) {
    .disk_size = round_up (vdisk_size (export->disks[0]),
                           QCOW2_SECTOR_SIZE),
    .cluster_size = options->cluster_size,
    .cluster_bits = log2_of (options->cluster_size),
    .refcount_bits = options->refcount_bits,
  };
  clusters = divide_up (layout->disk_size, layout->cluster_size);
  layout->l1_entries = divide_up (clusters, qcow2_entries (layout));
  layout->l1_clusters = divide_up (layout->l1_entries,
                                   qcow2_entries (layout));
  if (layout->l1_entries > QCOW2_L1_SIZE_MAX / QCOW2_L1_ENTRY_SIZE)
    return error_set (error, EINVAL, "a disk of %" PRIu64 " bytes needs "
                      "larger clusters than --cluster-size=%" PRIu64,
                      layout->disk_size, layout->cluster_size);
  return check_names (options, error);
}

int
qcow2_layout_refcounts (struct qcow2_layout *layout, uint64_t clusters,
                        struct vdisk_error *error)
{
  uint64_t total, before;

  /* More of them may need more of them, until they suffice. */
  layout->block_clusters = layout->table_clusters = 0;
  do {
    before = layout->block_clusters;
    total = clusters + layout->block_clusters + layout->table_clusters;
    layout->block_clusters = divide_up (total,
                                        qcow2_block_entries (layout));
    layout->table_clusters = divide_up (layout->block_clusters,
                                        qcow2_entries (layout));
  } while (layout->block_clusters != before);
  if (layout->table_clusters * layout->cluster_size >
      REFCOUNT_TABLE_SIZE_MAX)
    return error_set (error, EINVAL, "%" PRIu64 " clusters are too many for "
                      "a refcount table: larger clusters than "
                      "--cluster-size=%" PRIu64 " are needed", clusters,
                      layout->cluster_size);
  return 0;
}

/* A header being made. */
struct making {
  uint8_t *cluster;
  size_t used, size;
  bool is_full;                 /* something did not fit */
};

static void
put_bytes (struct making *making, const void *bytes, size_t count,
           size_t padded)
{
  if (padded > making->size - making->used) {
    making->is_full = true;
    return;
  }
  if (count > 0)
    memcpy (making->cluster + making->used, bytes, count);
  making->used += padded;
}

static void
put_extension (struct making *making, uint32_t type, const void *data,
               size_t size)
{
  const struct qcow2_extension extension = {
    .type = to_be32 (type), .length = to_be32 (size),
  };

  put_bytes (making, &extension, sizeof extension, sizeof extension);
  put_bytes (making, data, size, round_up (size, 8));
}

/* Names of the features QEMU knows, for programs that do not. */
static const struct qcow2_feature_name feature_names[] = {
  { 0, 0, "dirty bit" },
  { 0, 1, "corrupt bit" },
  { 0, 2, "external data file" },
  { 0, 3, "compression type" },
  { 0, 4, "extended L2 entries" },
  { 1, 0, "lazy refcounts" },
  { 2, 0, "bitmaps" },
  { 2, 1, "raw external data" },
};

static void
put_extensions (struct making *making, const struct export_options *options)
{
  const size_t names = sizeof (struct qcow2_extension) +
    sizeof feature_names;
  size_t needed;

  if (options->data_file)
    put_extension (making, QCOW2_EXTENSION_DATA_FILE, options->data_file,
                   strlen (options->data_file));
  if (options->backing_format)
    put_extension (making, QCOW2_EXTENSION_BACKING_FORMAT,
                   options->backing_format,
                   strlen (options->backing_format));
  /* In clusters of 512 bytes there may be no room beside the rest. */
  needed = names + sizeof (struct qcow2_extension) +
    (options->backing ? strlen (options->backing) : 0);
  if (needed <= making->size - making->used)
    put_extension (making, QCOW2_EXTENSION_FEATURE_NAMES, feature_names,
                   sizeof feature_names);
  put_extension (making, QCOW2_EXTENSION_END, NULL, 0);
}

static void
set_features (struct qcow2_header *header,
              const struct export_options *options)
{
  const bool is_zstd = options->compression == COMPRESSION_ZSTD;
  uint64_t incompatible = 0;

  if (options->data_file)
    incompatible |= QCOW2_EXTERNAL_DATA;
  if (is_zstd)
    incompatible |= QCOW2_COMPRESSION_TYPE;
  header->incompatible_features = to_be64 (incompatible);
  if (options->data_file_raw)
    header->autoclear_features = to_be64 (QCOW2_DATA_FILE_RAW);
  header->compression_type = is_zstd ? QCOW2_COMPRESSION_ZSTD
    : QCOW2_COMPRESSION_ZLIB;
}

int
qcow2_make_header (const struct export *export,
                   const struct qcow2_layout *layout, uint64_t table_offset,
                   uint64_t l1_offset, uint8_t *cluster,
                   struct vdisk_error *error)
{
  const struct export_options *options = export->options;
  struct making making = {
    .cluster = cluster, .size = layout->cluster_size,
    .used = sizeof (struct qcow2_header),
  };
  struct qcow2_header header = {
    .magic = to_be32 (QCOW2_MAGIC),
    .version = to_be32 (3),
    .cluster_bits = to_be32 (layout->cluster_bits),
    .size = to_be64 (layout->disk_size),
    .l1_size = to_be32 (layout->l1_entries),
    .l1_table_offset = to_be64 (l1_offset),
    .refcount_table_offset = to_be64 (table_offset),
    .refcount_table_clusters = to_be32 (layout->table_clusters),
    .refcount_order = to_be32 (log2_of (layout->refcount_bits)),
    .header_length = to_be32 (sizeof header),
  };

  memset (cluster, 0, layout->cluster_size);
  set_features (&header, options);
  put_extensions (&making, options);
  if (options->backing) {
    header.backing_file_offset = to_be64 (making.used);
    header.backing_file_size = to_be32 (strlen (options->backing));
    put_bytes (&making, options->backing, strlen (options->backing),
               strlen (options->backing));
  }
  if (making.is_full)
    return error_set (error, EINVAL, "the names do not fit in the header: "
                      "larger clusters than --cluster-size=%" PRIu64
                      " or shorter names are needed", layout->cluster_size);
  memcpy (cluster, &header, sizeof header);
  return 0;
}

void
qcow2_set_refcount (uint8_t *block, unsigned refcount_bits, uint64_t i,
                    uint64_t count)
{
  const unsigned bytes = refcount_bits / 8;
  unsigned k;

  if (refcount_bits < 8) {
    const unsigned per_byte = 8 / refcount_bits;

    block[i / per_byte] |= count << i % per_byte * refcount_bits;
    return;
  }
  for (k = 0; k < bytes; ++k)
    block[i * bytes + k] = count >> 8 * (bytes - 1 - k);
}
