/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading a table that the end of a file may cut short. */

#ifndef VDISK_PADDED_H
#define VDISK_PADDED_H

#include <string.h>

#include "source/source.h"
#include "util/minmax.h"

/* Read 'count' bytes; what lies beyond the end of the source reads as
 * zeros. */
static inline int
source_pread_padded (struct source *source, void *buffer, size_t count,
                     uint64_t offset, struct vdisk_error *error)
{
  const uint64_t left = offset < source->size ? source->size - offset : 0;
  const size_t present = min_u64 (count, left);

  memset ((uint8_t *) buffer + present, 0, count - present);
  if (present == 0)
    return 0;
  return source_pread (source, buffer, present, offset, error);
}

#endif /* VDISK_PADDED_H */
