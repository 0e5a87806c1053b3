/* SPDX-License-Identifier: BSD-3-Clause */
/* What a VHD says of itself beyond what all formats do: who made it and
 * when, its two sizes and who takes which, its two footers, where a
 * differencing disk's parent is said to be.
 */

#include "format/vhd/driver.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "describe.h"
#include "util/error.h"
#include "util/align.h"
#include "util/escape-json.h"
#include "util/utf16.h"

/* QEMU opens no VHD larger than this: 2040 GiB. */
#define QEMU_SIZE_MAX (UINT64_C (0xff000000) * VHD_SECTOR_SIZE)

/* QEMU compares the product: other geometries with the same one stand for
 * a disk too big for a geometry, too. */
#define QEMU_CHS_MAX ((uint64_t) VHD_CYLINDERS_MAX * VHD_HEADS_MAX * \
                      VHD_SECTORS_MAX * VHD_SECTOR_SIZE)

#define MIB (UINT64_C (1) << 20)

/* JSON's integers end where int64_t does here. */
static json_t *
json_size (uint64_t size)
{
  return size <= INT64_MAX ? json_integer (size) : json_real (size);
}

/* Four characters such as "win " or "tap\0", without the padding. */
static json_t *
json_code (const uint8_t code[4])
{
  size_t length = 4;

  while (length > 0 && (code[length - 1] == '\0' || code[length - 1] == ' '))
    length--;
  return escape_json ((const char *) code, length);
}

static json_t *
json_uuid (const uint8_t *uuid)
{
  char text[UUID_TEXT_SIZE];

  return json_string (uuid_text (uuid, text));
}

static json_t *
json_time (uint32_t time_stamp)
{
  const time_t seconds = (time_t) VHD_EPOCH + time_stamp;
  char text[32];
  struct tm tm;

  strftime (text, sizeof text, "%Y-%m-%dT%H:%M:%SZ",
            gmtime_r (&seconds, &tm));
  return json_string (text);
}

static json_t *
json_version (uint32_t version)
{
  char text[24];

  snprintf (text, sizeof text, "%" PRIu32 ".%" PRIu32, version >> 16,
            version & 0xffff);
  return json_string (text);
}

static const char *
type_name (enum vhd_type type)
{
  switch (type) {
  case VHD_FIXED: return "fixed";
  case VHD_DYNAMIC: return "dynamic";
  case VHD_DIFFERENCING: break;
  }
  return "differencing";
}

/* QEMU 7.2 and older know by name who means current_size, and take all
 * others for Virtual PC. */
static bool
qemu_7_takes_chs (const struct footer *footer)
{
  static const char known[][4] = { "win ", "qem2", "d2v ", "tap", "CTXS" };
  size_t i;

  for (i = 0; i < sizeof known / sizeof known[0]; ++i)
    if (memcmp (footer->creator, known[i], sizeof known[i]) == 0)
      return false;
  return true;
}

/* The size QEMU gives the disk; null if it doesn't open one so large. */
static json_t *
json_qemu_size (const struct footer *footer, bool takes_chs)
{
  uint64_t size = vhd_chs_size (footer);

  if (!takes_chs || size == QEMU_CHS_MAX)
    size = round_down (footer->current_size, VHD_SECTOR_SIZE);
  return size <= QEMU_SIZE_MAX ? json_integer (size) : json_null ();
}

static int
describe_sizes (const struct footer *footer, json_t *data,
                struct vdisk_error *error)
{
  if (describe_set (data, "original-size",
                    json_size (footer->original_size), error) == -1 ||
      describe_set (data, "current-size",
                    json_size (footer->current_size), error) == -1 ||
      describe_set (data, "chs-size", json_size (vhd_chs_size (footer)),
                    error) == -1 ||
      describe_set (data, "geometry",
                    json_pack ("{s:i, s:i, s:i}",
                               "cylinders", footer->cylinders,
                               "heads", footer->heads,
                               "sectors", footer->sectors), error) == -1)
    return -1;
  return describe_set (data, "size-seen-by",
                       json_pack ("{s:o, s:o, s:o}",
                                  "qemu-7.2",
                                  json_qemu_size (footer,
                                                  qemu_7_takes_chs (footer)),
                                  "qemu-10.0",
                                  json_qemu_size (footer,
                                                  vhd_creator_means_chs
                                                  (footer)),
                                  "xenserver",
                                  json_size (round_down
                                             (footer->current_size,
                                              VHD_SECTOR_SIZE))), error);
}

