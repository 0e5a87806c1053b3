/* SPDX-License-Identifier: BSD-3-Clause */
/* Files, block devices, and streams (pipes, sockets, standard output). */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "util/error.h"
#include "export/interrupt.h"
#include "export/sharing.h"
#include "export/sink-path.h"
#include "export/sink.h"
#include "util/align.h"
#include "util/cleanup.h"
#include "util/file-lock.h"
#include "util/minmax.h"

/* Gives a pipe's reader and us less reason to wait for each other. */
#define PIPE_SIZE (1 << 20)

#define SECTOR 512

/* A device that cannot zero by itself may take a second for so much; the
 * kernel does not notice interrupts meanwhile. */
#define ZERO_MAX (UINT64_C (64) << 20)

/* How much of a file goes to the disk while nothing notices interrupts. */
#define FLUSH_LENGTH (UINT64_C (64) << 20)

struct file {
  struct sink sink;
  int fd;
  bool is_regular;              /* and not standard output */
  bool is_stored;               /* a regular file or a block device */
  bool is_new;                  /* there was no such file before */
  bool is_finished;
  pthread_mutex_t lock;         /* of writing to a regular file */
  struct sharing sharing;
};

static int
file_error (const struct sink *sink, const char *doing,
            struct vdisk_error *error)
{
  return error_set (error, errno, "%s: %s: %s", sink->name, doing,
                    strerror (errno));
}

static const struct sink_ops in_place_ops;

/* Of a file that stays: what is beyond the size that it is to keep goes. */
static int
adapt_size (struct file *file, uint64_t now, uint64_t size,
            struct vdisk_error *error)
{
  const uint64_t kept = min_u64 (now, file->sink.kept_size);

  return (kept < now && ftruncate (file->fd, kept) == -1) ||
    (kept != size && ftruncate (file->fd, size) == -1)
    ? file_error (&file->sink, "setting its size", error) : 0;
}

static int
begin_regular (struct file *file, uint64_t size, bool preallocate,
               struct vdisk_error *error)
{
  struct sink *sink = &file->sink;
  struct stat st;
  int r;

  if (fstat (file->fd, &st) == -1)
    return file_error (sink, "looking at it", error);
  if (sink->in_place) {
    sink->ops = &in_place_ops;
    sink->is_zeroed = st.st_size == 0;
    return adapt_size (file, st.st_size, size, error);
  }
  /* Not without need: ext4 takes that for a file being replaced, and waits
   * for the disk when it is closed. */
  if ((st.st_size > 0 && ftruncate (file->fd, 0) == -1) ||
      ftruncate (file->fd, size) == -1)
    return file_error (sink, "setting its size", error);
  sink->is_zeroed = true;
  if (preallocate && size > 0) {
    while ((r = fallocate (file->fd, 0, 0, size)) == -1 && errno == EINTR)
      if (interrupt_check (error) == -1)
        return -1;
    if (r == -1)
      return file_error (sink, "allocating its space", error);
    sink->wants_space = false;
  }
  return 0;
}

static int
file_begin (struct sink *sink, uint64_t size, bool preallocate,
            struct vdisk_error *error)
{
  struct file *file = (struct file *) sink;

  if (file->is_regular) {
    interrupt_set_partial (sink->is_kept ? NULL : sink->path);
    return begin_regular (file, size, preallocate, error);
  }
  if (preallocate)
    return error_set (error, EINVAL, "%s: --prealloc needs a regular file",
                      sink->name);
  if (!sink->is_stream && size > sink->size)
    return error_set (error, ENOSPC, "%s: the device has %" PRIu64 " bytes, "
                      "%" PRIu64 " are needed", sink->name, sink->size,
                      size);
  return 0;
}

static int
write_all (struct sink *sink, const void *buffer, size_t count,
           uint64_t offset, struct vdisk_error *error)
{
  const struct file *file = (const struct file *) sink;
  const char *from = buffer;

  while (count > 0) {
    ssize_t r = sink->is_stream ? write (file->fd, from, count)
      : pwrite (file->fd, from, count, offset);

    if (r == -1 && errno == EINTR) {
      if (interrupt_check (error) == -1)
        return -1;
      continue;
    }
    if (r == -1)
      return file_error (sink, "writing", error);
    from += r;
    count -= r;
    offset += r;
  }
  return 0;
}

