/* SPDX-License-Identifier: BSD-3-Clause */
/* Aligned blocks of a source in a cache, and reading small pieces of an
 * image's own tables through it.
 */

#include "source/read-ahead.h"

#include <stdlib.h>
#include <string.h>

#include "map/cache.h"
#include "util/error.h"
#include "source/source.h"
#include "util/checked.h"
#include "util/minmax.h"

/* Bytes kept.  Mapping needs one block of each of a few tables at a time;
 * what they say is kept elsewhere. */
#define BUDGET (1 << 20)

struct read_ahead {
  struct source *source;
  struct cache *cache;          /* of blocks, by their number */
};

struct read_ahead *
read_ahead_new (struct source *source)
{
  struct read_ahead *ahead = calloc (1, sizeof *ahead);

  if (ahead == NULL)
    return NULL;
  ahead->source = source;
  ahead->cache = cache_new (BUDGET);
  if (ahead->cache == NULL) {
    free (ahead);
    return NULL;
  }
  return ahead;
}

void
read_ahead_free (struct read_ahead *ahead)
{
  if (ahead) {
    cache_free (ahead->cache);
    free (ahead);
  }
}

static void *
load_block (void *opaque, uint64_t key, size_t *size,
            struct vdisk_error *error)
{
  struct source *source = opaque;
  const uint64_t offset = key * READ_AHEAD_BLOCK;
  const size_t count = min_u64 (READ_AHEAD_BLOCK, source->size - offset);
  void *block = malloc (count);

  if (block == NULL) {
    error_no_memory (error, source->name);
    return NULL;
  }
  if (source->ops->pread (source, block, count, offset, error) == -1) {
    free (block);
    return NULL;
  }
  *size = count;
  return block;
}

/* Read a piece that lies in one block.  If the block cannot be had, the
 * piece may be: then it is no error, and if it is one, it names what was
 * asked for. */
static int
read_piece (struct read_ahead *ahead, void *buffer, size_t count,
            uint64_t offset, struct vdisk_error *error)
{
  struct source *source = ahead->source;
  const struct cache_entry *entry;
  struct vdisk_error of_block = { 0 };

  entry = cache_get (ahead->cache, 0, offset / READ_AHEAD_BLOCK, load_block,
                     source, &of_block);
  if (entry == NULL && error_ends_call (&of_block))
    return error_set (error, of_block.errnum, "%s", error_raw (&of_block));
  if (entry == NULL)
    return source->ops->pread (source, buffer, count, offset, error);
  memcpy (buffer, (const uint8_t *) entry->value + offset % READ_AHEAD_BLOCK,
          count);
  cache_release (ahead->cache, entry);
  return 0;
}

int
source_pread (struct source *source, void *buffer, size_t count,
              uint64_t offset, struct vdisk_error *error)
{
  uint8_t *to = buffer;
  size_t n;

  /* What is outside is refused there. */
  if (source->ahead == NULL || count >= READ_AHEAD_BLOCK ||
      !range_within (offset, count, source->size))
    return source_pread_data (source, buffer, count, offset, error);
  for (; count > 0; to += n, offset += n, count -= n) {
    n = min_u64 (count, READ_AHEAD_BLOCK - offset % READ_AHEAD_BLOCK);
    if (read_piece (source->ahead, to, n, offset, error) == -1)
      return -1;
  }
  return 0;
}
