/* SPDX-License-Identifier: BSD-3-Clause */
/* What all views have in common. */

#include "view/view.h"

#include "chain.h"
#include "source/source.h"

struct disk_map
view_disk_map (const struct view *view)
{
  const struct chain *chain = view->chain;
  const struct layer *top = chain->layers[0];

  return (struct disk_map) {
    .name = top->source->name, .options = top->options, .size = view->size,
    .granularity = view->granularity, .work_max = view->work_max,
    .map = chain->inspect_only ? NULL : view_map, .opaque = view,
  };
}
