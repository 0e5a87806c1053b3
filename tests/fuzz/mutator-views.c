/* SPDX-License-Identifier: BSD-3-Clause */
/* How libFuzzer is to mutate inputs of fuzz-views. */

#include "mutate.h"

size_t
LLVMFuzzerCustomMutator (uint8_t *data, size_t size, size_t max_size,
                         unsigned int seed)
{
  return mutate_image_input (data, size, max_size, seed, mutate_views);
}
