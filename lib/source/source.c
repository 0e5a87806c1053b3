/* SPDX-License-Identifier: BSD-3-Clause */
/* What all sources have in common: bounds, and defaults for operations an
 * implementation leaves out.
 */

#include "source/source.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "cancel.h"
#include "util/error.h"
#include "util/checked.h"
#include "util/minmax.h"

static int
check_range (const struct source *source, size_t count, uint64_t offset,
             struct vdisk_error *error)
{
  if (cancel_check (source->options, source->name, error) == -1)
    return -1;
  if (!range_within (offset, count, source->size))
    return error_set (error, EIO,
                      "%s: %zu bytes at offset %" PRIu64
                      " reach beyond the end of the file (%" PRIu64
                      " bytes)", source->name, count, offset, source->size);
  return 0;
}

int
source_pread_data (struct source *source, void *buffer, size_t count,
                   uint64_t offset, struct vdisk_error *error)
{
  if (check_range (source, count, offset, error) == -1)
    return -1;
  if (count == 0)
    return 0;
  return source->ops->pread (source, buffer, count, offset, error);
}

int
source_extent (struct source *source, uint64_t offset,
               uint64_t *length, enum vdisk_kind *kind,
               struct vdisk_error *error)
{
  if (cancel_check (source->options, source->name, error) == -1)
    return -1;
  if (offset >= source->size)
    return error_set (error, EIO,
                      "%s: offset %" PRIu64
                      " is beyond the end of the file (%" PRIu64 " bytes)",
                      source->name, offset, source->size);
  if (source->sparse && source->ops->extent)
    return source->ops->extent (source, offset, length, kind, error);
  *kind = VDISK_DATA;
  *length = source->size - offset;
  return 0;
}

int
source_zeros (struct source *source, uint64_t offset, uint64_t count,
              uint64_t *length, struct vdisk_error *error)
{
  enum vdisk_kind kind;

  *length = offset >= source->size ? count : 0;
  if (offset >= source->size || !source->sparse)
    return 0;
  if (source_extent (source, offset, length, &kind, error) == -1)
    return -1;
  if (kind == VDISK_DATA)
    *length = 0;
  else if (*length == source->size - offset)
    *length = count;
  *length = min_u64 (*length, count);
  return 0;
}

/* A count of 0 would mean all of the rest to posix_fadvise. */
int
source_prefetch (struct source *source, uint64_t offset, uint64_t count)
{
  if (count == 0 || offset >= source->size || source->ops->prefetch == NULL)
    return 0;
  return source->ops->prefetch (source, offset,
                                min_u64 (count, source->size - offset));
}

int
source_descriptor (const struct source *source)
{
  return source->ops->descriptor ? source->ops->descriptor (source) : -1;
}

void
source_close (struct source *source)
{
  if (source)
    source->ops->close (source);
}

int64_t
source_allocated_size (const struct source *source)
{
  const int fd = source_descriptor (source);
  struct stat st;

  if (fd == -1 || fstat (fd, &st) == -1)
    return -1;
  return (int64_t) st.st_blocks * 512;
}

bool
source_is_same (const struct source *a, const struct source *b)
{
  return (a->device != 0 || a->inode != 0) &&
    a->device == b->device && a->inode == b->inode;
}
