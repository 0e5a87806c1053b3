/* SPDX-License-Identifier: BSD-3-Clause */
/* Fuzz target: open, map and read a VHD image. */

#include "format/format.h"
#include "fuzz.h"
#include "one-image.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  fuzz_image (&format_vhd, data, size);
  return 0;
}