static int
file_write (struct sink *sink, const void *buffer, size_t count,
            uint64_t offset, struct vdisk_error *error)
{
  struct file *file = (struct file *) sink;
  int r;

  if (!file->is_regular)
    return write_all (sink, buffer, count, offset, error);
  /* The kernel lets one thread write to a file, while the others spin. */
  pthread_mutex_lock (&file->lock);
  r = write_all (sink, buffer, count, offset, error);
  pthread_mutex_unlock (&file->lock);
  return r;
}

/* Where a device cannot zero by itself the kernel writes zeros. */
static int
zero_sectors (struct file *file, uint64_t offset, uint64_t end,
              struct vdisk_error *error)
{
  uint64_t range[2];

  for (; offset < end; offset += range[1]) {
    range[0] = offset;
    range[1] = min_u64 (end - offset, ZERO_MAX);
    if (interrupt_check (error) == -1)
      return -1;
    if (ioctl (file->fd, BLKZEROOUT, range) == -1)
      return file_error (&file->sink, "zeroing", error);
  }
  return 0;
}

static int
device_zero (struct sink *sink, uint64_t count, uint64_t offset,
             struct vdisk_error *error)
{
  static const char zeros[SECTOR];
  const uint64_t start = round_up (offset, sizeof zeros);
  const uint64_t end = round_down (offset + count, sizeof zeros);

  /* The ioctl wants whole sectors. */
  if (start >= end)
    return file_write (sink, zeros, count, offset, error);
  if (file_write (sink, zeros, start - offset, offset, error) == -1 ||
      zero_sectors ((struct file *) sink, start, end, error) == -1)
    return -1;
  return file_write (sink, zeros, offset + count - end, end, error);
}

/* Of a file that may hold something there already. */
static int
punch (struct sink *sink, uint64_t count, uint64_t offset,
       struct vdisk_error *error)
{
  static const char zeros[64 << 10];
  const struct file *file = (const struct file *) sink;
  uint64_t n;
  int r;

  while ((r = fallocate (file->fd, FALLOC_FL_PUNCH_HOLE |
                         FALLOC_FL_KEEP_SIZE, offset, count)) == -1 &&
         errno == EINTR)
    if (interrupt_check (error) == -1)
      return -1;
  if (r == 0)
    return 0;
  if (errno != EOPNOTSUPP && errno != ENOSYS)
    return file_error (sink, "zeroing", error);
  for (; count > 0; count -= n, offset += n) {
    n = min_u64 (count, sizeof zeros);
    if (file_write (sink, zeros, n, offset, error) == -1)
      return -1;
  }
  return 0;
}

static void
file_allocate (struct sink *sink, uint64_t count, uint64_t offset)
{
  const struct file *file = (const struct file *) sink;

  /* Writing tells why it cannot be done. */
  if (fallocate (file->fd, FALLOC_FL_KEEP_SIZE, offset, count) == -1 &&
      errno != EINTR)
    sink->wants_space = false;
}

static bool
file_share (struct sink *sink, int fd, uint64_t fd_offset, uint64_t count,
            uint64_t offset)
{
  struct file *file = (struct file *) sink;

  return file->is_regular &&
    sharing_range (&file->sharing, fd, fd_offset, count, offset);
}

static int
file_lock (struct sink *sink, struct vdisk_error *error)
{
  const struct file *file = (const struct file *) sink;

  if (!file->is_stored)
    return 0;
  return sink->is_joint
    ? file_lock_for_joint_writing (file->fd, sink->name, error)
    : file_lock_for_writing (file->fd, sink->name, error);
}

/* Have what was written go to the disk piece by piece, one ahead of the one
 * that is waited for, so that interrupts are noticed between.  Only
 * fdatasync, which comes next, makes sure that it is there. */
static int
write_back (struct sink *sink, struct vdisk_error *error)
{
  const struct file *file = (const struct file *) sink;
  uint64_t offset;

  for (offset = 0; offset < sink->position; offset += FLUSH_LENGTH) {
    if (interrupt_check (error) == -1)
      return -1;
    if (sync_file_range (file->fd, offset, FLUSH_LENGTH,
                         SYNC_FILE_RANGE_WRITE) == -1 ||
        (offset > 0 &&
         sync_file_range (file->fd, offset - FLUSH_LENGTH, FLUSH_LENGTH,
                          SYNC_FILE_RANGE_WAIT_BEFORE) == -1))
      /* Failed writes are told once.  Anything else means that it cannot
       * be done so. */
      return errno == EIO || errno == ENOSPC || errno == EDQUOT
        ? file_error (sink, "flushing", error) : 0;
  }
  return 0;
}

