/* SPDX-License-Identifier: BSD-3-Clause */
/* What the format drivers have in common. */

#include "layer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "error.h"
#include "format/format.h"
#include "options.h"
#include "source/source.h"
#include "util/align.h"

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
layer_append_cut_short (const struct layer *layer,
                        struct interval_list *out, uint64_t offset,
                        uint64_t length, uint64_t host,
                        const char *table, struct vdisk_error *error)
{
  const struct source *data = layer->data;
  uint64_t present;

  if (round_down (host, layer->cluster_size) >= data->size)
    return layer_error (layer, error, EIO,
                        "%s: guest offset %" PRIu64 " is at offset %" PRIu64
                        ", beyond the end of %s (%" PRIu64 " bytes)",
                        table, offset, host,
                        data == layer->source ? "the file" : data->name,
                        data->size);
  present = host < data->size ? data->size - host : 0;
  if (layer_append (layer, out, VDISK_DATA, offset, present, host,
                    error) == -1)
    return -1;
  return layer_append_empty (layer, out, VDISK_ZERO, offset + present,
                             length - present, error);
}

void
layer_close (struct layer *layer)
{
  if (layer == NULL)
    return;
  if (layer->format)
    layer->format->close (layer);
  reference_clear (&layer->backing);
  reference_clear (&layer->data_file);
  if (layer->data != layer->source)
    source_close (layer->data);
  source_close (layer->source);
  free (layer);
}
