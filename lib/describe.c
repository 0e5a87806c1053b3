/* SPDX-License-Identifier: BSD-3-Clause */
/* The part of an image's description that is the same for all formats:
 * sizes, and where its references lead, without opening them.  Keys are
 * those of 'qemu-img info --output=json'; it has none for where references
 * lead: those are "backing-references" and "data-file-references".
 */

#include "describe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "format/format.h"
#include "layer.h"
#include "options.h"
#include "reference.h"
#include "source/source.h"
#include "util/escape-json.h"

int
describe_set (json_t *object, const char *key, json_t *value,
              struct vdisk_error *error)
{
  if (json_object_set_new (object, key, value) == -1)
    return error_no_memory (error, key);
  return 0;
}

static json_t *
describe_string (const char *string)
{
  return escape_json (string, strlen (string));
}

/* The consumers of these documents know QEMU's names. */
static const char *
name_for_qemu (const struct format *format)
{
  return format == &format_vhd ? "vpc" : format->name;
}

/* Set 'key' to the path, which is freed; NULL is an error. */
static int
set_path (json_t *object, const char *key, char *path,
          struct vdisk_error *error)
{
  json_t *value = path ? describe_string (path) : NULL;

  free (path);
  return describe_set (object, key, value, error);
}

/* Where a name of a reference leads, or why it may not. */
static int
describe_place (const struct layer *layer, const struct reference *reference,
                size_t i, json_t *object, struct vdisk_error *error)
{
  struct vdisk_error why_not = { 0 };
  char *path = reference_resolve (layer->source, reference->role,
                                  reference->names[i], layer->options,
                                  &why_not);

  if (path)
    return set_path (object, "path", path, error);
  if (why_not.errnum == ENOMEM)
    return error_set (error, ENOMEM, "%s", error_raw (&why_not));
  return describe_set (object, "error", json_string (why_not.message), error);
}

/* Each name of a reference, and where it leads, unless the caller has a
 * resolver: that is not to be asked, and no file system knows better. */
static int
describe_names (const struct layer *layer,
                const struct reference *reference, json_t *list,
                struct vdisk_error *error)
{
  size_t i;

  for (i = 0; i < reference->name_count; ++i) {
    json_t *object = json_object ();

    if (json_array_append_new (list, object) == -1 ||
        describe_set (object, "name",
                      describe_string (reference->names[i]), error) == -1)
      return error_no_memory (error, layer->source->name);
    if (layer->options->resolve_callback == NULL &&
        describe_place (layer, reference, i, object, error) == -1)
      return -1;
  }
  return 0;
}

static int
describe_reference (const struct layer *layer,
                    const struct reference *reference, json_t *document,
                    const char *key, struct vdisk_error *error)
{
  json_t *list = json_array ();

  if (describe_set (document, key, list, error) == -1)
    return -1;
  return describe_names (layer, reference, list, error);
}

static int
describe_backing (const struct layer *layer, json_t *document,
                  struct vdisk_error *error)
{
  const struct reference *backing = &layer->backing;

  if (backing->role == NULL)
    return 0;
  if (backing->format &&
      describe_set (document, "backing-filename-format",
                    describe_string (name_for_qemu (backing->format)),
                    error) == -1)
    return -1;
  if (describe_set (document, "backing-filename",
                    describe_string (backing->names[0]), error) == -1)
    return -1;
  if (reference_has_path (layer->source, backing->names[0]) &&
      set_path (document, "full-backing-filename",
                reference_path (layer->source, backing->names[0]),
                error) == -1)
    return -1;
  return describe_reference (layer, backing, document, "backing-references",
                             error);
}

/* What is no file has none. */
static int
describe_actual_size (const struct layer *layer, json_t *document,
                      struct vdisk_error *error)
{
  int64_t actual;

  if (source_descriptor (layer->source) == -1)
    return 0;
  actual = source_allocated_size (layer->source);
  if (actual == -1)
    return layer_error (layer, error, errno, "finding its actual size: %s",
                        strerror (errno));
  return describe_set (document, "actual-size", json_integer (actual),
                       error);
}

static int
describe_layer (struct layer *layer, json_t *document,
                struct vdisk_error *error)
{
  if (describe_set (document, "filename",
                    describe_string (layer->source->name), error) == -1 ||
      describe_set (document, "format",
                    describe_string (name_for_qemu (layer->format)),
                    error) == -1 ||
      describe_set (document, "virtual-size", json_integer (layer->size),
                    error) == -1 ||
      describe_set (document, "dirty-flag", json_false (), error) == -1)
    return -1;
  if (layer->format != &format_raw &&
      describe_set (document, "cluster-size",
                    json_integer (layer->cluster_size), error) == -1)
    return -1;
  if (describe_actual_size (layer, document, error) == -1)
    return -1;
  if (describe_backing (layer, document, error) == -1)
    return -1;
  if (layer->data_file.role &&
      describe_reference (layer, &layer->data_file, document,
                          "data-file-references", error) == -1)
    return -1;
  if (layer->format->describe)
    return layer->format->describe (layer, document, error);
  return 0;
}

/* As json_dumps, which may leave out characters when memory runs out
 * (jansson 2.14 does not look at all of its own results). */
static char *
dump (const json_t *document)
{
  const size_t size = json_dumpb (document, NULL, 0, JSON_INDENT (4));
  char *text = size > 0 ? malloc (size + 1) : NULL;

  if (text == NULL)
    return NULL;
  if (json_dumpb (document, text, size, JSON_INDENT (4)) != size) {
    free (text);
    return NULL;
  }
  text[size] = '\0';
  return text;
}

char *
layer_describe (struct layer *layer, struct vdisk_error *error)
{
  json_t *document = json_object ();
  char *text = NULL;

  if (document && describe_layer (layer, document, error) == 0)
    text = dump (document);
  if (text == NULL)
    error_no_memory (error, layer->source->name);
  json_decref (document);
  return text;
}
