/* SPDX-License-Identifier: BSD-3-Clause */
/* The header of a qcow2 image, and how large its tables are. */

#include "output/qcow2-layout.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "image.h"
#include "options.h"
#include "util/align.h"
#include "util/error.h"

/* QEMU's limit, bytes. */
#define REFCOUNT_TABLE_SIZE_MAX (8 << 20)

static int
check_name (const struct vdisk *disk, const char *option, const char *name,
            size_t most, struct vdisk_error *error)
{
  if (name && strlen (name) > most)
    return error_set (error, ENAMETOOLONG, "%s%s: the name has %zu bytes, "
                      "qcow2 has room for %zu",
                      options_prefix (disk->options), option, strlen (name),
                      most);
  return 0;
}

/* QEMU's limits. */
static int
check_names (const struct vdisk *disk, const struct qcow2_settings *settings,
             struct vdisk_error *error)
{
  if (check_name (disk, "backing", settings->backing, QCOW2_NAME_SIZE_MAX,
                  error) == -1 ||
      check_name (disk, "backing-format", settings->backing_format,
                  QCOW2_FORMAT_NAME_SIZE_MAX, error) == -1)
    return -1;
  return check_name (disk, settings->data_file_raw ? "data-file-raw"
                     : "data-file", settings->data_file,
                     QCOW2_NAME_SIZE_MAX, error);
}

int
qcow2_layout_init (struct qcow2_layout *layout, const struct vdisk *disk,
                   const struct qcow2_settings *settings,
                   struct vdisk_error *error)
{
  uint64_t clusters;

  *layout = (struct qcow2_layout) {
    .disk_size = round_up (vdisk_size (disk), QCOW2_SECTOR_SIZE),
    .cluster_size = settings->cluster_size,
    .cluster_bits = log2_of (settings->cluster_size),
    .refcount_bits = settings->refcount_bits,
  };
  clusters = divide_up (layout->disk_size, layout->cluster_size);
  layout->l1_entries = divide_up (clusters, qcow2_entries (layout));
  layout->l1_clusters = divide_up (layout->l1_entries,
                                   qcow2_entries (layout));
  if (layout->l1_entries > QCOW2_L1_SIZE_MAX / QCOW2_L1_ENTRY_SIZE)
    return error_set (error, EINVAL, "a disk of %" PRIu64 " bytes needs "
                      "larger clusters than %scluster-size=%" PRIu64,
                      layout->disk_size, options_prefix (disk->options),
                      layout->cluster_size);
  return check_names (disk, settings, error);
}

int
qcow2_layout_refcounts (struct qcow2_layout *layout,
                        const struct vdisk *disk, uint64_t clusters,
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
                      "%scluster-size=%" PRIu64 " are needed", clusters,
                      options_prefix (disk->options), layout->cluster_size);
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
put_extensions (struct making *making, const struct qcow2_settings *settings)
{
  const size_t names = sizeof (struct qcow2_extension) +
    sizeof feature_names;
  size_t needed;

  if (settings->data_file)
    put_extension (making, QCOW2_EXTENSION_DATA_FILE, settings->data_file,
                   strlen (settings->data_file));
  if (settings->backing_format)
    put_extension (making, QCOW2_EXTENSION_BACKING_FORMAT,
                   settings->backing_format,
                   strlen (settings->backing_format));
  /* In clusters of 512 bytes there may be no room beside the rest. */
  needed = names + sizeof (struct qcow2_extension) +
    (settings->backing ? strlen (settings->backing) : 0);
  if (needed <= making->size - making->used)
    put_extension (making, QCOW2_EXTENSION_FEATURE_NAMES, feature_names,
                   sizeof feature_names);
  put_extension (making, QCOW2_EXTENSION_END, NULL, 0);
}

static void
set_features (struct qcow2_header *header,
              const struct qcow2_settings *settings)
{
  uint64_t incompatible = 0;

  if (settings->data_file)
    incompatible |= QCOW2_EXTERNAL_DATA;
  header->incompatible_features = to_be64 (incompatible);
  if (settings->data_file_raw)
    header->autoclear_features = to_be64 (QCOW2_DATA_FILE_RAW);
  header->compression_type = QCOW2_COMPRESSION_ZLIB;
}

int
qcow2_make_header (const struct vdisk *disk,
                   const struct qcow2_settings *settings,
                   const struct qcow2_layout *layout, uint64_t table_offset,
                   uint64_t l1_offset, uint8_t *cluster,
                   struct vdisk_error *error)
{
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
  set_features (&header, settings);
  put_extensions (&making, settings);
  if (settings->backing) {
    header.backing_file_offset = to_be64 (making.used);
    header.backing_file_size = to_be32 (strlen (settings->backing));
    put_bytes (&making, settings->backing, strlen (settings->backing),
               strlen (settings->backing));
  }
  if (making.is_full)
    return error_set (error, EINVAL, "the names do not fit in the header: "
                      "larger clusters than %scluster-size=%" PRIu64
                      " or shorter names are needed",
                      options_prefix (disk->options), layout->cluster_size);
  memcpy (cluster, &header, sizeof header);
  return 0;
}
