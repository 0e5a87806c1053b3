/* SPDX-License-Identifier: BSD-3-Clause */
/* The QCOW2 driver: opening an image.  Versions 2 and 3 with everything
 * but encryption.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "format/format.h"
#include "format/qcow2/disk.h"
#include "format/qcow2/driver.h"
#include "source/source.h"
#include "util/align.h"

static bool
qcow2_probe (const struct probe *probe)
{
  be32 magic;

  if (probe->head_size < sizeof magic)
    return false;
  memcpy (&magic, probe->head, sizeof magic);
  return get_be32 (magic) == QCOW2_MAGIC;
}

static int
open_backing (struct layer *layer, const struct qcow2_info *info,
              struct vdisk_error *error)
{
  if (info->backing_file_offset == 0)
    return 0;
  if (layer_read_name (layer, &layer->backing, info->backing_file_offset,
                       info->backing_file_size, error) == -1)
    return -1;
  if (layer->backing.name_count == 0)
    return 0;
  layer->backing.role = "backing file";
  if (info->backing_format[0] != '\0') {
    layer->backing.format = format_by_name (info->backing_format);
    if (layer->backing.format == NULL && !layer->backing_is_told)
      return layer_error (layer, error, ENOTSUP, "header: the backing "
                          "file's format '%s' is not supported",
                          info->backing_format);
  }
  return 0;
}

static int
open_data_file (struct layer *layer, const struct qcow2_info *info,
                struct vdisk_error *error)
{
  if (!(info->incompatible_features & QCOW2_EXTERNAL_DATA))
    return 0;
  if (layer_read_name (layer, &layer->data_file, info->data_file_offset,
                       info->data_file_size, error) == -1)
    return -1;
  if (layer->data_file.name_count == 0)
    return layer_error (layer, error, EINVAL, "header: the name of the "
                        "external data file is empty");
  layer->data_file.role = "data file";
  return 0;
}

static void
set_geometry (struct layer *layer, struct qcow2 *qcow2)
{
  bool extended = qcow2->info.incompatible_features & QCOW2_EXTENDED_L2;

  layer->size = qcow2->info.size;
  layer->cluster_size = UINT32_C (1) << qcow2->info.cluster_bits;
  layer->preferred_size = layer->cluster_size;
  layer->granularity = layer->cluster_size /
    (extended ? QCOW2_SUBCLUSTERS : 1);
  qcow2->entry_size = extended ? QCOW2_EXTENDED_L2_ENTRY_SIZE
    : QCOW2_L2_ENTRY_SIZE;
  qcow2->l2_bits = log2_of (layer->cluster_size / qcow2->entry_size);
}

static int
qcow2_open (struct layer *layer, struct vdisk_error *error)
{
  struct qcow2 *qcow2 = layer->state = calloc (1, sizeof *qcow2);
  struct qcow2_info *info;

  if (qcow2 == NULL)
    return error_no_memory (error, layer->source->name);
  info = &qcow2->info;
  if (qcow2_read_header (layer, info, error) == -1)
    return -1;
  if (info->incompatible_features & QCOW2_CORRUPT)
    layer_warn (layer, "the image is marked corrupt; what can be read of "
                "it is read");
  set_geometry (layer, qcow2);
  layer->compression = info->compression_type == QCOW2_COMPRESSION_ZSTD
    ? VDISK_COMPRESSION_ZSTD : VDISK_COMPRESSION_DEFLATE;
  qcow2->unpackers = qcow2_unpackers_new (info->compression_type);
  if (qcow2->unpackers == NULL)
    return error_no_memory (error, layer->source->name);
  if (open_backing (layer, info, error) == -1)
    return -1;
  return open_data_file (layer, info, error);
}

static void
qcow2_close (struct layer *layer)
{
  struct qcow2 *qcow2 = layer->state;

  if (qcow2) {
    qcow2_unpackers_free (qcow2->unpackers);
    free (qcow2);
  }
}

const struct format format_qcow2 = {
  .name = "qcow2",
  .probe = qcow2_probe,
  .open = qcow2_open,
  .close = qcow2_close,
  .map = qcow2_map,
  .find_change = qcow2_find_change,
  .list_views = qcow2_list_views,
  .open_snapshot = qcow2_open_snapshot_number,
  .open_bitmap = qcow2_open_bitmap,
  .map_bitmap = qcow2_map_bitmap,
  .unpack = qcow2_unpack,
  .qemu_finds_holes = qcow2_qemu_finds_holes,
  .describe = qcow2_describe,
  .check = qcow2_check,
};
