/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening what the caller hands over: an open file, callbacks, and what a
 * resolver finds for a reference; who closes what, and that callbacks may
 * do anything.
 */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qcow2-image.h"
#include "scratch.h"
#include "support.h"
#include "util/minmax.h"
#include "vdisk.h"

#define DISK (4 * 65536)

static uint8_t base_bytes[DISK];

/* A QCOW2 image of one cluster of data, with a backing file. */
static struct qcow2_image child;

static void
make_images (void)
{
  size_t i;

  scratch_setup ();
  for (i = 0; i < DISK; ++i)
    base_bytes[i] = i * 7 + i / 256 + 1;
  qcow2_image_init (&child, 3, 16, DISK, 0);
  qcow2_image_set_backing (&child, "base.raw");
  qcow2_image_add_extension (&child, QCOW2_EXTENSION_BACKING_FORMAT, "raw",
                             3);
  memset (child.bytes + qcow2_image_add_data (&child, 65536), 'c', 65536);
}

static void
remove_images (void)
{
  qcow2_image_free (&child);
  scratch_teardown ();
}

static struct vdisk_options *
options_with (const char *name, const char *value)
{
  struct vdisk_options *options = vdisk_options_new ();

  ck_assert_ptr_nonnull (options);
  if (name)
    ck_assert_int_eq (vdisk_options_set (options, name, value, NULL), 0);
  return options;
}

/* The disk of the child on its base. */
static void
check_disk (struct vdisk *vdisk)
{
  static uint8_t buffer[DISK];
  struct vdisk_error error;

  ck_assert_uint_eq (vdisk_size (vdisk), DISK);
  ck_assert_msg (vdisk_pread (vdisk, buffer, DISK, 0, &error) == 0, "%s",
                 error.message);
  ck_assert (memcmp (buffer, base_bytes, 65536) == 0);
  ck_assert_int_eq (buffer[65536], 'c');
  ck_assert (memcmp (buffer + 65536, buffer + 65537, 65535) == 0);
  ck_assert (memcmp (buffer + 131072, base_bytes + 131072, 131072) == 0);
}

static bool
is_open (int fd)
{
  return fcntl (fd, F_GETFD) != -1;
}

static int
open_scratch (const char *name, const void *bytes, size_t size, int flags)
{
  const int fd = open (scratch_write (name, bytes, size), flags | O_CLOEXEC);

  ck_assert_int_ge (fd, 0);
  return fd;
}

/* --- An open file ------------------------------------------------------ */

/* A path leads to the directory of the references; the file itself needs no
 * name any more. */
START_TEST (fd_with_path)
{
  const int fd = open_scratch ("child", child.bytes, child.size, O_RDONLY);
  struct vdisk_error error;
  struct vdisk *vdisk;

  scratch_write ("base.raw", base_bytes, DISK);
  unlink (scratch_path ("child"));
  vdisk = vdisk_open_fd (fd, scratch_path ("child"), NULL, &error);
  ck_assert_msg (vdisk != NULL, "%s", error.message);
  check_disk (vdisk);
  ck_assert_str_eq (vdisk_layer_file (vdisk, 0), scratch_path ("child"));
  ck_assert_int_eq (vdisk_layer_descriptor (vdisk, 0), fd);
  vdisk_close (vdisk);
  ck_assert (!is_open (fd));
}
END_TEST

/* Names that are none, and what is said of a reference then.  The current
 * directory is one that has the base: it must not be looked for there. */
static const struct { const char *name, *message; } labels[] = {
  { "child", "child: backing file 'base.raw' is a relative name, and the "
    "image was opened without a path: only a resolver could say what it "
    "means" },
  { "/no/such/directory/child", "/no/such/directory/child: backing file "
    "'base.raw' is a relative name, and the image was opened without a "
    "path: only a resolver could say what it means" },
  { NULL, NULL },
};

