/* SPDX-License-Identifier: BSD-3-Clause */
/* What all destinations have in common. */

#include "export/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/error.h"
#include "export/sink-path.h"
#include "util/cleanup.h"
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

/* A block device is the same by any name. */
void
sink_identify (struct sink *sink, const struct stat *st)
{
  const bool is_device = S_ISBLK (st->st_mode);

  sink->device = is_device ? st->st_rdev : st->st_dev;
  sink->inode = is_device ? 0 : st->st_ino;
}

bool
sink_is (const struct sink *sink, const struct stat *st)
{
  struct sink other = { 0 };

  sink_identify (&other, st);
  return (sink->device != 0 || sink->inode != 0) &&
    sink->device == other.device && sink->inode == other.inode;
}

static int
check_apart (const struct sink *sink, const struct stat *st,
             const char *path, struct vdisk_error *error)
{
  if (!sink_is (sink, st))
    return 0;
  return error_set (error, EINVAL, "%s: this is a file of the source (%s), "
                    "and would be destroyed", sink->name, path);
}

int
sink_check_apart (const struct sink *sink, const char *path,
                  struct vdisk_error *error)
{
  struct stat st;

  return stat (path, &st) == 0 ? check_apart (sink, &st, path, error) : 0;
}

/* Whatever the name of an open file leads to by now. */
static int
check_apart_from_open (const struct sink *sink, int fd, const char *name,
                       struct vdisk_error *error)
{
  struct stat st;

  if (fd == -1)
    return 0;
  if (fstat (fd, &st) == -1)
    return error_set (error, errno, "%s: looking at it: %s", name,
                      strerror (errno));
  return check_apart (sink, &st, name, error);
}

int
sink_check_apart_from_disk (const struct sink *sink, struct vdisk *disk,
                            struct vdisk_error *error)
{
  unsigned depth;

  for (depth = 0; depth < vdisk_layers (disk); ++depth)
    if (check_apart_from_open (sink, vdisk_layer_descriptor (disk, depth),
                               vdisk_layer_file (disk, depth),
                               error) == -1 ||
        check_apart_from_open (sink,
                               vdisk_layer_data_descriptor (disk, depth),
                               vdisk_layer_data_file (disk, depth),
                               error) == -1)
      return -1;
  return 0;
}

/* Is it the file that is meant by 'name' beside the file at 'path'? */
static int
check_beside (const struct sink *sink, const char *path, const char *name,
              const char *option, struct vdisk_error *error)
{
  CLEANUP_FREE char *beside = sink_path_beside (path, name);
  struct stat st;

  if (beside == NULL)
    return error_no_memory (error, sink->name);
  if (stat (beside, &st) == 0 && sink_is (sink, &st))
    return error_set (error, EINVAL, "%s: --%s: '%s' is the destination "
                      "itself", sink->name, option, name);
  return 0;
}

int
sink_check_recorded (const struct sink *sink, const char *destination,
                     const char *name, const char *option,
                     struct vdisk_error *error)
{
  static const char protocol[] = "file:";

  if (strncmp (name, protocol, strlen (protocol)) == 0)
    name += strlen (protocol);
  if (check_beside (sink, destination, name, option, error) == -1)
    return -1;
  return sink->path ? check_beside (sink, sink->path, name, option, error)
    : 0;
}

int
sink_lock (struct sink *sink, struct vdisk_error *error)
{
  return sink->ops->lock ? sink->ops->lock (sink, error) : 0;
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