/* A new file is there after a crash only if its directory knows it.  One
 * that may be written but not read cannot be opened to be flushed. */
static int
flush_directory (const struct sink *sink, struct vdisk_error *error)
{
  const struct file *file = (const struct file *) sink;
  CLEANUP_FREE char *path = sink_path_beside (sink->path, "");
  int fd, r;

  if (path == NULL)
    return error_no_memory (error, sink->name);
  fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  r = fd == -1 ? syncfs (file->fd) : fsync (fd);
  /* Some file systems cannot flush directories. */
  if (r == -1 && errno != EINVAL)
    file_error (sink, "flushing its directory", error);
  else
    r = 0;
  if (fd != -1)
    close (fd);
  return r;
}

static int
file_sync (struct sink *sink, struct vdisk_error *error)
{
  const struct file *file = (const struct file *) sink;
  int r;

  while ((r = fdatasync (file->fd)) == -1 && errno == EINTR)
    if (interrupt_check (error) == -1)
      return -1;
  if (r == -1)
    return file_error (sink, "flushing", error);
  return file->is_new ? flush_directory (sink, error) : 0;
}

static int
flush (struct sink *sink, struct vdisk_error *error)
{
  const struct file *file = (const struct file *) sink;

  if (!file->is_stored || sink->no_flush)
    return 0;
  if (!sink->is_stream && write_back (sink, error) == -1)
    return -1;
  return file_sync (sink, error);
}

static int
file_finish (struct sink *sink, struct vdisk_error *error)
{
  struct file *file = (struct file *) sink;
  int fd = file->fd;

  if (file->is_regular && !sink->in_place &&
      ftruncate (fd, sink->position) == -1)
    return file_error (sink, "setting its size", error);
  if (flush (sink, error) == -1)
    return -1;
  /* Some file systems tell only now what could not be written. */
  file->fd = -1;
  if (close (fd) == -1)
    return file_error (sink, "closing", error);
  file->is_finished = true;
  return 0;
}

/* Remove the file, if it is still the one with that name. */
static void
remove_file (const struct sink *sink)
{
  struct stat st;

  if (sink->path && lstat (sink->path, &st) == 0 && sink_is (sink, &st))
    unlink (sink->path);
}

static void
file_close (struct sink *sink)
{
  struct file *file = (struct file *) sink;

  if (file->is_regular && !file->is_finished && !sink->is_kept &&
      (file->is_new || sink->has_begun))
    remove_file (sink);
  interrupt_set_partial (NULL);
  if (file->fd >= 0)
    close (file->fd);
  pthread_mutex_destroy (&file->lock);
  free (sink->name);
  free (sink->path);
  free (file);
}

static const struct sink_ops file_ops = {
  .lock = file_lock,
  .begin = file_begin,
  .write = file_write,
  .allocate = file_allocate,
  .share = file_share,
  .finish = file_finish,
  .sync = file_sync,
  .close = file_close,
};

static const struct sink_ops in_place_ops = {
  .lock = file_lock,
  .begin = file_begin,
  .write = file_write,
  .zero = punch,
  .allocate = file_allocate,
  .finish = file_finish,
  .sync = file_sync,
  .close = file_close,
};

static const struct sink_ops device_ops = {
  .lock = file_lock,
  .begin = file_begin,
  .write = file_write,
  .zero = device_zero,
  .finish = file_finish,
  .close = file_close,
};

/* A sink of an open descriptor, which it owns.  NULL on error: then the
 * descriptor is closed. */
static struct file *
new_file (int fd, const char *name, struct vdisk_error *error)
{
  struct file *file = calloc (1, sizeof *file);

  if (file)
    file->sink.name = strdup (name);
  if (file == NULL || file->sink.name == NULL) {
    error_no_memory (error, name);
    close (fd);
    free (file);
    return NULL;
  }
  file->fd = fd;
  file->sink.ops = &file_ops;
  file->sink.kept_size = UINT64_MAX;
  pthread_mutex_init (&file->lock, NULL);
  return file;
}