START_TEST (fd_with_name)
{
  const int fd = open_scratch ("child", child.bytes, child.size, O_RDONLY);
  char message[200];
  struct vdisk_error error;

  scratch_write ("base.raw", base_bytes, DISK);
  ck_assert_int_eq (chdir (scratch_directory ()), 0);
  ck_assert_ptr_null (vdisk_open_fd (fd, labels[_i].name, NULL, &error));
  ck_assert_int_eq (chdir ("/"), 0);
  snprintf (message, sizeof message, "descriptor %d: backing file 'base.raw'"
            " is a relative name, and the image was opened without a path: "
            "only a resolver could say what it means", fd);
  ck_assert_str_eq (error.message, labels[_i].message ? labels[_i].message
                    : message);
  ck_assert_int_eq (error.errnum, EPERM);
  ck_assert (!is_open (fd));
}
END_TEST

/* An absolute reference has to be allowed. */
START_TEST (fd_with_absolute_reference)
{
  struct vdisk_options *options = options_with ("backing-dir",
                                                scratch_directory ());
  struct qcow2_image image;
  struct vdisk_error error;
  struct vdisk *vdisk;
  char *text, message[PATH_MAX + 200];

  qcow2_image_init (&image, 3, 16, DISK, 0);
  qcow2_image_set_backing (&image, scratch_write ("base.raw", base_bytes,
                                                  DISK));
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_BACKING_FORMAT, "raw",
                             3);
  ck_assert_ptr_null (vdisk_open_fd (open_scratch ("absolute", image.bytes,
                                                   image.size, O_RDONLY),
                                     "upload", NULL, &error));
  ck_assert_int_eq (error.errnum, EPERM);
  snprintf (message, sizeof message, "upload: backing file '%s' leads to "
            "%s, and an image opened without a path has no directory of its "
            "own: backing-dir=%s would allow it", scratch_path ("base.raw"),
            scratch_path ("base.raw"), scratch_directory ());
  ck_assert_str_eq (error.message, message);
  vdisk = vdisk_open_fd (open_scratch ("absolute", image.bytes, image.size,
                                       O_RDONLY), "upload", options, &error);
  ck_assert_msg (vdisk != NULL, "%s", error.message);
  ck_assert_uint_eq (vdisk_layers (vdisk), 2);
  text = vdisk_describe (vdisk, 0, &error);
  ck_assert_msg (text && strstr (text, "\"full-backing-filename\""), "%s",
                 text);
  free (text);
  vdisk_close (vdisk);
  vdisk_options_free (options);
  qcow2_image_free (&image);
}
END_TEST

/* A file that never had a name. */
START_TEST (fd_of_memory)
{
  struct vdisk_options *options = options_with ("format", "raw");
  const int fd = memfd_create ("disk", MFD_CLOEXEC);
  uint8_t buffer[512];
  struct vdisk *vdisk;

  ck_assert_int_eq (write (fd, base_bytes, DISK), DISK);
  vdisk = vdisk_open_fd (fd, NULL, options, NULL);
  ck_assert_ptr_nonnull (vdisk);
  ck_assert_int_eq (vdisk_pread (vdisk, buffer, 512, 1000, NULL), 0);
  ck_assert (memcmp (buffer, base_bytes + 1000, 512) == 0);
  vdisk_close (vdisk);
  vdisk_options_free (options);
}
END_TEST

static int
open_for (unsigned way)
{
  int fds[2];

  switch (way) {
  case 0: return open_scratch ("written", "x", 1, O_WRONLY);
  case 1: return open_scratch ("named", "x", 1, O_PATH);
  case 2: return open (scratch_directory (), O_RDONLY | O_DIRECTORY);
  default:
    ck_assert_int_eq (pipe (fds), 0);
    close (fds[1]);
    return fds[0];
  }
}

/* What cannot be read as an image, and is closed all the same. */
START_TEST (fd_of_no_file)
{
  static const struct { int errnum; const char *message; } rows[] = {
    { EBADF, "x: the descriptor is not open for reading" },
    { EBADF, "x: the descriptor is not open for reading" },
    { EISDIR, "x: this is a directory" },
    { EINVAL, "x: this is neither a regular file nor a block device" },
  };
  const int fd = open_for (_i);
  struct vdisk_error error;

  ck_assert_ptr_null (vdisk_open_fd (fd, "x", NULL, &error));
  ck_assert_int_eq (error.errnum, rows[_i].errnum);
  ck_assert_str_eq (error.message, rows[_i].message);
  ck_assert (!is_open (fd));
}
END_TEST

