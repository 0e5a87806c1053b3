/* SPDX-License-Identifier: BSD-3-Clause */
/* Taking an input of several files apart. */

#include "parts.h"

#include "util/bytes.h"
#include "util/minmax.h"

size_t
parts_head_size (unsigned count)
{
  return 1 + (count - 1) * sizeof (be32);
}

bool
parts_find (struct parts *parts, const uint8_t *data, size_t size)
{
  const be32 *sizes = (const be32 *) (data + 1);
  size_t head, wanted;
  unsigned i;

  if (size == 0)
    return false;
  parts->count = 1 + data[0] % FUZZ_FILES_MAX;
  head = parts_head_size (parts->count);
  if (size < head)
    return false;
  data += head;
  size -= head;
  for (i = 0; i < parts->count; ++i) {
    wanted = i + 1 < parts->count ? get_be32 (sizes[i]) : size;
    parts->at[i].bytes = data;
    parts->at[i].size = min_u64 (wanted, size);
    data += parts->at[i].size;
    size -= parts->at[i].size;
  }
  return true;
}
