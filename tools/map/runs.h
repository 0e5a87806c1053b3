/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes of one type in a row, for dialects that list such runs: each is put
 * when it is known where it ends.
 */

#ifndef VDISK_MAP_RUNS_H
#define VDISK_MAP_RUNS_H

#include <stdbool.h>
#include <stdint.h>

#include "map/writer.h"

struct run {
  uint64_t offset, length;
  unsigned type;                /* the dialect's own */
};

/* The map's state. */
struct runs {
  struct run last;              /* not put yet: it may grow */
  bool has_put;
};

/* Puts a run. */
typedef void put_run (struct out *out, const struct run *run);

/* Put the last run, if there is one, with the separator before it if it is not
 * the first. */
void runs_finish (struct map *map, put_run *put, const char *separator);

/* Add an extent: to the last run, if it is more of that. */
static inline void
runs_add (struct map *map, const struct vdisk_extent *extent, unsigned type,
          put_run *put, const char *separator)
{
  struct runs *runs = map->state;
  struct run *last = &runs->last;

  if (last->length > 0 && type == last->type &&
      last->offset + last->length == extent->offset) {
    last->length += extent->length;
    return;
  }
  runs_finish (map, put, separator);
  *last = (struct run) {
    .offset = extent->offset, .length = extent->length, .type = type,
  };
}

/* What lists of JSON start with, for writers. */
void runs_begin_list (struct map *map);

#endif /* VDISK_MAP_RUNS_H */
