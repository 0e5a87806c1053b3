/* SPDX-License-Identifier: BSD-3-Clause */
/* Fuzz target: open, map and read a QCOW2 image. */

#include "format/format.h"
#include "fuzz.h"
#include "one-image.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  fuzz_image (&format_qcow2, data, size);
  return 0;
}
