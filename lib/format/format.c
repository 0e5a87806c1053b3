/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of format drivers, and closing what one of them opened. */

#include "format/format.h"

#include <stdlib.h>

#include "reference.h"
#include "source/source.h"

const struct format *const format_drivers[] = {
  &format_vhd,
  &format_qcow2,
  &format_qed,
  &format_raw,
  NULL
};

void
layer_close (struct layer *layer)
{
  if (layer == NULL)
    return;
  if (layer->is_shared) {
    free (layer->state);
    free (layer);
    return;
  }
  if (layer->format)
    layer->format->close (layer);
  reference_clear (&layer->backing);
  reference_clear (&layer->data_file);
  if (layer->data != layer->source)
    source_close (layer->data);
  source_close (layer->source);
  free (layer);
}