START_TEST (fd_is_none)
{
  struct vdisk_error error;

  ck_assert_ptr_null (vdisk_open_fd (-1, NULL, NULL, &error));
  ck_assert_int_eq (error.errnum, EBADF);
  ck_assert_str_eq (error.message, "descriptor -1: Bad file descriptor");
}
END_TEST

/* --- Callbacks --------------------------------------------------------- */

/* Storage in memory, and what has been done with it. */
struct storage {
  const uint8_t *bytes;
  int64_t size;
  size_t most;                  /* bytes read at a time */
  int64_t returns;              /* what pread returns instead, if not 0 */
  int64_t from;                 /* from this offset on */
  int64_t extent_returns;
  int extent_kind;
  _Atomic unsigned reads, extents, prefetches, closes;
};

static int64_t
storage_size (void *opaque)
{
  return ((struct storage *) opaque)->size;
}

static int64_t
storage_pread (void *opaque, void *buffer, size_t count, uint64_t offset)
{
  struct storage *storage = opaque;
  const size_t n = min_u64 (count, storage->most);

  ck_assert_uint_gt (count, 0);
  ck_assert_uint_le (offset + count, storage->size);
  storage->reads++;
  if (storage->returns != 0 && offset + count > (uint64_t) storage->from)
    return storage->returns == INT64_MIN ? 0 : storage->returns;
  memcpy (buffer, storage->bytes + offset, n);
  return n;
}

/* Zeros by pieces of 4096 bytes are holes. */
static int64_t
storage_extent (void *opaque, uint64_t offset, uint64_t count,
                enum vdisk_kind *kind)
{
  static const uint8_t zeros[4096];
  struct storage *storage = opaque;
  const uint64_t left = 4096 - offset % 4096;

  ck_assert_uint_eq (offset + count, storage->size);
  ck_assert_int_eq (*kind, VDISK_DATA);
  storage->extents++;
  if (storage->extent_returns != 0) {
    *kind = storage->extent_kind;
    return storage->extent_returns == INT64_MIN ? 0 : storage->extent_returns;
  }
  if (memcmp (storage->bytes + offset, zeros, min_u64 (left, count)) == 0)
    *kind = VDISK_HOLE;
  return left;
}

static void
storage_prefetch (void *opaque, uint64_t offset, uint64_t count)
{
  struct storage *storage = opaque;

  ck_assert_uint_le (offset + count, storage->size);
  storage->prefetches++;
}

static void
storage_close (void *opaque)
{
  ((struct storage *) opaque)->closes++;
}

static const struct vdisk_callbacks storage_callbacks = {
  .struct_size = sizeof storage_callbacks, .size = storage_size,
  .pread = storage_pread, .extent = storage_extent,
  .prefetch = storage_prefetch, .close = storage_close,
};

static struct vdisk *
open_storage (struct storage *storage, const char *format,
              struct vdisk_error *error)
{
  struct vdisk_options *options = options_with ("format", format);
  struct vdisk *vdisk = vdisk_open_callbacks (&storage_callbacks, storage,
                                              "storage", options, error);

  vdisk_options_free (options);
  return vdisk;
}

static int
take_extent (void *opaque, const struct vdisk_extent *extent)
{
  char *text = opaque;

  sprintf (text + strlen (text), "%c%d+%d ",
           extent->kind == VDISK_HOLE ? 'h' :
           extent->kind == VDISK_ZERO ? 'z' : 'd',
           (int) extent->offset, (int) extent->length);
  return 0;
}

