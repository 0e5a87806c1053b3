/* SPDX-License-Identifier: BSD-3-Clause */
/* What the mutators share. */

#include "mutate.h"

#include <string.h>

#include "files.h"
#include "fuzz.h"
#include "util/align.h"
#include "util/minmax.h"

uint64_t
mutate_get (const struct mutation *m, uint64_t offset, unsigned width,
            bool big_endian)
{
  uint64_t value = 0;
  unsigned i;

  if (offset > m->size || width > m->size - offset)
    return 0;
  for (i = 0; i < width; ++i)
    value = value << 8 |
      m->bytes[offset + (big_endian ? i : width - 1 - i)];
  return value;
}

void
mutate_put (struct mutation *m, uint64_t offset, unsigned width,
            bool big_endian, uint64_t value)
{
  unsigned i;

  if (offset > m->size || width > m->size - offset)
    return;
  for (i = 0; i < width; ++i, value >>= 8)
    m->bytes[offset + (big_endian ? width - 1 - i : i)] = value;
}

uint64_t
mutate_number (struct mutation *m, uint64_t old)
{
  const unsigned bit = random_below (m->random, 64);

  switch (random_below (m->random, 8)) {
  case 0: return 0;
  case 1: return old + 1;
  case 2: return old - 1;
  case 3: return old ^ UINT64_C (1) << bit;
  case 4: return UINT64_C (1) << bit;
  case 5: return (UINT64_C (1) << bit) - 1;
  case 6: return random_below (m->random, 16);
  default: return random_next (m->random) >> bit;
  }
}

uint64_t
mutate_place (struct mutation *m, uint64_t unit)
{
  const uint64_t units = divide_up (m->size, unit);

  switch (random_below (m->random, 16)) {
  case 0: return units * unit;                  /* right after the end */
  case 1: return m->size - m->size % 512;       /* in the last sector */
  case 2: return random_below (m->random, m->size + 1);
  case 3: return unit *                         /* in a large file */
      random_below (m->random, 1 + (m->size + FUZZ_FILE_TAIL) / unit);
  default: return random_below (m->random, units + 1) * unit;
  }
}

void
mutate_bytes (struct mutation *m, uint64_t offset, uint64_t size)
{
  if (offset >= m->size || size == 0)
    return;
  size = min_u64 (size, m->size - offset);
  LLVMFuzzerMutate (m->bytes + offset, size, size);
}

void
mutate_insert (struct mutation *m, size_t offset, size_t count)
{
  offset = min_u64 (offset, m->size);
  count = min_u64 (count, m->max - m->size);
  memmove (m->bytes + offset + count, m->bytes + offset, m->size - offset);
  m->size += count;
  if (one_in (m, 2) && offset >= count)
    memcpy (m->bytes + offset, m->bytes + offset - count, count);
  else
    memset (m->bytes + offset, 0, count);
}

void
mutate_remove (struct mutation *m, size_t offset, size_t count)
{
  if (offset >= m->size)
    return;
  count = min_u64 (count, m->size - offset);
  count = min_u64 (count, m->size - MUTATE_SIZE_MIN);
  memmove (m->bytes + offset, m->bytes + offset + count,
           m->size - offset - count);
  m->size -= count;
}

void
mutate_truncate (struct mutation *m, size_t count)
{
  m->size -= min_u64 (count, m->size - MUTATE_SIZE_MIN);
}

void
mutate_by_magic (struct mutation *m)
{
  if (m->size >= 4 && memcmp (m->bytes, "QFI\xfb", 4) == 0)
    mutate_qcow2 (m);
  else if (m->size >= 4 && memcmp (m->bytes, "QED", 4) == 0)
    mutate_qed (m);
  else if (m->size >= 512)
    mutate_vhd (m);
  else
    mutate_bytes (m, 0, m->size);
}

size_t
mutate_image_input (uint8_t *data, size_t size, size_t max, unsigned seed,
                    mutator *mutate)
{
  struct random random = { .state = seed };
  struct mutation m = { .random = &random };
  unsigned steps = 1 + random_below (&random, 3);

  if (size < FUZZ_CONTROL_SIZE + MUTATE_SIZE_MIN ||
      random_below (&random, 16) == 0)
    return LLVMFuzzerMutate (data, size, max);
  if (random_below (&random, 8) == 0) {
    LLVMFuzzerMutate (data, FUZZ_CONTROL_SIZE, FUZZ_CONTROL_SIZE);
    return size;
  }
  m.bytes = data + FUZZ_CONTROL_SIZE;
  m.size = size - FUZZ_CONTROL_SIZE;
  m.max = max - FUZZ_CONTROL_SIZE;
  while (steps-- > 0)
    mutate (&m);
  return FUZZ_CONTROL_SIZE + m.size;
}
