/* SPDX-License-Identifier: BSD-3-Clause */
/* What the format drivers have in common. */

#include "layer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "options.h"
#include "source/padded.h"
#include "source/source.h"
#include "util/align.h"
#include "util/cleanup.h"

void
layer_record_error (const struct layer *layer, struct vdisk_error *error,
                    int errnum, const char *format, ...)
{
  char text[sizeof error->message];
  va_list args;

  va_start (args, format);
  vsnprintf (text, sizeof text, format, args);
  va_end (args);
  error_record (error, errnum, "%s: %s", layer->source->name, text);
}

void
layer_warn (const struct layer *layer, const char *format, ...)
{
  char text[1024];
  va_list args;

  va_start (args, format);
  vsnprintf (text, sizeof text, format, args);
  va_end (args);
  options_warn (layer->options, "%s: %s", layer->source->name, text);
}

int
layer_read_name (const struct layer *layer, struct reference *reference,
                 uint64_t offset, uint32_t size, struct vdisk_error *error)
{
  CLEANUP_FREE char *name = malloc ((size_t) size + 1);
  size_t length;

  if (name == NULL)
    return error_no_memory (error, layer->source->name);
  if (source_pread (layer->source, name, size, offset, error) == -1)
    return -1;
  length = strnlen (name, size);
  if (length > 0 && reference_add_name (reference, name, length) == -1)
    return error_no_memory (error, layer->source->name);
  return 0;
}

int
layer_check_cluster (const struct layer *layer, uint64_t offset,
                     uint64_t host, const char *table,
                     struct vdisk_error *error)
{
  const struct source *data = layer->data;

  if (round_down (host, layer->cluster_size) < data->size)
    return 0;
  return layer_error (layer, error, EIO,
                      "%s: guest offset %" PRIu64 " is at offset %" PRIu64
                      ", beyond the end of %s (%" PRIu64 " bytes)",
                      table, offset, host,
                      data == layer->source ? "the file" : data->name,
                      data->size);
}

int
layer_read_data (const struct layer *layer, void *buffer, size_t count,
                 uint64_t host, struct vdisk_error *error)
{
  const size_t present = source_pad (layer->data, buffer, count, host);

  return present == 0 ? 0
    : source_pread_data (layer->data, buffer, present, host, error);
}

struct layer *
layer_share (const struct layer *layer, size_t state_size,
             struct vdisk_error *error)
{
  struct layer *copy = malloc (sizeof *copy);
  void *state = malloc (state_size);

  if (copy == NULL || state == NULL) {
    free (copy);
    free (state);
    error_no_memory (error, layer->source->name);
    return NULL;
  }
  *copy = *layer;
  copy->is_shared = true;
  copy->backing = copy->data_file = (struct reference) { 0 };
  copy->state = memcpy (state, layer->state, state_size);
  return copy;
}
