/* SPDX-License-Identifier: BSD-3-Clause */
/* Files and block devices: pread, and the holes of sparse files, which are
 * asked for with lseek and remembered.
 */

#include "source/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/file-lock.h"
#include "source/open-in.h"
#include "source/extent-cache.h"
#include "util/cleanup.h"
#include "util/minmax.h"

/* How many extents are remembered. */
#define EXTENTS_MAX 1024

struct file {
  struct source source;
  int fd;
  struct extent_cache *cache;
};

static int
became_shorter (const struct source *source, uint64_t end,
                struct vdisk_error *error)
{
  return error_set (error, EIO, "%s: the file ends at offset %" PRIu64
                    " now, it had %" PRIu64 " bytes when it was opened",
                    source->name, end, source->size);
}

/* What a failing disk is told as.  To others than the kernel, as clients of
 * NBD, most numbers mean nothing (ESTALE) or something else (EINVAL). */
static int
disk_errnum (int errnum)
{
  return errnum == ENOMEM ? ENOMEM : EIO;
}

static int
file_pread (struct source *source, void *buffer, size_t count,
            uint64_t offset, struct vdisk_error *error)
{
  const struct file *file = (const struct file *) source;
  uint8_t *to = buffer;

  while (count > 0) {
    ssize_t r = pread (file->fd, to, count, offset);

    if (r == -1 && errno == EINTR)
      continue;
    if (r == -1)
      return error_set (error, disk_errnum (errno),
                        "%s: reading %zu bytes at offset %" PRIu64 ": %s",
                        source->name, count, offset, strerror (errno));
    if (r == 0)
      return became_shorter (source, offset, error);
    to += r;
    count -= r;
    offset += r;
  }
  return 0;
}

static int
seek_error (const struct source *source, uint64_t offset,
            struct vdisk_error *error)
{
  return error_set (error, disk_errnum (errno),
                    "%s: looking for holes at offset %" PRIu64 ": %s",
                    source->name, offset, strerror (errno));
}

/* lseek has found no data from 'offset' to the end of the file.  That is a
 * hole only if the file is still as long as it was. */
static int
check_length (const struct file *file, uint64_t offset,
              struct vdisk_error *error)
{
  off_t end = lseek (file->fd, 0, SEEK_END);

  if (end == -1)
    return seek_error (&file->source, offset, error);
  if ((uint64_t) end < file->source.size)
    return became_shorter (&file->source, end, error);
  return 0;
}

/* Where lseek finds the next hole or data; UINT64_MAX if there is none up to
 * the end of the file. */
static int
seek (const struct file *file, uint64_t offset, int whence, uint64_t *found,
      struct vdisk_error *error)
{
  off_t r = lseek (file->fd, offset, whence);

  if (r == -1 && errno != ENXIO)
    return seek_error (&file->source, offset, error);
  *found = r == -1 ? UINT64_MAX : (uint64_t) r;
  return 0;
}

/* Ask the file system what is at 'offset'.  Mostly that is data, for which
 * one question is enough.  A file that has become shorter is found out by
 * whoever reads the data. */
static int
seek_extent (const struct file *file, uint64_t offset,
             struct source_extent *extent, struct vdisk_error *error)
{
  uint64_t end;

  extent->offset = offset;
  extent->kind = VDISK_DATA;
  if (seek (file, offset, SEEK_HOLE, &end, error) == -1)
    return -1;
  if (end == offset || end == UINT64_MAX) {
    if (seek (file, offset, SEEK_DATA, &end, error) == -1 ||
        (end == UINT64_MAX && check_length (file, offset, error) == -1))
      return -1;
    /* It may have been written meanwhile: then let it all be data. */
    if (end > offset)
      extent->kind = VDISK_HOLE;
    else
      end = UINT64_MAX;
  }
  extent->end = min_u64 (end, file->source.size);
  return 0;
}

static int
file_extent (struct source *source, uint64_t offset, uint64_t *length,
             enum vdisk_kind *kind, struct vdisk_error *error)
{
  const struct file *file = (const struct file *) source;
  struct source_extent extent;

  if (!extent_cache_find (file->cache, offset, &extent)) {
    if (seek_extent (file, offset, &extent, error) == -1)
      return -1;
    extent_cache_add (file->cache, &extent, 1);
  }
  *kind = extent.kind;
  *length = extent.end - offset;
  return 0;
}

static int
file_prefetch (struct source *source, uint64_t offset, uint64_t count)
{
  const struct file *file = (const struct file *) source;

  posix_fadvise (file->fd, offset, count, POSIX_FADV_WILLNEED);
  return 0;
}

static int
file_descriptor (const struct source *source)
{
  return ((const struct file *) source)->fd;
}

static void
file_close (struct source *source)
{
  struct file *file = (struct file *) source;

  if (file->fd >= 0)
    close (file->fd);
  extent_cache_free (file->cache);
  free (source->name);
  free (source->directory);
  free (source->base);
  free (file);
}

