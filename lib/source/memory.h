/* SPDX-License-Identifier: BSD-3-Clause */
/* A source whose bytes lie in memory, for tests and fuzzing. */

#ifndef VDISK_MEMORY_H
#define VDISK_MEMORY_H

#include "source/source.h"

/* A source of the 'size' bytes at 'bytes', which are not copied and must
 * live as long as it does.  'name' is copied.  NULL if out of memory. */
struct source *source_memory (const char *name,
                              const void *bytes, uint64_t size);

#endif /* VDISK_MEMORY_H */