/* Bytes, holes and prefetching, in pieces however small. */
START_TEST (callbacks_work)
{
  static uint8_t bytes[DISK];
  struct storage storage = {
    .bytes = bytes, .size = DISK - 100, .most = _i == 0 ? SIZE_MAX : 1000,
  };
  static uint8_t buffer[DISK];
  struct vdisk_error error;
  struct vdisk *vdisk;
  char text[400] = "";

  memcpy (bytes + 4096, base_bytes, 8192);
  vdisk = open_storage (&storage, "raw", &error);
  ck_assert_msg (vdisk != NULL, "%s", error.message);
  ck_assert_uint_eq (vdisk_size (vdisk), DISK - 100);
  ck_assert_str_eq (vdisk_layer_file (vdisk, 0), "storage");
  ck_assert_int_eq (vdisk_layer_descriptor (vdisk, 0), -1);
  ck_assert_int_eq (vdisk_pread (vdisk, buffer, DISK - 100, 0, NULL), 0);
  ck_assert (memcmp (buffer, bytes, DISK - 100) == 0);
  ck_assert_int_eq (vdisk_extents (vdisk, 100, 16000, take_extent, text,
                                   NULL), 0);
  ck_assert_str_eq (text, "h100+3996 d4096+4096 d8192+4096 h12288+3812 ");
  ck_assert_uint_eq (storage.extents, 4);
  ck_assert_int_eq (vdisk_extents (vdisk, 100, 12000, take_extent, text,
                                   NULL), 0);
  ck_assert_uint_eq (storage.extents, 4);
  ck_assert_int_eq (vdisk_prefetch (vdisk, 0, DISK - 100, NULL), 0);
  ck_assert_uint_gt (storage.prefetches, 0);
  ck_assert_uint_eq (storage.closes, 0);
  vdisk_close (vdisk);
  ck_assert_uint_eq (storage.closes, 1);
}
END_TEST

/* Without what is optional, all is data. */
START_TEST (callbacks_of_the_first_version)
{
  const struct vdisk_callbacks callbacks = {
    .struct_size = offsetof (struct vdisk_callbacks, extent),
    .size = storage_size, .pread = storage_pread,
    .extent = storage_extent, .close = storage_close,
  };
  struct vdisk_options *options = options_with ("format", "raw");
  struct storage storage = {
    .bytes = base_bytes, .size = 8192, .most = SIZE_MAX,
  };
  char text[100] = "";
  struct vdisk *vdisk = vdisk_open_callbacks (&callbacks, &storage, NULL,
                                              options, NULL);

  ck_assert_ptr_nonnull (vdisk);
  ck_assert_int_eq (vdisk_extents (vdisk, 0, 8192, take_extent, text, NULL),
                    0);
  ck_assert_str_eq (text, "d0+8192 ");
  ck_assert_int_eq (vdisk_prefetch (vdisk, 0, 8192, NULL), 0);
  vdisk_close (vdisk);
  ck_assert_uint_eq (storage.closes + storage.extents, 0);
  vdisk_options_free (options);
}
END_TEST

/* A caller that is newer than the library may not want more than that. */
START_TEST (callbacks_of_a_later_version)
{
  struct { struct vdisk_callbacks known; uint64_t more; } later = {
    .known = storage_callbacks, .more = _i,
  };
  struct vdisk_options *options = options_with ("format", "raw");
  struct storage storage = {
    .bytes = base_bytes, .size = 8192, .most = SIZE_MAX,
  };
  struct vdisk_error error;
  struct vdisk *vdisk;

  later.known.struct_size = sizeof later;
  vdisk = vdisk_open_callbacks (&later.known, &storage, "new", options,
                                &error);
  ck_assert_int_eq (vdisk != NULL, _i == 0);
  ck_assert_int_eq (error.errnum, _i == 0 ? 0 : EINVAL);
  vdisk_close (vdisk);
  ck_assert_uint_eq (storage.closes, _i == 0);
  vdisk_options_free (options);
}
END_TEST

/* Nothing of a wrong struct is called. */
START_TEST (callbacks_are_wrong)
{
  struct vdisk_callbacks rows[] = {
    storage_callbacks, storage_callbacks, storage_callbacks,
  };
  static const char *const messages[] = {
    "x: its callbacks have no size", "x: its callbacks have no pread",
    "x: the struct_size of its callbacks is 16, must be at least 24",
  };
  struct storage storage = { .bytes = base_bytes, .size = 8192 };
  struct vdisk_error error;

  rows[0].size = NULL;
  rows[1].pread = NULL;
  rows[2].struct_size = 16;
  ck_assert_ptr_null (vdisk_open_callbacks (&rows[_i], &storage, "x", NULL,
                                            &error));
  ck_assert_int_eq (error.errnum, EINVAL);
  if (_i < 2 || sizeof (void *) == 8)
    ck_assert_str_eq (error.message, messages[_i]);
  ck_assert_uint_eq (storage.closes + storage.reads, 0);
}
END_TEST