/* ext4 puts off finding space for what is written, block by block, until
 * the bytes go to the disk.  With the space there first a copy takes two
 * thirds of the time.  XFS is slower so, and tmpfs no faster. */
static bool
is_on_ext4 (int fd)
{
  struct statfs fs;

  return fstatfs (fd, &fs) == 0 && fs.f_type == EXT4_SUPER_MAGIC;
}

/* Find out what kind of file it is, and which. */
static int
identify (struct file *file, mode_t *mode, struct vdisk_error *error)
{
  struct stat st;

  if (fstat (file->fd, &st) == -1)
    return file_error (&file->sink, "looking at it", error);
  *mode = st.st_mode;
  file->is_stored = S_ISREG (st.st_mode) || S_ISBLK (st.st_mode);
  file->sink.size = S_ISREG (st.st_mode) ? st.st_size : 0;
  if (file->is_stored)
    sink_identify (&file->sink, &st);
  return 0;
}

static int
examine (struct file *file, struct vdisk_error *error)
{
  struct sink *sink = &file->sink;
  mode_t mode;
  off_t end;

  if (identify (file, &mode, error) == -1)
    return -1;
  if (!file->is_stored) {
    sink->is_stream = true;
    return 0;
  }
  file->is_regular = S_ISREG (mode);
  if (file->is_regular) {
    sharing_init (&file->sharing, file->fd);
    sink->wants_space = is_on_ext4 (file->fd);
    return 0;
  }
  sink->ops = &device_ops;
  end = lseek (file->fd, 0, SEEK_END);
  if (end == -1)
    return file_error (sink, "finding its size", error);
  sink->size = end;
  return 0;
}

/* Of what may have to be removed: the file, not a link to it. */
static int
find_path (struct file *file, const char *path, struct vdisk_error *error)
{
  if (!file->is_regular)
    return 0;
  file->sink.path = sink_path_follow (path);
  return file->sink.path ? 0
    : file_error (&file->sink, "finding its path", error);
}

/* Make a file that a symbolic link leads to. */
static int
open_behind_link (const char *path)
{
  CLEANUP_FREE char *real = sink_path_follow (path);

  return real ? interrupt_create (real) : -1;
}

/* Locks need a descriptor that can be read, a pipe one that cannot.  A
 * block device that is in use (mounted, say) cannot be opened with
 * O_EXCL. */
static int
open_existing (const char *path, bool *is_new)
{
  struct stat st;
  int flags = O_WRONLY, fd;

  if (stat (path, &st) == -1) {
    if (errno != ENOENT)
      return -1;
    fd = open_behind_link (path);
    *is_new = fd != -1;
    return fd;
  }
  if (S_ISREG (st.st_mode))
    flags = O_RDWR;
  else if (S_ISBLK (st.st_mode))
    flags = O_RDWR | O_EXCL;
  return open (path, flags | O_CLOEXEC | O_NOCTTY);
}

struct sink *
sink_file_open (const char *path, struct vdisk_error *error)
{
  int fd = interrupt_create (path);
  bool is_new = fd != -1;
  struct file *file;

  if (fd == -1 && errno == EEXIST)
    fd = open_existing (path, &is_new);
  if (fd == -1) {
    error_record (error, errno, "%s: %s", path, strerror (errno));
    return NULL;
  }
  file = new_file (fd, path, error);
  if (file == NULL) {
    if (is_new)
      unlink (path);
    return NULL;
  }
  file->is_new = is_new;
  if (examine (file, error) == -1 || find_path (file, path, error) == -1) {
    file_close (&file->sink);
    return NULL;
  }
  return &file->sink;
}

/* Whatever it is, it may hold something already and is written only from
 * where it stands. */
struct sink *
sink_stdout (struct vdisk_error *error)
{
  struct file *file;
  mode_t mode;
  int fd;

  if (isatty (STDOUT_FILENO)) {
    error_record (error, EINVAL, "standard output is a terminal");
    return NULL;
  }
  fd = fcntl (STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (fd == -1) {
    error_record (error, errno, "standard output: %s", strerror (errno));
    return NULL;
  }
  fcntl (fd, F_SETPIPE_SZ, PIPE_SIZE);
  file = new_file (fd, "standard output", error);
  if (file == NULL)
    return NULL;
  file->sink.is_stream = true;
  if (identify (file, &mode, error) == -1) {
    file_close (&file->sink);
    return NULL;
  }
  return &file->sink;
}
