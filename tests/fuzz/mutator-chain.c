/* SPDX-License-Identifier: BSD-3-Clause */
/* How libFuzzer is to mutate inputs of fuzz-chain: a file as its format
 * has it, or which files there are.
 */

#include <string.h>

#include "fuzz.h"
#include "mutate.h"
#include "parts.h"
#include "util/bytes.h"
#include "util/minmax.h"

static uint8_t scratch[FUZZ_FILE_SIZE_MAX];

/* Put the parts together, in the place of those they were taken from. */
static size_t
join (const struct parts *parts, uint8_t *data, size_t max)
{
  const size_t head = parts_head_size (parts->count);
  size_t used = head, size;
  be32 *sizes;
  unsigned i;

  if (max < head || max > sizeof scratch)
    return 0;
  scratch[0] = parts->count - 1;
  sizes = (be32 *) (scratch + 1);
  for (i = 0; i < parts->count; ++i) {
    size = min_u64 (parts->at[i].size, max - used);
    if (i + 1 < parts->count)
      sizes[i] = to_be32 (size);
    memcpy (scratch + used, parts->at[i].bytes, size);
    used += size;
  }
  memcpy (data, scratch, used);
  return used;
}

static void
mutate_part (struct parts *parts, unsigned i, struct random *random,
             size_t max)
{
  static uint8_t bytes[FUZZ_FILE_SIZE_MAX];
  struct mutation m = {
    .bytes = bytes, .size = parts->at[i].size, .random = random,
    .max = min_u64 (max, sizeof bytes),
  };

  if (m.size < MUTATE_SIZE_MIN || m.size > m.max)
    return;
  memcpy (bytes, parts->at[i].bytes, m.size);
  mutate_by_magic (&m);
  parts->at[i].bytes = bytes;
  parts->at[i].size = m.size;
}

/* Add a copy of a file, leave one out, or let two change places. */
static void
rearrange (struct parts *parts, struct random *random)
{
  const unsigned i = random_below (random, parts->count);
  const unsigned j = random_below (random, parts->count);
  const unsigned last = parts->count - 1;

  switch (random_below (random, 3)) {
  case 0:
    if (parts->count < FUZZ_FILES_MAX)
      parts->at[parts->count++] = parts->at[i];
    break;
  case 1:
    if (parts->count > 1) {
      memmove (&parts->at[i], &parts->at[i + 1],
               (last - i) * sizeof parts->at[0]);
      parts->count--;
    }
    break;
  default: {
    const struct parts before = *parts;

    parts->at[i] = before.at[j];
    parts->at[j] = before.at[i];
  }
  }
}

size_t
LLVMFuzzerCustomMutator (uint8_t *data, size_t size, size_t max_size,
                         unsigned int seed)
{
  struct random random = { .state = seed };
  struct parts parts;

  if (size <= FUZZ_CONTROL_SIZE || random_below (&random, 24) == 0)
    return LLVMFuzzerMutate (data, size, max_size);
  if (random_below (&random, 12) == 0) {
    LLVMFuzzerMutate (data, FUZZ_CONTROL_SIZE, FUZZ_CONTROL_SIZE);
    return size;
  }
  if (!parts_find (&parts, data + FUZZ_CONTROL_SIZE,
                   size - FUZZ_CONTROL_SIZE))
    return LLVMFuzzerMutate (data, size, max_size);
  if (random_below (&random, 16) == 0)
    rearrange (&parts, &random);
  else
    mutate_part (&parts, random_below (&random, parts.count), &random,
                 max_size);
  return FUZZ_CONTROL_SIZE + join (&parts, data + FUZZ_CONTROL_SIZE,
                                   max_size - FUZZ_CONTROL_SIZE);
}