static const struct { int64_t size; int errnum; const char *message; }
sizes[] = {
  { -EACCES, EACCES, "storage: finding its size: Permission denied" },
  { INT64_MIN, EIO, "storage: finding its size: Input/output error" },
  { -4096, EIO, "storage: finding its size: Input/output error" },
  { -1, EPERM, "storage: finding its size: Operation not permitted" },
};

START_TEST (size_fails)
{
  struct storage storage = { .size = sizes[_i].size };
  struct vdisk_error error;

  ck_assert_ptr_null (open_storage (&storage, "raw", &error));
  ck_assert_int_eq (error.errnum, sizes[_i].errnum);
  ck_assert_str_eq (error.message, sizes[_i].message);
  ck_assert_uint_eq (storage.closes, 1);
}
END_TEST

/* A size that is a lie: what is not there cannot be read. */
START_TEST (size_lies)
{
  struct storage storage = {
    .bytes = base_bytes, .size = INT64_MAX, .most = 512,
    .returns = INT64_MIN, .from = DISK,
  };
  static uint8_t buffer[8192];
  struct vdisk_error error;
  struct vdisk *vdisk = open_storage (&storage, "raw", &error);

  ck_assert_msg (vdisk != NULL, "%s", error.message);
  ck_assert_uint_eq (vdisk_size (vdisk), INT64_MAX);
  ck_assert_int_eq (vdisk_pread (vdisk, buffer, 8192, DISK - 8192, NULL), 0);
  ck_assert_int_eq (vdisk_pread (vdisk, buffer, 8192, DISK - 4096, &error),
                    -1);
  ck_assert_int_eq (error.errnum, EIO);
  ck_assert_str_eq (error.message, "storage: the storage ends at offset "
                    "258048 now, it had 9223372036854775807 bytes when it "
                    "was opened");
  ck_assert_int_eq (vdisk_pread (vdisk, buffer, 8192, INT64_MAX - 8192,
                                 NULL), -1);
  vdisk_close (vdisk);
}
END_TEST

/* Whatever pread returns. */
static const struct { int64_t returns; int errnum; const char *message; }
reads[] = {
  { INT64_MIN, EIO, "storage: the storage ends at offset 1000 now, it had "
    "262144 bytes when it was opened" },
  { -EIO, EIO, "storage: reading at offset 1000: Input/output error" },
  { -ESTALE, EIO, "storage: reading at offset 1000: Stale file handle" },
  { -ENOMEM, ENOMEM, "storage: reading at offset 1000: Cannot allocate "
    "memory" },
  { -ETIMEDOUT, ETIMEDOUT, "storage: reading at offset 1000: Connection "
    "timed out" },
  { INT32_MIN, EIO, "storage: reading at offset 1000: Input/output error" },
  { 513, EIO, "storage: of 512 bytes at offset 1000 the callback has read "
    "513" },
  { INT64_MAX, EIO, "storage: of 512 bytes at offset 1000 the callback has "
    "read 9223372036854775807" },
};

START_TEST (pread_is_faulty)
{
  struct storage storage = {
    .bytes = base_bytes, .size = DISK, .most = SIZE_MAX,
  };
  uint8_t buffer[512];
  struct vdisk_error error;
  struct vdisk *vdisk = open_storage (&storage, "raw", &error);

  ck_assert_ptr_nonnull (vdisk);
  storage.returns = reads[_i].returns;
  ck_assert_int_eq (vdisk_pread (vdisk, buffer, 512, 1000, &error), -1);
  ck_assert_int_eq (error.errnum, reads[_i].errnum);
  ck_assert_str_eq (error.message, reads[_i].message);
  storage.returns = 0;
  ck_assert_int_eq (vdisk_pread (vdisk, buffer, 512, 1000, &error), 0);
  vdisk_close (vdisk);
}
END_TEST

static const struct { int64_t returns; int kind; const char *told; }
extents[] = {
  { INT64_MIN, VDISK_HOLE, NULL },
  { -EIO, VDISK_HOLE, NULL },
  { 4096, VDISK_PACKED, NULL },
  { 4096, 77, NULL },
  { INT64_MAX, VDISK_HOLE, "h0+262144 " },
  { 200000, VDISK_ZERO, "z0+200000 z200000+62144 " },
  { INT64_MAX, VDISK_DATA, "d0+262144 " },
};

