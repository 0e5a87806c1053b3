/* SPDX-License-Identifier: BSD-3-Clause */
/* Manifests as JSON.  What is read is checked: it came over a network, or
 * from somebody else.
 */

#include "export/manifest-json.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "util/align.h"
#include "util/error.h"
#include "util/hex.h"

#define DIGEST_NAME "xxh3-128"

static bool
take_number (const json_t *object, const char *key, uint64_t *number)
{
  const json_t *value = json_object_get (object, key);

  if (!json_is_integer (value) || json_integer_value (value) < 0)
    return false;
  *number = json_integer_value (value);
  return true;
}

static bool
take_string (const json_t *object, const char *key, char **string)
{
  const char *value = json_string_value (json_object_get (object, key));

  *string = value ? strdup (value) : NULL;
  return *string;
}

static bool
take_options (struct manifest *manifest, const json_t *root)
{
  json_t *options = json_object_get (root, "options"), *option;
  size_t i;

  if (!json_is_array (options))
    return false;
  json_array_foreach (options, i, option)
    if (!json_is_string (option))
      return false;
  manifest->options = json_incref (options);
  return true;
}

static int
wrong (const char *path, const char *what, struct vdisk_error *error)
{
  return error_set (error, EINVAL, "%s: not a manifest that can be used: %s",
                    path, what);
}

static int
take_head (struct manifest *manifest, const json_t *root, const char *path,
           struct vdisk_error *error)
{
  const json_t *image = json_object_get (root, "image");
  const char *digest = json_string_value (json_object_get (root, "digest"));
  uint64_t version;

  if (!take_number (root, "vdisk-manifest", &version) || version != 1)
    return wrong (path, "'vdisk-manifest' is not 1", error);
  if (!take_number (root, "layout", &version) || version != LAYOUT_VERSION)
    return wrong (path, "its outputs have another layout ('layout')", error);
  if (digest == NULL || strcmp (digest, DIGEST_NAME) != 0)
    return wrong (path, "'digest' is not " DIGEST_NAME, error);
  if (!take_string (root, "format", &manifest->format) ||
      !take_options (manifest, root) ||
      !take_number (root, "size", &manifest->size) ||
      !take_string (image, "name", &manifest->image) ||
      !take_number (image, "size", &manifest->image_size) ||
      !take_string (image, "identity", &manifest->identity))
    return wrong (path, "'format', 'options', 'size' or 'image'", error);
  if (!take_number (root, "part-size", &manifest->part_size) ||
      !is_power_of_2 (manifest->part_size))
    return wrong (path, "'part-size' is not a power of two", error);
  /* An output that is not laid out by them has none. */
  if (json_object_get (image, "extents") &&
      !take_string (image, "extents", &manifest->extents))
    return wrong (path, "'extents' of the image", error);
  manifest->stamps = json_incref (json_object_get (image, "stamps"));
  return 0;
}

/* A part is where one can be, behind all before it. */
static bool
take_part (struct manifest *manifest, const json_t *value,
           struct part *part)
{
  const char *digest = json_string_value (json_object_get (value, "digest"));
  const uint64_t before = manifest->count == 0 ? 0
    : manifest->parts[manifest->count - 1].offset +
    manifest->parts[manifest->count - 1].length;

  *part = (struct part) { 0 };
  if (!take_number (value, "offset", &part->offset) ||
      !take_number (value, "length", &part->length))
    return false;
  part->zeros = json_is_true (json_object_get (value, "zeros"));
  if (!part->zeros &&
      (part->length > manifest->part_size ||
       (digest == NULL ||
        !hex_to_bytes (part->digest, DIGEST_SIZE, digest))))
    return false;
  return part->length > 0 && part->offset >= before &&
    is_aligned (part->offset, manifest->part_size) &&
    part->offset < manifest->size &&
    part->length <= manifest->size - part->offset &&
    (is_aligned (part->length, manifest->part_size) ||
     part->offset + part->length == manifest->size);
}

static int
take_parts (struct manifest *manifest, const json_t *root, const char *path,
            struct vdisk_error *error)
{
  const json_t *parts = json_object_get (root, "parts");
  struct part part;
  json_t *value;
  size_t i;

  if (!json_is_array (parts))
    return wrong (path, "'parts' is not a list", error);
  json_array_foreach (parts, i, value) {
    if (!take_part (manifest, value, &part))
      return error_set (error, EINVAL, "%s: not a manifest that can be used: "
                        "part %zu has no place or no digest", path, i);
    if (manifest_add (manifest, &part, error) == -1)
      return -1;
  }
  return 0;
}

int
manifest_from_json (struct manifest *manifest, const json_t *root,
                    const char *path, struct vdisk_error *error)
{
  return take_head (manifest, root, path, error) == 0
    ? take_parts (manifest, root, path, error) : -1;
}

static json_t *
json_from_part (const struct part *part)
{
  char digest[2 * DIGEST_SIZE + 1];

  if (part->zeros)
    return json_pack ("{s:I, s:I, s:b}", "offset", (json_int_t) part->offset,
                      "length", (json_int_t) part->length, "zeros", 1);
  hex_from_bytes (digest, part->digest, DIGEST_SIZE);
  return json_pack ("{s:I, s:I, s:s}", "offset", (json_int_t) part->offset,
                    "length", (json_int_t) part->length, "digest", digest);
}

static json_t *
json_from_parts (const struct manifest *manifest)
{
  json_t *parts = json_array ();
  size_t i;

  for (i = 0; parts && i < manifest->count; ++i)
    if (json_array_append_new (parts,
                               json_from_part (&manifest->parts[i])) == -1) {
      json_decref (parts);
      return NULL;
    }
  return parts;
}

char *
manifest_to_json (const struct manifest *manifest)
{
  json_t *root =
    json_pack ("{s:i, s:i, s:s, s:O, s:I, s:I, s:{s:s, s:I, s:s, s:s*, s:O*}, "
               "s:s, s:o}",
               "vdisk-manifest", 1, "layout", LAYOUT_VERSION,
               "format", manifest->format, "options", manifest->options,
               "size", (json_int_t) manifest->size,
               "part-size", (json_int_t) manifest->part_size,
               "image", "name", manifest->image,
               "size", (json_int_t) manifest->image_size,
               "identity", manifest->identity, "extents", manifest->extents,
               "stamps", manifest->stamps,
               "digest", DIGEST_NAME, "parts", json_from_parts (manifest));
  char *text = root ? json_dumps (root, JSON_INDENT (1)) : NULL;

  json_decref (root);
  return text;
}