/* Which of the sizes the file speaks for, if that has to be asked. */
static int
describe_evidence (const struct layer *layer, json_t *data,
                   struct vdisk_error *error)
{
  struct vhd_evidence evidence;

  if (!vhd_size_in_doubt (layer->state))
    return 0;
  if (vhd_find_evidence (layer, &evidence, error) == -1)
    return -1;
  return describe_set (data, "size-evidence",
                       json_pack ("{s:s, s:s}", "speaks-for",
                                  evidence.found ? "current-size"
                                  : "chs-size",
                                  "because", evidence.found ? evidence.what
                                  : "this file has nothing beyond it"),
                       error);
}

static int
describe_footer (const struct footer *footer, json_t *data,
                 struct vdisk_error *error)
{
  if (describe_set (data, "type", json_string (type_name (footer->type)),
                    error) == -1 ||
      describe_set (data, "creator", json_code (footer->creator),
                    error) == -1 ||
      describe_set (data, "creator-version",
                    json_version (footer->creator_version), error) == -1 ||
      describe_set (data, "creator-host-os", json_code (footer->creator_os),
                    error) == -1 ||
      describe_set (data, "uuid", json_uuid (footer->uuid), error) == -1 ||
      describe_set (data, "time-stamp", json_time (footer->time_stamp),
                    error) == -1 ||
      describe_set (data, "saved-state", json_boolean (footer->saved_state),
                    error) == -1 ||
      describe_set (data, "hidden", json_boolean (footer->hidden),
                    error) == -1)
    return -1;
  return describe_sizes (footer, data, error);
}

static json_t *
json_problem (const struct vdisk_error *problem)
{
  return json_string (problem->errnum == 0 ? "valid" : problem->message);
}

/* The two footers, compared. */
static int
describe_footers (const struct layer *layer, json_t *data,
                  struct vdisk_error *error)
{
  struct vhd_footers footers;
  json_t *object = json_object ();

  if (describe_set (data, "footer", object, error) == -1 ||
      vhd_read_footers (layer, &footers, error) == -1 ||
      describe_set (object, "at-end", json_problem (&footers.end_problem),
                    error) == -1)
    return -1;
  if (!footers.has_copy)
    return describe_set (object, "copy", json_string ("none"), error);
  if (describe_set (object, "copy", json_problem (&footers.copy_problem),
                    error) == -1)
    return -1;
  return describe_set (object, "identical",
                       json_boolean (memcmp (&footers.end, &footers.copy,
                                             sizeof footers.end) == 0),
                       error);
}

static int
count_block (void *opaque, uint64_t number, uint32_t sector)
{
  uint64_t *blocks = opaque;

  (void) number;
  *blocks += sector != VHD_BAT_UNUSED;
  return 0;
}

static int
describe_batmap (const struct layer *layer,
                 const struct dynamic_header *header, json_t *data,
                 struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;
  struct vhd_batmap batmap;

  if (vhd_find_batmap (layer, &vhd->footer, header, &batmap, error) == -1)
    return -1;
  free (batmap.bits);
  return describe_set (data, "batmap",
                       batmap.found ? json_problem (&batmap.problem)
                       : json_string ("none"), error);
}

static int
describe_blocks (const struct layer *layer,
                 const struct dynamic_header *header, json_t *data,
                 struct vdisk_error *error)
{
  uint64_t blocks = 0;