START_TEST (extent_is_faulty)
{
  struct storage storage = {
    .bytes = base_bytes, .size = DISK, .most = SIZE_MAX,
    .extent_returns = extents[_i].returns, .extent_kind = extents[_i].kind,
  };
  char text[100] = "";
  struct vdisk_error error;
  struct vdisk *vdisk = open_storage (&storage, "raw", &error);
  const int r = vdisk_extents (vdisk, 0, DISK, take_extent, text, &error);

  ck_assert_int_eq (r, extents[_i].told ? 0 : -1);
  ck_assert_str_eq (text, extents[_i].told ? extents[_i].told : "");
  ck_assert_int_eq (error.errnum, r == 0 ? 0 : EIO);
  vdisk_close (vdisk);
}
END_TEST

/* Each read of an image fails once, in each way. */
START_TEST (any_read_is_faulty)
{
  const int64_t returns = reads[_i].returns;
  struct storage storage = { .bytes = child.bytes, .size = child.size };
  unsigned n, opened = 0;

  for (n = 0; n < 40; ++n) {
    struct vdisk_error error = { 0 };
    struct vdisk *vdisk;

    storage.closes = 0;
    storage.most = 100 + n;
    storage.returns = returns;
    storage.from = child.size - (int) n * 4096;
    vdisk = open_storage (&storage, "qcow2", &error);
    ck_assert_ptr_null (vdisk);
    ck_assert_int_ne (error.errnum, 0);
    ck_assert_uint_eq (storage.closes, 1);
    opened += error.errnum == EPERM;
  }
  /* In some the header could be read, and the reference was met. */
  ck_assert_uint_gt (opened, 0);
}
END_TEST

static void *
read_often (void *opaque)
{
  struct vdisk *vdisk = opaque;
  uint8_t buffer[1000];
  char text[4000];
  unsigned i;

  for (i = 0; i < 200; ++i) {
    const uint64_t offset = i * 1301 % (DISK - sizeof buffer);

    ck_assert_int_eq (vdisk_pread (vdisk, buffer, sizeof buffer, offset,
                                   NULL), 0);
    ck_assert (memcmp (buffer, base_bytes + offset, sizeof buffer) == 0);
    text[0] = '\0';
    ck_assert_int_eq (vdisk_extents (vdisk, offset, 1000, take_extent, text,
                                     NULL), 0);
  }
  return NULL;
}

START_TEST (callbacks_of_threads)
{
  struct storage storage = {
    .bytes = base_bytes, .size = DISK, .most = 700,
  };
  struct vdisk *vdisk = open_storage (&storage, "raw", NULL);
  pthread_t threads[4];
  size_t i;

  for (i = 0; i < 4; ++i)
    ck_assert_int_eq (pthread_create (&threads[i], NULL, read_often, vdisk),
                      0);
  for (i = 0; i < 4; ++i)
    pthread_join (threads[i], NULL);
  vdisk_close (vdisk);
}
END_TEST

/* --- References -------------------------------------------------------- */

START_TEST (callbacks_without_resolver)
{
  struct storage storage = {
    .bytes = child.bytes, .size = child.size, .most = SIZE_MAX,
  };
  struct vdisk_error error;

  scratch_write ("base.raw", base_bytes, DISK);
  ck_assert_int_eq (chdir (scratch_directory ()), 0);
  ck_assert_ptr_null (vdisk_open_callbacks (&storage_callbacks, &storage,
                                            scratch_path ("child"), NULL,
                                            &error));
  ck_assert_int_eq (chdir ("/"), 0);
  ck_assert_int_eq (error.errnum, EPERM);
  ck_assert_ptr_nonnull (strstr (error.message, "backing file 'base.raw' is "
                                 "a relative name, and the image was opened "
                                 "without a path"));
  ck_assert_uint_eq (storage.closes, 1);
}
END_TEST

/* What a resolver was asked, and what it answers. */
struct answer {
  struct vdisk_storage storage;
  int returns;
  unsigned asked;
  char from[100], role[40], name[100];
};

static int
resolve (void *opaque, const struct vdisk_reference *reference,
         struct vdisk_storage *storage)
{
  struct answer *answer = opaque;

