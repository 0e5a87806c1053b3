/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes in memory as a source. */

#include "source/memory.h"

#include <stdlib.h>
#include <string.h>

struct memory {
  struct source source;
  const uint8_t *bytes;
};

static int
memory_pread (struct source *source, void *buffer, size_t count,
              uint64_t offset, struct vdisk_error *error)
{
  const struct memory *memory = (const struct memory *) source;

  (void) error;
  memcpy (buffer, memory->bytes + offset, count);
  return 0;
}

static void
memory_close (struct source *source)
{
  free (source->name);
  free (source);
}

static const struct source_ops memory_ops = {
  .pread = memory_pread,
  .close = memory_close,
};

struct source *
source_memory (const char *name, const void *bytes, uint64_t size)
{
  struct memory *memory = calloc (1, sizeof *memory);

  if (memory == NULL)
    return NULL;
  memory->source.ops = &memory_ops;
  memory->source.size = size;
  memory->bytes = bytes;
  memory->source.name = strdup (name);
  if (memory->source.name == NULL) {
    free (memory);
    return NULL;
  }
  return &memory->source;
}
