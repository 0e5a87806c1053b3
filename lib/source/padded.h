/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading what the end of a file may cut short: a table, or a last cluster. */

#ifndef VDISK_PADDED_H
#define VDISK_PADDED_H

#include <string.h>

#include "source/source.h"
#include "util/minmax.h"

/* Of 'count' bytes from 'offset' on make those zeros that lie beyond the end
 * of the source.  Returns how many come before it, to be read. */
static inline size_t
source_pad (const struct source *source, void *buffer, size_t count,
            uint64_t offset)
{
  const uint64_t left = offset < source->size ? source->size - offset : 0;
  const size_t present = min_u64 (count, left);

  memset ((uint8_t *) buffer + present, 0, count - present);
  return present;
}

/* Read 'count' bytes; what lies beyond the end of the source reads as
 * zeros. */
static inline int
source_pread_padded (struct source *source, void *buffer, size_t count,
                     uint64_t offset, struct vdisk_error *error)
{
  const size_t present = source_pad (source, buffer, count, offset);

  return present == 0 ? 0
    : source_pread (source, buffer, present, offset, error);
}

#endif /* VDISK_PADDED_H */