static const struct source_ops file_ops = {
  .pread = file_pread,
  .extent = file_extent,
  .prefetch = file_prefetch,
  .descriptor = file_descriptor,
  .close = file_close,
};

/* One question tells whether there is any hole.  (How many blocks a file
 * has does not: it may have some beyond its end.) */
static int
look_for_first_hole (struct file *file, struct vdisk_error *error)
{
  struct source *source = &file->source;
  struct source_extent data = { .kind = VDISK_DATA };

  if (source->size == 0)
    return 0;
  if (seek (file, 0, SEEK_HOLE, &data.end, error) == -1)
    return -1;
  source->sparse = data.end < source->size;
  if (source->sparse && data.end > 0)
    extent_cache_add (file->cache, &data, 1);
  return 0;
}

/* Find size, identity and sparseness of an open file. */
static int
examine (struct file *file, struct vdisk_error *error)
{
  struct source *source = &file->source;
  struct stat st;
  off_t end;

  if (fstat (file->fd, &st) == -1)
    return error_set (error, errno, "%s: %s", source->name,
                      strerror (errno));
  if (S_ISDIR (st.st_mode))
    return error_set (error, EISDIR, "%s: this is a directory",
                      source->name);
  if (!S_ISREG (st.st_mode) && !S_ISBLK (st.st_mode))
    return error_set (error, EINVAL, "%s: this is neither a regular file "
                      "nor a block device", source->name);
  source->is_device = S_ISBLK (st.st_mode);
  source->device = source->is_device ? st.st_rdev : st.st_dev;
  source->inode = source->is_device ? 0 : st.st_ino;

  end = lseek (file->fd, 0, SEEK_END);
  if (end == -1)
    return error_set (error, errno, "%s: finding its size: %s",
                      source->name, strerror (errno));
  source->size = end;
  return S_ISREG (st.st_mode) ? look_for_first_hole (file, error) : 0;
}

static int
lock (struct file *file, bool force_share, struct vdisk_error *error)
{
  struct source *source = &file->source;
  int r;

  source->lock = SOURCE_FORCE_SHARE;
  if (force_share)
    return 0;
  r = file_lock_for_reading (file->fd, source->name, error);
  source->lock = r == 1 ? SOURCE_NO_LOCKS : SOURCE_LOCKED;
  return r == -1 ? -1 : 0;
}

struct source *
source_file (const char *name, int fd, bool force_share,
             struct vdisk_error *error)
{
  struct file *file = calloc (1, sizeof *file);

  if (file == NULL) {
    close (fd);
    error_no_memory (error, name);
    return NULL;
  }
  file->source.ops = &file_ops;
  file->fd = fd;
  file->source.name = strdup (name);
  file->cache = extent_cache_new (EXTENTS_MAX);
  if (file->source.name == NULL || file->cache == NULL) {
    error_no_memory (error, name);
    goto fail;
  }
  if (examine (file, error) == -1)
    goto fail;
  if (lock (file, force_share, error) == -1)
    goto fail;
  return &file->source;

 fail:
  file_close (&file->source);
  return NULL;
}

/* Can it be read?  What was opened for something else says so only when it
 * is read, or not at all. */
static int
check_readable (int fd, const char *name, struct vdisk_error *error)
{
  const int flags = fcntl (fd, F_GETFL);

  if (flags == -1)
    return error_set (error, errno, "%s: %s", name, strerror (errno));
  if (flags & O_PATH || (flags & O_ACCMODE) == O_WRONLY)
    return error_set (error, EBADF, "%s: the descriptor is not open for "
                      "reading", name);
  return 0;
}

/* The directory that a path says, if it is one and that is there. */
static char *
directory_of (const char *path)
{
  const char *slash = strrchr (path, '/');
  CLEANUP_FREE char *parent = NULL;

  if (slash == NULL)
    return NULL;
  parent = strndup (path, slash - path + 1);
  return parent ? realpath (parent, NULL) : NULL;
}

struct source *
source_file_take (int fd, const char *name, bool force_share,
                  struct vdisk_error *error)
{
  char unnamed[sizeof "descriptor -2147483648"];
  struct source *source;

  snprintf (unnamed, sizeof unnamed, "descriptor %d", fd);
  if (name == NULL)
    name = unnamed;
  if (check_readable (fd, name, error) == -1) {
    close (fd);
    return NULL;
  }
  source = source_file (name, fd, force_share, error);
  if (source) {
    source->directory = directory_of (name);
    source->is_label = source->directory == NULL;
  }
  return source;
}

struct source *
source_file_open (const char *path, bool force_share,
                  struct vdisk_error *error)
{
  struct source *source;
  char *directory;
  /* O_NONBLOCK so that opening a FIFO returns; it changes nothing for the
   * files that are not refused. */
  int fd = open_in_directory (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
                              O_NOCTTY, &directory);

  if (fd == -1) {
    error_record (error, errno, "%s: %s", path, strerror (errno));
    return NULL;
  }
  source = source_file (path, fd, force_share, error);
  if (source)
    source->directory = directory;
  else
    free (directory);
  return source;
}