  ck_assert_int_eq (storage->fd, -1);
  ck_assert (!storage->callbacks && !storage->opaque && !storage->name);
  answer->asked++;
  snprintf (answer->from, sizeof answer->from, "%s", reference->from);
  snprintf (answer->role, sizeof answer->role, "%s", reference->role);
  snprintf (answer->name, sizeof answer->name, "%s", reference->name);
  *storage = answer->storage;
  return answer->returns;
}

static struct vdisk *
open_child (struct answer *answer, struct storage *storage,
            struct vdisk_error *error)
{
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk *vdisk;

  *storage = (struct storage) {
    .bytes = child.bytes, .size = child.size, .most = SIZE_MAX,
  };
  vdisk_options_set_resolver (options, resolve, answer);
  vdisk = vdisk_open_callbacks (&storage_callbacks, storage, "child",
                                options, error);
  vdisk_options_free (options);
  return vdisk;
}

START_TEST (resolver_gives_callbacks)
{
  struct storage storage, base = {
    .bytes = base_bytes, .size = DISK, .most = SIZE_MAX,
  };
  char name[] = "the base";
  struct answer answer = {
    .storage = { .fd = -1, .callbacks = &storage_callbacks, .opaque = &base,
                 .name = _i == 0 ? name : NULL },
  };
  struct vdisk_error error;
  struct vdisk *vdisk = open_child (&answer, &storage, &error);
  char *text;

  ck_assert_msg (vdisk != NULL, "%s", error.message);
  name[0] = 'x';
  ck_assert_uint_eq (answer.asked, 1);
  ck_assert_str_eq (answer.from, "child");
  ck_assert_str_eq (answer.role, "backing file");
  ck_assert_str_eq (answer.name, "base.raw");
  check_disk (vdisk);
  ck_assert_str_eq (vdisk_layer_file (vdisk, 1),
                    _i == 0 ? "the base" : "base.raw");
  text = vdisk_describe (vdisk, 0, NULL);
  ck_assert_ptr_nonnull (strstr (text, "\"name\": \"base.raw\""));
  ck_assert_ptr_null (strstr (text, "\"path\""));
  ck_assert_ptr_null (strstr (text, "\"error\""));
  free (text);
  vdisk_close (vdisk);
  ck_assert_uint_eq (answer.asked, 1);
  ck_assert_uint_eq (storage.closes, 1);
  ck_assert_uint_eq (base.closes, 1);
}
END_TEST

/* A resolver is asked for the references of a file too, in place of the
 * directory. */
START_TEST (resolver_gives_descriptor)
{
  const int fd = open_scratch ("elsewhere", base_bytes, DISK, O_RDONLY);
  struct answer answer = { .storage = { .fd = fd } };
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk_error error;
  struct vdisk *vdisk;

  vdisk_options_set_resolver (options, resolve, &answer);
  vdisk = vdisk_open (scratch_write ("child", child.bytes, child.size),
                      options, &error);
  ck_assert_msg (vdisk != NULL, "%s", error.message);
  check_disk (vdisk);
  ck_assert_str_eq (answer.from, scratch_path ("child"));
  vdisk_close (vdisk);
  ck_assert (!is_open (fd));
  vdisk_options_free (options);
}
END_TEST

/* --inspect asks for none. */
START_TEST (resolver_is_not_asked)
{
  struct answer answer = { .returns = -EACCES };
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk *vdisk;

  vdisk_options_set_resolver (options, resolve, &answer);
  vdisk = vdisk_inspect (scratch_write ("child", child.bytes, child.size),
                         options, NULL);
  ck_assert_ptr_nonnull (vdisk);
  ck_assert_uint_eq (answer.asked, 0);
  vdisk_close (vdisk);
  vdisk_options_free (options);
}
END_TEST

static const struct { int returns, errnum; const char *message; }
refusals[] = {
  { -EACCES, EACCES, "child: backing file 'base.raw': the resolver refuses: "
    "Permission denied" },
  { -1, EPERM, "child: backing file 'base.raw': the resolver refuses: "
    "Operation not permitted" },
  { 1, EIO, "child: backing file 'base.raw': the resolver refuses: "
    "Input/output error" },
  { 0, EINVAL, "child: backing file 'base.raw': the resolver gives neither a "
    "descriptor nor callbacks" },
};

