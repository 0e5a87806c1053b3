/* SPDX-License-Identifier: BSD-3-Clause */
/* Cutting entries of tables at both ends. */

#include "output/entries.h"

#include <string.h>

#include "util/minmax.h"

int
entries_read (const struct vdisk_output *output, entries_fill *fill,
              size_t entry_size, void *buffer, size_t count, uint64_t offset,
              struct vdisk_error *error)
{
  uint8_t entry[ENTRY_SIZE_MAX], *to = buffer;

  while (count > 0) {
    const size_t skip = offset % entry_size;
    size_t n = count - count % entry_size;

    if (skip == 0 && n > 0) {
      if (fill (output, offset / entry_size, to, n / entry_size,
                error) == -1)
        return -1;
    }
    else {
      n = min_u64 (count, entry_size - skip);
      if (fill (output, offset / entry_size, entry, 1, error) == -1)
        return -1;
      memcpy (to, entry + skip, n);
    }
    to += n;
    offset += n;
    count -= n;
  }
  return 0;
}
