/* SPDX-License-Identifier: BSD-3-Clause */
/* What all destinations have in common. */

#include "export/sink.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "error.h"
#include "util/minmax.h"

struct sink *
sink_open (const char *destination, struct vdisk_error *error)
{
  if (strcmp (destination, "-") == 0)
    return sink_stdout (error);
  if (vdisk_is_uri (destination))
    return sink_nbd_open (destination, error);
  return sink_file_open (destination, error);
}

int
sink_check_apart (const struct sink *sink, const char *path,
                  struct vdisk_error *error)
{
  struct stat st;

  if ((sink->device != 0 || sink->inode != 0) && stat (path, &st) == 0 &&
      st.st_dev == sink->device && st.st_ino == sink->inode)
    return error_set (error, EINVAL, "%s: this is a file of what is exported "
                      "(%s), and would be destroyed", sink->name, path);
  return 0;
}

int
sink_check_apart_from_disk (const struct sink *sink, struct vdisk *disk,
                            struct vdisk_error *error)
{
  unsigned depth;

  for (depth = 0; depth < vdisk_layers (disk); ++depth)
    if (sink_check_apart (sink, vdisk_layer_file (disk, depth),
                          error) == -1 ||
        sink_check_apart (sink, vdisk_layer_data_file (disk, depth),
                          error) == -1)
      return -1;
  return 0;
}

int
sink_begin (struct sink *sink, uint64_t size, bool preallocate,
            struct vdisk_error *error)
{
  sink->has_begun = true;
  return sink->ops->begin (sink, size, preallocate, error);
}

int
sink_put (struct sink *sink, const void *buffer, size_t count,
          struct vdisk_error *error)
{
  if (sink->ops->write (sink, buffer, count, sink->position, error) == -1)
    return -1;
  sink->position += count;
  return 0;
}

/* Write zeros for want of anything better. */
static int
write_zeros (struct sink *sink, uint64_t count, uint64_t offset,
             struct vdisk_error *error)
{
  static const char zeros[256 << 10];
  uint64_t n;

  for (; count > 0; count -= n, offset += n) {
    n = min_u64 (count, sizeof zeros);
    if (sink->ops->write (sink, zeros, n, offset, error) == -1)
      return -1;
  }
  return 0;
}

int
sink_zero (struct sink *sink, uint64_t count, uint64_t offset,
           struct vdisk_error *error)
{
  if (count == 0 || sink->is_zeroed)
    return 0;
  if (sink->ops->zero)
    return sink->ops->zero (sink, count, offset, error);
  return write_zeros (sink, count, offset, error);
}

int
sink_put_zeros (struct sink *sink, uint64_t count,
                struct vdisk_error *error)
{
  if (sink_zero (sink, count, sink->position, error) == -1)
    return -1;
  sink->position += count;
  return 0;
}

int
sink_write (struct sink *sink, const void *buffer, size_t count,
            uint64_t offset, struct vdisk_error *error)
{
  return sink->ops->write (sink, buffer, count, offset, error);
}

void
sink_allocate (struct sink *sink, uint64_t count, uint64_t offset)
{
  if (sink->wants_space)
    sink->ops->allocate (sink, count, offset);
}

bool
sink_share (struct sink *sink, int fd, uint64_t fd_offset, uint64_t count,
            uint64_t offset)
{
  return sink->ops->share &&
    sink->ops->share (sink, fd, fd_offset, count, offset);
}

int
sink_finish (struct sink *sink, struct vdisk_error *error)
{
  return sink->ops->finish (sink, error);
}

void
sink_close (struct sink *sink)
{
  if (sink)
    sink->ops->close (sink);
}