START_TEST (resolver_refuses)
{
  struct answer answer = {
    .storage = { .fd = -1 }, .returns = refusals[_i].returns,
  };
  struct storage storage;
  struct vdisk_error error;

  ck_assert_ptr_null (open_child (&answer, &storage, &error));
  ck_assert_int_eq (error.errnum, refusals[_i].errnum);
  ck_assert_str_eq (error.message, refusals[_i].message);
  ck_assert_uint_eq (storage.closes, 1);
}
END_TEST

/* Both at once: what was handed over is closed. */
START_TEST (resolver_gives_both)
{
  const int fd = open_scratch ("base.raw", base_bytes, DISK, O_RDONLY);
  struct storage storage, base = { .bytes = base_bytes, .size = DISK };
  struct answer answer = {
    .storage = { .fd = fd, .callbacks = &storage_callbacks,
                 .opaque = &base },
  };
  struct vdisk_error error;

  ck_assert_ptr_null (open_child (&answer, &storage, &error));
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_str_eq (error.message, "child: backing file 'base.raw': the "
                    "resolver gives a descriptor and callbacks");
  ck_assert (!is_open (fd));
  ck_assert_uint_eq (base.closes, 1);
}
END_TEST

static int
resolve_to_itself (void *opaque, const struct vdisk_reference *reference,
                   struct vdisk_storage *storage)
{
  (void) reference;
  storage->callbacks = &storage_callbacks;
  storage->opaque = opaque;
  return 0;
}

/* An image that goes on for ever. */
START_TEST (resolver_loops)
{
  struct vdisk_options *options = vdisk_options_new ();
  struct storage storage = { .most = SIZE_MAX };
  struct qcow2_image image;
  struct vdisk_error error;

  qcow2_image_init (&image, 3, 16, DISK, 0);
  qcow2_image_set_backing (&image, "itself");
  storage.bytes = image.bytes;
  storage.size = image.size;
  vdisk_options_set_resolver (options, resolve_to_itself, &storage);
  ck_assert_ptr_null (vdisk_open_callbacks (&storage_callbacks, &storage,
                                            "image", options, &error));
  ck_assert_int_eq (error.errnum, ELOOP);
  ck_assert_str_eq (error.message, "itself: backing file: the chain has more "
                    "than 256 layers");
  ck_assert_uint_eq (storage.closes, 256);
  vdisk_options_free (options);
  qcow2_image_free (&image);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("open");
  TCase *tcase = tcase_create ("open");

  tcase_add_unchecked_fixture (tcase, make_images, remove_images);
  tcase_add_test (tcase, fd_with_path);
  tcase_add_loop_test (tcase, fd_with_name, 0, 3);
  tcase_add_test (tcase, fd_with_absolute_reference);
  tcase_add_test (tcase, fd_of_memory);
  tcase_add_loop_test (tcase, fd_of_no_file, 0, 4);
  tcase_add_test (tcase, fd_is_none);
  tcase_add_loop_test (tcase, callbacks_work, 0, 2);
  tcase_add_test (tcase, callbacks_of_the_first_version);
  tcase_add_loop_test (tcase, callbacks_of_a_later_version, 0, 2);
  tcase_add_loop_test (tcase, callbacks_are_wrong, 0, 3);
  tcase_add_loop_test (tcase, size_fails, 0,
                       sizeof sizes / sizeof sizes[0]);
  tcase_add_test (tcase, size_lies);
  tcase_add_loop_test (tcase, pread_is_faulty, 0,
                       sizeof reads / sizeof reads[0]);
  tcase_add_loop_test (tcase, extent_is_faulty, 0,
                       sizeof extents / sizeof extents[0]);
  tcase_add_loop_test (tcase, any_read_is_faulty, 0,
                       sizeof reads / sizeof reads[0]);
  tcase_add_test (tcase, callbacks_of_threads);
  tcase_add_test (tcase, callbacks_without_resolver);
  tcase_add_loop_test (tcase, resolver_gives_callbacks, 0, 2);
  tcase_add_test (tcase, resolver_gives_descriptor);
  tcase_add_test (tcase, resolver_is_not_asked);
  tcase_add_loop_test (tcase, resolver_refuses, 0,
                       sizeof refusals / sizeof refusals[0]);
  tcase_add_test (tcase, resolver_gives_both);
  tcase_add_test (tcase, resolver_loops);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
