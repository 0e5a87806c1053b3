/* SPDX-License-Identifier: BSD-3-Clause */
/* Block status of a whole disk: see the header.
 */

#include "disk-map.h"

#include <inttypes.h>
#include <string.h>

#include "bench.h"

#define REQUEST_MAX (UINT64_C (0xffffffff) & ~UINT64_C (0xffff))

struct walk {
  piece_callback *callback;
  void *opaque;
  struct disk_map *map;
  uint64_t begin, end;          /* of the piece not yet told */
  int is_data;
};

struct nbd_handle *
new_handle (void)
{
  struct nbd_handle *nbd = nbd_create ();

  if (nbd == NULL ||
      nbd_add_meta_context (nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) == -1)
    give_up ("libnbd", nbd_get_error ());
  return nbd;
}

static void
end_piece (struct walk *walk)
{
  if (walk->begin == walk->end)
    return;
  walk->map->pieces++;
  if (walk->is_data)
    walk->map->data += walk->end - walk->begin;
  if (walk->callback)
    walk->callback (walk->opaque, walk->begin, walk->end - walk->begin,
                    walk->is_data);
  walk->begin = walk->end;
}

static int
take_extents (void *opaque, const char *context, uint64_t offset,
              uint32_t *entries, size_t count, int *error)
{
  struct walk *walk = opaque;
  size_t i;
  int is_data;

  (void) offset;
  (void) error;
  if (strcmp (context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0)
    return 0;
  walk->map->extents += count / 2;
  for (i = 0; i + 1 < count && walk->end < walk->map->size; i += 2) {
    is_data = (entries[i + 1] & (LIBNBD_STATE_HOLE | LIBNBD_STATE_ZERO)) == 0;
    if (is_data != walk->is_data)
      end_piece (walk);
    walk->is_data = is_data;
    walk->end += entries[i];
    if (walk->end > walk->map->size)
      walk->end = walk->map->size;
  }
  return 0;
}

void
walk_disk (struct nbd_handle *nbd, uint64_t limit, piece_callback *callback,
           void *opaque, struct disk_map *map)
{
  struct walk walk = { .callback = callback, .opaque = opaque, .map = map };
  nbd_extent_callback take = { .callback = take_extents,
                               .user_data = &walk };
  int64_t size = nbd_get_size (nbd);
  double began = now ();
  uint64_t count, before;

  if (size == -1)
    give_up ("size", nbd_get_error ());
  memset (map, 0, sizeof *map);
  map->size = (uint64_t) size < limit ? (uint64_t) size : limit;
  while (walk.end < map->size) {
    before = walk.end;
    count = map->size - before;
    if (count > REQUEST_MAX)
      count = REQUEST_MAX;
    if (nbd_block_status (nbd, count, before, take, 0) == -1)
      give_up ("block status", nbd_get_error ());
    if (walk.end == before)
      give_up ("block status", "the server answers nothing");
    if (before == 0)
      map->first = now () - began;
  }
  end_piece (&walk);
  map->total = now () - began;
}
