/* SPDX-License-Identifier: BSD-3-Clause */
/* What a QCOW2 image says of itself beyond what all formats do: version
 * and features, snapshots, bitmaps.  Keys are those of qemu-img info.
 */

#include "describe.h"
#include "util/error.h"
#include "format/format.h"
#include "format/qcow2/disk.h"
#include "format/qcow2/driver.h"
#include "source/source.h"
#include "util/align.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/escape-json.h"
#include "util/minmax.h"

/* Set a key to text in the file. */
static int
set_text (const struct layer *layer, json_t *object, const char *key,
          uint64_t offset, size_t length, struct vdisk_error *error)
{
  char text[QCOW2_NAME_SIZE_MAX];

  length = min_u64 (length, sizeof text);
  if (source_pread (layer->source, text, length, offset, error) == -1)
    return -1;
  return describe_set (object, key, escape_json (text, length), error);
}

static int
describe_snapshot (void *opaque, const struct layer *layer,
                   const struct qcow2_snapshot_entry *entry,
                   struct vdisk_error *error)
{
  json_t *object = json_object ();

  if (json_array_append_new (opaque, object) == -1)
    return error_no_memory (error, layer->source->name);
  if (entry->icount != UINT64_MAX &&
      describe_set (object, "icount", json_integer (entry->icount),
                    error) == -1)
    return -1;
  if (set_text (layer, object, "id", entry->id_offset, entry->id_size,
                error) == -1 ||
      set_text (layer, object, "name", entry->name_offset, entry->name_size,
                error) == -1 ||
      describe_set (object, "vm-state-size",
                    json_integer (entry->vm_state_size), error) == -1 ||
      describe_set (object, "date-sec", json_integer (entry->date_sec),
                    error) == -1 ||
      describe_set (object, "date-nsec", json_integer (entry->date_nsec),
                    error) == -1 ||
      describe_set (object, "vm-clock-sec",
                    json_integer (entry->vm_clock_nsec / 1000000000),
                    error) == -1 ||
      describe_set (object, "vm-clock-nsec",
                    json_integer (entry->vm_clock_nsec % 1000000000),
                    error) == -1)
    return -1;
  return 0;
}

static int
describe_snapshots (const struct layer *layer,
                    const struct qcow2_info *info, json_t *document,
                    struct vdisk_error *error)
{
  json_t *list;

  if (info->snapshot_count == 0)
    return 0;
  list = json_array ();
  if (describe_set (document, "snapshots", list, error) == -1)
    return -1;
  return qcow2_each_snapshot (layer, describe_snapshot, list, error);
}

static json_t *
bitmap_flags (uint32_t flags)
{
  json_t *list = json_array ();

  if ((flags & QCOW2_BITMAP_IN_USE &&
       json_array_append_new (list, json_string ("in-use")) == -1) ||
      (flags & QCOW2_BITMAP_AUTO &&
       json_array_append_new (list, json_string ("auto")) == -1)) {
    json_decref (list);
    return NULL;
  }
  return list;
}

/* Null for more bytes than there can be. */
static json_t *
bitmap_granularity (unsigned bits)
{
  return bits < 63 ? json_integer (INT64_C (1) << bits) : json_null ();
}

static int
describe_bitmap (void *opaque, const struct layer *layer,
                 const struct qcow2_bitmap_entry *entry,
                 struct vdisk_error *error)
{
  json_t *object = json_object ();

  if (json_array_append_new (opaque, object) == -1)
    return error_no_memory (error, layer->source->name);
  if (describe_set (object, "flags", bitmap_flags (entry->flags),
                    error) == -1 ||
      set_text (layer, object, "name", entry->name_offset, entry->name_size,
                error) == -1 ||
      describe_set (object, "granularity",
                    bitmap_granularity (entry->granularity_bits),
                    error) == -1)
    return -1;
  return 0;
}

static int
describe_bitmaps (const struct layer *layer, const struct qcow2_info *info,
                  json_t *data, struct vdisk_error *error)
{
  json_t *list;

  if (info->bitmap_count == 0 ||
      !(info->autoclear_features & QCOW2_BITMAPS_VALID))
    return 0;
  list = json_array ();
  if (describe_set (data, "bitmaps", list, error) == -1)
    return -1;
  return qcow2_each_bitmap (layer, describe_bitmap, list, error);
}

static int
describe_encryption (const struct qcow2_info *info, json_t *document,
                     json_t *data, struct vdisk_error *error)
{
  const char *format = info->crypt_method == QCOW2_CRYPT_AES ? "aes"
    : "luks";

  if (info->crypt_method == QCOW2_CRYPT_NONE)
    return 0;
  if (describe_set (document, "encrypted", json_true (), error) == -1)
    return -1;
  return describe_set (data, "encrypt", json_pack ("{s:s}", "format", format),
                       error);
}

static int
describe_features (const struct layer *layer, const struct qcow2_info *info,
                   json_t *data, struct vdisk_error *error)
{
  const uint64_t incompatible = info->incompatible_features;

  if (describe_set (data, "lazy-refcounts",
                    json_boolean (info->compatible_features &
                                  QCOW2_LAZY_REFCOUNTS), error) == -1 ||
      describe_set (data, "corrupt",
                    json_boolean (incompatible & QCOW2_CORRUPT),
                    error) == -1 ||
      describe_set (data, "extended-l2",
                    json_boolean (incompatible & QCOW2_EXTENDED_L2),
                    error) == -1)
    return -1;
  if (!(incompatible & QCOW2_EXTERNAL_DATA))
    return 0;
  if (describe_set (data, "data-file-raw",
                    json_boolean (info->autoclear_features &
                                  QCOW2_DATA_FILE_RAW), error) == -1)
    return -1;
  return set_text (layer, data, "data-file", info->data_file_offset,
                   info->data_file_size, error);
}

static int
describe_data (const struct layer *layer, const struct qcow2_info *info,
               json_t *document, json_t *data, struct vdisk_error *error)
{
  const char *compression =
    info->compression_type == QCOW2_COMPRESSION_ZSTD ? "zstd" : "zlib";

  if (describe_set (data, "compat",
                    json_string (info->version == 2 ? "0.10" : "1.1"),
                    error) == -1 ||
      describe_set (data, "compression-type", json_string (compression),
                    error) == -1 ||
      describe_set (data, "refcount-bits",
                    json_integer (1 << info->refcount_order), error) == -1)
    return -1;
  if (info->version >= 3 &&
      describe_features (layer, info, data, error) == -1)
    return -1;
  if (describe_bitmaps (layer, info, data, error) == -1)
    return -1;
  return describe_encryption (info, document, data, error);
}

int
qcow2_describe (struct layer *layer, struct json_t *document,
                struct vdisk_error *error)
{
  const struct qcow2 *qcow2 = layer->state;
  const struct qcow2_info *info = &qcow2->info;
  json_t *data = json_object ();

  if (describe_set (document, "dirty-flag",
                    json_boolean (info->incompatible_features &
                                  QCOW2_DIRTY), error) == -1 ||
      describe_set (document, "format-specific",
                    json_pack ("{s:s, s:O}", "type", "qcow2", "data", data),
                    error) == -1 ||
      describe_snapshots (layer, info, document, error) == -1 ||
      describe_data (layer, info, document, data, error) == -1) {
    json_decref (data);
    return -1;
  }
  json_decref (data);
  return 0;
}
