/* SPDX-License-Identifier: BSD-3-Clause */
/* Putting runs, with something between them. */

#include "map/runs.h"

void
runs_finish (struct map *map, put_run *put, const char *separator)
{
  struct runs *runs = map->state;

  if (runs->last.length == 0)
    return;
  if (runs->has_put)
    out_text (&map->out, separator);
  put (&map->out, &runs->last);
  runs->has_put = true;
}

void
runs_begin_list (struct map *map)
{
  out_text (&map->out, "[");
}
