/* SPDX-License-Identifier: BSD-3-Clause */
/* Going through the BAT from end to end, for what is told of an image as a
 * whole.  Where single blocks are is in map.c.
 */

#include "format/vhd/driver.h"

#include "source/source.h"
#include "util/minmax.h"

/* Entries read at a time: 8 KiB of the stack. */
#define CHUNK 2048

int
vhd_read_bat (const struct layer *layer, uint64_t first, uint64_t end,
              int (*take) (void *opaque, uint64_t number, uint32_t sector),
              void *opaque, struct vdisk_error *error)
{
  const struct vhd *vhd = layer->state;
  be32 chunk[CHUNK];

  while (first < end) {
    const size_t count = min_u64 (end - first, CHUNK);
    size_t i;

    if (source_pread (layer->source, chunk, count * sizeof chunk[0],
                      vhd->bat_offset + first * sizeof chunk[0],
                      error) == -1)
      return -1;
    for (i = 0; i < count; ++i) {
      int r = take (opaque, first + i, get_be32 (chunk[i]));

      if (r != 0)
        return r;
    }
    first += count;
  }
  return 0;
}
