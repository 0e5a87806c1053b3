/* SPDX-License-Identifier: BSD-3-Clause */
/* The layers under an image by the user's word.
 *
 * Options are set one after the other, so layer-format is of the layer that
 * was named last.  What is read back, and has to set the same wherever it
 * comes, has the layer's number before it.  No file is looked at before an
 * image is opened.
 */

#include "told-layers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "format/names.h"
#include "util/error.h"
#include "util/suggestion.h"
#include "vdisk.h"

/* What an image has, and all under it. */
#define TOLD_LAYERS_MAX (CHAIN_LAYERS_MAX - 1)

void
told_layers_free (struct told_layers *told)
{
  size_t i;

  for (i = 0; i < told->count; ++i)
    free (told->layers[i].name);
  free (told->layers);
  *told = (struct told_layers) { .is_told = false };
}

static int
append (struct told_layers *told, const char *name,
        const struct format *format)
{
  struct told_layer *layers = reallocarray (told->layers, told->count + 1,
                                            sizeof *layers);
  char *copy = strdup (name);

  if (layers)
    told->layers = layers;
  if (layers == NULL || copy == NULL) {
    free (copy);
    return -1;
  }
  layers[told->count++] = (struct told_layer) {
    .name = copy, .format = format,
  };
  told->is_told = true;
  return 0;
}

int
told_layers_copy (struct told_layers *to, const struct told_layers *from)
{
  size_t i;

  *to = (struct told_layers) { .is_told = from->is_told };
  for (i = 0; i < from->count; ++i)
    if (append (to, from->layers[i].name, from->layers[i].format) == -1)
      return -1;
  return 0;
}

static int
say_none (struct told_layers *told, const char *prefix,
          struct vdisk_error *error)
{
  if (told->count > 0)
    return error_set (error, EINVAL, "%slayer=none: says that nothing lies "
                      "under the image, but %slayer=%s names a layer",
                      prefix, prefix, told->layers[0].name);
  told->is_told = true;
  return 0;
}

int
told_layers_add (struct told_layers *told, const char *prefix,
                 const char *value, struct vdisk_error *error)
{
  if (strcmp (value, "auto") == 0) {
    told_layers_free (told);
    return 0;
  }
  if (strcmp (value, "none") == 0)
    return say_none (told, prefix, error);
  if (*value == '\0')
    return error_set (error, EINVAL, "%slayer=: must be %s", prefix,
                      vdisk_options_values ("layer"));
  if (told->is_told && told->count == 0)
    return error_set (error, EINVAL, "%slayer=%s: names a layer, but "
                      "%slayer=none says that nothing lies under the image",
                      prefix, value, prefix);
  if (told->count == TOLD_LAYERS_MAX)
    return error_set (error, EINVAL, "%slayer=%s: there are %d layers "
                      "already, the most that an image can have under it",
                      prefix, value, TOLD_LAYERS_MAX);
  return append (told, value, NULL) == -1 ? error_no_memory (error, "layer")
    : 0;
}

size_t
told_layers_count (const struct told_layers *told)
{
  return told->count > 0 ? told->count : 1;
}

char *
told_layers_get (const struct told_layers *told, size_t index)
{
  return strdup (!told->is_told ? "auto" : told->count == 0 ? "none"
                 : told->layers[index].name);
}

/* The number before a colon, stepped over; 0 if it is none of a layer. */
static size_t
take_number (const struct told_layers *told, const char **format)
{
  const size_t digits = strspn (*format, "0123456789");
  unsigned long number = digits > 0 && digits <= 3
    ? strtoul (*format, NULL, 10) : 0;

  *format += digits + 1;
  return number <= told->count ? number : 0;
}

int
told_layers_set_format (struct told_layers *told, const char *prefix,
                        const char *value, struct vdisk_error *error)
{
  const struct format *format = NULL;
  const char *name = value;
  size_t number = told->count;

  if (name[strspn (name, "0123456789")] == ':')
    number = take_number (told, &name);
  if (strcmp (name, "auto") != 0 && (format = format_by_name (name)) == NULL) {
    struct suggestion suggestion;

    return error_set (error, EINVAL, "%slayer-format=%s: must be %s%s",
                      prefix, value, vdisk_options_values ("layer-format"),
                      suggestion_among (&suggestion, name, format_names ()));
  }
  if (number == 0)
    return error_set (error, EINVAL, "%slayer-format=%s: no such layer is "
                      "named before it (%slayer names one, and there are "
                      "%zu)", prefix, value, prefix, told->count);
  told->layers[number - 1].format = format;
  return 0;
}

char *
told_layers_get_format (const struct told_layers *told, size_t index)
{
  const struct format *format = told->layers[index].format;
  char *text;

  return asprintf (&text, "%zu:%s", index + 1,
                   format ? format_name (format) : "auto") == -1 ? NULL
    : text;
}