  if (describe_set (data, "block-size", json_integer (header->block_size),
                    error) == -1 ||
      describe_set (data, "max-table-entries",
                    json_integer (header->max_table_entries), error) == -1 ||
      describe_set (data, "table-offset", json_size (header->table_offset),
                    error) == -1 ||
      vhd_read_bat (layer, 0, divide_up (layer->size, header->block_size),
                    count_block, &blocks, error) == -1 ||
      describe_set (data, "allocated-blocks", json_integer (blocks),
                    error) == -1)
    return -1;
  return describe_batmap (layer, header, data, error);
}

static int
describe_locator (const struct layer *layer, const struct locator *locator,
                  json_t *list, struct vdisk_error *error)
{
  const be32 code = to_be32 (locator->code);
  json_t *object = json_object ();
  struct vdisk_error problem = { 0 };
  char text[VHD_NAME_SIZE];

  if (json_array_append_new (list, object) == -1)
    return error_no_memory (error, layer->source->name);
  if (describe_set (object, "code", json_code (code.b), error) == -1 ||
      describe_set (object, "offset", json_size (locator->offset),
                    error) == -1 ||
      describe_set (object, "space", json_integer (locator->space),
                    error) == -1 ||
      describe_set (object, "length", json_integer (locator->length),
                    error) == -1 ||
      vhd_read_locator (layer, locator, text, &problem, error) == -1)
    return -1;
  if (problem.errnum != 0)
    return describe_set (object, "error", json_string (problem.message),
                         error);
  return describe_set (object, "path", escape_json (text, strlen (text)),
                       error);
}

/* The parent's name in the header, or null if it is none. */
static json_t *
json_parent_name (const struct dynamic_header *header)
{
  char name[VHD_NAME_SIZE];
  ssize_t length = utf16_to_utf8 (header->parent_name,
                                  sizeof header->parent_name, true,
                                  name, sizeof name);

  return length == -1 ? json_null () : escape_json (name, length);
}

static int
describe_parent (const struct layer *layer,
                 const struct dynamic_header *header, json_t *data,
                 struct vdisk_error *error)
{
  json_t *parent = json_object (), *locators;
  size_t i;

  if (describe_set (data, "parent", parent, error) == -1 ||
      describe_set (parent, "uuid", json_uuid (header->parent_uuid),
                    error) == -1 ||
      describe_set (parent, "time-stamp",
                    json_time (header->parent_time_stamp), error) == -1 ||
      describe_set (parent, "name", json_parent_name (header), error) == -1)
    return -1;
  locators = json_array ();
  if (describe_set (parent, "locators", locators, error) == -1)
    return -1;
  for (i = 0; i < VHD_LOCATORS; ++i)
    if (header->locators[i].code != VHD_LOCATOR_NONE &&
        describe_locator (layer, &header->locators[i], locators,
                          error) == -1)
      return -1;
  return 0;
}

static int
describe_dynamic (const struct layer *layer, json_t *data,
                  struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;
  struct dynamic_header header;

  if (vhd_read_header (layer, &vhd->footer, &header, error) == -1 ||
      describe_blocks (layer, &header, data, error) == -1)
    return -1;
  if (vhd->footer.type == VHD_DYNAMIC)
    return 0;
  return describe_parent (layer, &header, data, error);
}

int
vhd_describe (struct layer *layer, struct json_t *document,
              struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;
  json_t *data = json_object ();
  int r = -1;

  if (describe_set (document, "format-specific",
                    json_pack ("{s:s, s:O}", "type", "vhd", "data", data),
                    error) == 0 &&
      describe_footer (&vhd->footer, data, error) == 0 &&
      describe_evidence (layer, data, error) == 0 &&
      describe_set (data, "aligned-to-1-mib",
                    json_boolean (is_aligned (layer->size, MIB)),
                    error) == 0 &&
      describe_footers (layer, data, error) == 0)
    r = 0;
  if (vhd->footer.type == VHD_FIXED)
    json_object_del (document, "cluster-size");
  else if (r == 0)
    r = describe_dynamic (layer, data, error);
  json_decref (data);
  return r;
}
