/* SPDX-License-Identifier: BSD-3-Clause */
/* The QED driver: probing, opening and closing.  The header's rules are in
 * header.c, where a disk's bytes are in map.c; what is told of an image in
 * describe.c and check/check.c.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "format/format.h"
#include "format/qed/disk.h"
#include "format/qed/driver.h"
#include "source/source.h"
#include "util/checked.h"

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
  if (qed_read_header (layer, qed, &info, error) == -1)
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

const struct format format_qed = {
  .name = "qed",
  .probe = qed_probe,
  .open = qed_open,
  .close = qed_close,
  .map = qed_map,
  .describe = qed_describe,
  .check = qed_check,
};
