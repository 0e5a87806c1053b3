/* SPDX-License-Identifier: BSD-3-Clause */
/* Several files in one input: their number (a byte), the size of each but
 * the last (big-endian, 4 bytes), then their bytes.  What the input is too
 * short for is not there.
 */

#ifndef FUZZ_PARTS_H
#define FUZZ_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "files.h"

struct parts {
  unsigned count;
  struct { const uint8_t *bytes; size_t size; } at[FUZZ_FILES_MAX];
};

/* False if there is none. */
bool parts_find (struct parts *parts, const uint8_t *data, size_t size);

/* How many bytes come before those of 'count' files. */
size_t parts_head_size (unsigned count);

#endif /* FUZZ_PARTS_H */
