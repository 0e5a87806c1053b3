/* SPDX-License-Identifier: BSD-3-Clause */
/* Sources: what they all do alike (bounds, extents, prefetching), bytes in
 * memory, and files: their holes against what lseek says, what is refused,
 * and files that change while they are open.
 */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "random.h"
#include "scratch.h"
#include "source/file.h"
#include "source/memory.h"
#include "support.h"

/* --- All sources ----------------------------------------------------- */

static const char digits[] = "0123456789";

static struct source *
ten_digits (void)
{
  struct source *source = source_memory ("ten", digits, 10);

  ck_assert_ptr_nonnull (source);
  ck_assert_uint_eq (source->size, 10);
  ck_assert_str_eq (source->name, "ten");
  return source;
}

START_TEST (read_within)
{
  struct source *source = ten_digits ();
  struct vdisk_error error = { 0 };
  unsigned offset, count;

  for (offset = 0; offset <= 10; ++offset)
    for (count = 0; count <= 10 - offset; ++count) {
      char buffer[12];

      memset (buffer, '?', sizeof buffer);
      ck_assert_int_eq (source_pread (source, buffer, count, offset,
                                      &error), 0);
      ck_assert (memcmp (buffer, digits + offset, count) == 0);
      ck_assert_int_eq (buffer[count], '?');
    }
  ck_assert_int_eq (error.errnum, 0);
  source_close (source);
}
END_TEST

static const struct {
  uint64_t offset;
  size_t count;
  const char *message;
} outside[] = {
#define MESSAGE(count, offset) "ten: " count " bytes at offset " offset \
  " reach beyond the end of the file (10 bytes)"
  { 0, 11, MESSAGE ("11", "0") },
  { 9, 2, MESSAGE ("2", "9") },
  { 10, 1, MESSAGE ("1", "10") },
  { 11, 0, MESSAGE ("0", "11") },
  { UINT64_MAX, 0, MESSAGE ("0", "18446744073709551615") },
  { UINT64_MAX, 1, MESSAGE ("1", "18446744073709551615") },
  { UINT64_MAX - 3, 10, MESSAGE ("10", "18446744073709551612") },
  { UINT64_MAX - 3, 4, MESSAGE ("4", "18446744073709551612") },
  { UINT64_C (1) << 63, 5, MESSAGE ("5", "9223372036854775808") },
#if SIZE_MAX == UINT64_MAX
  { 0, SIZE_MAX, MESSAGE ("18446744073709551615", "0") },
  { 1, SIZE_MAX, MESSAGE ("18446744073709551615", "1") },
  { 5, SIZE_MAX - 3, MESSAGE ("18446744073709551612", "5") },
#endif
#undef MESSAGE
};

START_TEST (read_outside)
{
  struct source *source = ten_digits ();
  struct vdisk_error error = { 0 };
  char buffer[16] = "untouched";

  ck_assert_int_eq (source_pread (source, buffer, outside[_i].count,
                                  outside[_i].offset, &error), -1);
  ck_assert_int_eq (error.errnum, EIO);
  ck_assert_str_eq (error.message, outside[_i].message);
  ck_assert_str_eq (buffer, "untouched");
  ck_assert_int_eq (source_pread (source, buffer, outside[_i].count,
                                  outside[_i].offset, NULL), -1);
  source_close (source);
}
END_TEST

START_TEST (extent_is_data)
{
  struct source *source = ten_digits ();
  struct vdisk_error error = { 0 };
  uint64_t offset, length;
  enum vdisk_kind kind;

  for (offset = 0; offset < 10; ++offset) {
    kind = VDISK_HOLE;
    length = 0;
    ck_assert_int_eq (source_extent (source, offset, &length, &kind,
                                     &error), 0);
    ck_assert_int_eq (kind, VDISK_DATA);
    ck_assert_uint_ge (length, 1);
    ck_assert_uint_le (length, 10 - offset);
  }
  ck_assert_int_eq (source_extent (source, 10, &length, &kind, &error), -1);
  ck_assert_int_eq (error.errnum, EIO);
  ck_assert_str_eq (error.message, "ten: offset 10 is beyond the end of "
                    "the file (10 bytes)");
  ck_assert_int_eq (source_extent (source, UINT64_MAX, &length, &kind,
                                   NULL), -1);
  source_close (source);
}
END_TEST

START_TEST (empty)
{
  struct source *source = source_memory ("empty", NULL, 0);
  struct vdisk_error error = { 0 };
  uint64_t length;
  enum vdisk_kind kind;
  char byte;

  ck_assert_ptr_nonnull (source);
  ck_assert_int_eq (source_pread (source, &byte, 0, 0, &error), 0);
  ck_assert_int_eq (source_pread (source, &byte, 1, 0, &error), -1);
  ck_assert_int_eq (source_extent (source, 0, &length, &kind, NULL), -1);
  source_prefetch (source, 0, 100);
  source_close (source);
}
END_TEST

START_TEST (name_is_copied)
{
  char name[] = "name";
  struct source *source = source_memory (name, digits, 10);

  ck_assert_ptr_nonnull (source);
  name[0] = 'N';
  ck_assert_str_eq (source->name, "name");
  ck_assert (!source_is_same (source, source));
  source_close (source);
  source_close (NULL);
}
END_TEST

/* A source that keeps what it was last asked to prefetch. */
struct recorder {
  struct source source;
  uint64_t offset, count;
  unsigned calls;
};

static int
record_prefetch (struct source *source, uint64_t offset, uint64_t count)
{
  struct recorder *recorder = (struct recorder *) source;

  recorder->calls++;
  recorder->offset = offset;
  recorder->count = count;
  return 0;
}

static const struct {
  uint64_t offset, count;
  unsigned calls;
  uint64_t clipped;
} prefetches[] = {
  { 0, 10, 1, 10 },
  { 3, 4, 1, 4 },
  { 0, 11, 1, 10 },
  { 9, 2, 1, 1 },
  { 3, UINT64_MAX, 1, 7 },
  { 3, UINT64_MAX - 2, 1, 7 },
  { 10, 1, 0, 0 },
  { 11, 1, 0, 0 },
  { UINT64_MAX, UINT64_MAX, 0, 0 },
  { UINT64_MAX, 1, 0, 0 },
};

START_TEST (prefetch)
{
  static const struct source_ops ops = { .prefetch = record_prefetch };
  char name[] = "recorder";
  struct recorder recorder = {
    .source = { .ops = &ops, .name = name, .size = 10 },
  };

  source_prefetch (&recorder.source, prefetches[_i].offset,
                   prefetches[_i].count);
  ck_assert_uint_eq (recorder.calls, prefetches[_i].calls);
  if (recorder.calls > 0) {
    ck_assert_uint_eq (recorder.offset, prefetches[_i].offset);
    ck_assert_uint_eq (recorder.count, prefetches[_i].clipped);
  }
}
END_TEST

static const struct {
  uint64_t device_a, inode_a, device_b, inode_b;
  bool same;
} identities[] = {
  { 1, 2, 1, 2, true },
  { 1, 2, 1, 3, false },
  { 1, 2, 2, 2, false },
  { 1, 0, 1, 0, true },
  { 0, 1, 0, 1, true },
  { 0, 0, 0, 0, false },
  { 0, 0, 1, 2, false },
};

START_TEST (identity)
{
  const struct source a = {
    .device = identities[_i].device_a, .inode = identities[_i].inode_a,
  };
  const struct source b = {
    .device = identities[_i].device_b, .inode = identities[_i].inode_b,
  };

  ck_assert_int_eq (source_is_same (&a, &b), identities[_i].same);
  ck_assert_int_eq (source_is_same (&b, &a), identities[_i].same);
}
END_TEST

/* --- Files ----------------------------------------------------------- */

static struct source *
open_file (const char *path)
{
  struct vdisk_error error = { 0 };
  struct source *source = source_file_open (path, false, &error);

  ck_assert_msg (source != NULL, "%s", error.message);
  ck_assert_int_eq (error.errnum, 0);
  return source;
}

START_TEST (file_read)
{
  const char *path = scratch_write ("digits", digits, 10);
  struct source *source = open_file (path);
  struct vdisk_error error = { 0 };
  char buffer[11] = "";

  ck_assert_str_eq (source->name, path);
  ck_assert_uint_eq (source->size, 10);
  ck_assert_int_eq (source_pread (source, buffer, 10, 0, &error), 0);
  ck_assert_str_eq (buffer, digits);
  ck_assert_int_eq (source_pread (source, buffer, 3, 7, &error), 0);
  ck_assert_str_eq (buffer, "7893456789");
  ck_assert_int_eq (source_pread (source, buffer, 4, 7, &error), -1);
  ck_assert_int_eq (error.errnum, EIO);
  ck_assert_int_eq (source_pread (source, buffer, 1, UINT64_MAX, NULL), -1);
  source_prefetch (source, 0, UINT64_MAX);
  source_close (source);
}
END_TEST

START_TEST (file_empty)
{
  struct source *source = open_file (scratch_write ("empty", "", 0));
  uint64_t length;
  enum vdisk_kind kind;

  ck_assert_uint_eq (source->size, 0);
  ck_assert_int_eq (source_pread (source, NULL, 0, 0, NULL), 0);
  ck_assert_int_eq (source_extent (source, 0, &length, &kind, NULL), -1);
  source_close (source);
}
END_TEST

/* The descriptor is the source's, and the name a copy. */
START_TEST (file_ownership)
{
  char name[] = "a name";
  int fd = open (scratch_write ("owned", digits, 10), O_RDONLY | O_CLOEXEC);
  struct source *source;

  ck_assert_int_ge (fd, 0);
  source = source_file (name, fd, false, NULL);
  ck_assert_ptr_nonnull (source);
  name[0] = 'A';
  ck_assert_str_eq (source->name, "a name");
  ck_assert_int_ne (fcntl (fd, F_GETFD), -1);
  source_close (source);
  ck_assert_int_eq (fcntl (fd, F_GETFD), -1);

  fd = open (scratch_directory (), O_RDONLY | O_CLOEXEC);
  ck_assert_int_ge (fd, 0);
  ck_assert_ptr_null (source_file (name, fd, false, NULL));
  ck_assert_int_eq (fcntl (fd, F_GETFD), -1);
}
END_TEST

static void
check_refused (const char *path, int errnum, const char *text)
{
  struct vdisk_error error = { 0 };
  char message[PATH_MAX];

  ck_assert_ptr_null (source_file_open (path, false, &error));
  ck_assert_int_eq (error.errnum, errnum);
  snprintf (message, sizeof message, "%s: %s", path, text);
  ck_assert_str_eq (error.message, message);
  ck_assert_ptr_null (source_file_open (path, true, NULL));
}

#define NO_FILE "this is neither a regular file nor a block device"

START_TEST (file_refused)
{
  check_refused (scratch_directory (), EISDIR, "this is a directory");
  check_refused (scratch_path ("missing"), ENOENT,
                 "No such file or directory");
  ck_assert_int_eq (symlink ("missing", scratch_path ("dangling")), 0);
  check_refused (scratch_path ("dangling"), ENOENT,
                 "No such file or directory");
  ck_assert_int_eq (symlink ("loop", scratch_path ("loop")), 0);
  check_refused (scratch_path ("loop"), ELOOP,
                 "Too many levels of symbolic links");
  scratch_write ("file", digits, 10);
  check_refused (scratch_path ("file/below"), ENOTDIR, "Not a directory");
  check_refused ("/dev/null", EINVAL, NO_FILE);
  check_refused ("/dev/zero", EINVAL, NO_FILE);
  ck_assert_int_eq (mkfifo (scratch_path ("fifo"), 0600), 0);
  check_refused (scratch_path ("fifo"), EINVAL, NO_FILE);
}
END_TEST

START_TEST (file_identity)
{
  static const char *const same[] = { "one", "hard", "soft", "./one" };
  struct source *one = open_file (scratch_write ("one", digits, 10));
  struct source *two = open_file (scratch_write ("two", digits, 10));
  struct source *memory = source_memory (one->name, digits, 10);
  size_t i;

  ck_assert_int_eq (link (scratch_path ("one"), scratch_path ("hard")), 0);
  ck_assert_int_eq (symlink ("hard", scratch_path ("soft")), 0);
  for (i = 0; i < sizeof same / sizeof same[0]; ++i) {
    struct source *source = open_file (scratch_path (same[i]));

    ck_assert (source_is_same (one, source));
    ck_assert (source_is_same (source, one));
    ck_assert (!source_is_same (source, two));
    source_close (source);
  }
  ck_assert (!source_is_same (one, memory));
  ck_assert (!source_is_same (memory, one));
  source_close (one);
  source_close (two);
  source_close (memory);
}
END_TEST

/* --- Files that become shorter --------------------------------------- */

static void
check_shorter (struct source *source, size_t count, uint64_t offset,
               uint64_t ends, uint64_t had)
{
  struct vdisk_error error = { 0 };
  char message[2 * PATH_MAX], *buffer = malloc (count);

  ck_assert_ptr_nonnull (buffer);
  ck_assert_int_eq (source_pread (source, buffer, count, offset, &error),
                    -1);
  free (buffer);
  ck_assert_int_eq (error.errnum, EIO);
  snprintf (message, sizeof message, "%s: the file ends at offset %" PRIu64
            " now, it had %" PRIu64 " bytes when it was opened",
            source->name, ends, had);
  ck_assert_str_eq (error.message, message);
}

START_TEST (file_becomes_shorter)
{
  static const char bytes[100000];
  const char *path = scratch_write ("shrinks", bytes, sizeof bytes);
  struct source *source = open_file (path);
  char byte;

  ck_assert_int_eq (truncate (path, 5000), 0);
  check_shorter (source, 1, 5000, 5000, sizeof bytes);
  check_shorter (source, 2, 4999, 5000, sizeof bytes);
  check_shorter (source, 100000, 0, 5000, sizeof bytes);
  check_shorter (source, 1000, 99000, 99000, sizeof bytes);
  ck_assert_int_eq (source_pread (source, &byte, 1, 4999, NULL), 0);
  ck_assert_int_eq (truncate (path, 0), 0);
  check_shorter (source, 1, 0, 0, sizeof bytes);
  source_close (source);
}
END_TEST

/* Where the file was data and is no more, it has no hole: that would be
 * zeros in place of data. */
START_TEST (sparse_file_becomes_shorter)
{
  static const char bytes[65536];
  const char *path = scratch_write ("sparse-shrinks", bytes, sizeof bytes);
  struct source *source;
  uint64_t offset;

  ck_assert_int_eq (truncate (path, 1 << 20), 0);
  source = open_file (path);
  if (source->sparse) {
    ck_assert_int_eq (truncate (path, 10000), 0);
    for (offset = 12288; offset < sizeof bytes; offset += 4096) {
      struct vdisk_error error = { 0 };
      uint64_t length;
      enum vdisk_kind kind;

      if (source_extent (source, offset, &length, &kind, &error) == 0)
        ck_assert_msg (kind == VDISK_DATA, "offset %" PRIu64, offset);
      else
        ck_assert_int_eq (error.errnum, EIO);
    }
  }
  source_close (source);
}
END_TEST

/* --- Sparse files ---------------------------------------------------- */

#define BLOCK 4096

/* A sparse file: the source, and a descriptor to ask for the truth. */
struct sparse {
  struct source *source;
  int fd;
};

/* Make a file of 'size' bytes in which the blocks have data for which
 * 'has_data' says so. */
static const char *
write_sparse (const char *name, uint64_t size,
              bool (*has_data) (uint64_t block))
{
  const char *path = scratch_path (name);
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  uint64_t block;
  char bytes[BLOCK];

  ck_assert_int_ge (fd, 0);
  ck_assert_int_eq (ftruncate (fd, size), 0);
  memset (bytes, 'd', sizeof bytes);
  for (block = 0; block < size / BLOCK; ++block)
    if (has_data (block) &&
        pwrite (fd, bytes, sizeof bytes, block * BLOCK) != BLOCK)
      ck_abort_msg ("%s cannot be written", path);
  ck_assert_int_eq (close (fd), 0);
  return path;
}

static struct sparse
open_sparse (const char *path)
{
  struct sparse sparse = {
    .source = open_file (path), .fd = open (path, O_RDONLY | O_CLOEXEC),
  };

  ck_assert_int_ge (sparse.fd, 0);
  return sparse;
}

static void
close_sparse (const struct sparse *sparse)
{
  source_close (sparse->source);
  close (sparse->fd);
}

/* True if what the source says of an offset is what lseek says.  Where
 * 'sparse' is false the source takes it all for data. */
static bool
extent_is_true (const struct sparse *sparse, uint64_t offset)
{
  const uint64_t size = sparse->source->size;
  off_t data, end;
  uint64_t length;
  enum vdisk_kind kind;

  if (source_extent (sparse->source, offset, &length, &kind, NULL) == -1)
    return false;
  if (length == 0 || length > size - offset)
    return false;
  if (!sparse->source->sparse)
    return kind == VDISK_DATA;
  data = lseek (sparse->fd, offset, SEEK_DATA);
  if ((kind == VDISK_HOLE) != (data == -1 || (uint64_t) data > offset))
    return false;
  end = kind == VDISK_HOLE ? data : lseek (sparse->fd, offset, SEEK_HOLE);
  return offset + length <= (end == -1 ? size : (uint64_t) end);
}

static void
check_extents (const struct sparse *sparse, uint64_t step)
{
  uint64_t offset;

  for (offset = 0; offset < sparse->source->size; offset += step)
    if (!extent_is_true (sparse, offset))
      ck_abort_msg ("offset %" PRIu64, offset);
}

/* Walk from extent to extent, and count them. */
static unsigned
walk_extents (const struct sparse *sparse)
{
  uint64_t offset, length;
  unsigned count = 0;
  enum vdisk_kind kind;

  for (offset = 0; offset < sparse->source->size; offset += length) {
    if (!extent_is_true (sparse, offset))
      ck_abort_msg ("offset %" PRIu64, offset);
    if (source_extent (sparse->source, offset, &length, &kind, NULL) == -1)
      ck_abort_msg ("offset %" PRIu64, offset);
    count++;
  }
  return count;
}

static bool all_data (uint64_t block) { (void) block; return true; }
static bool no_data (uint64_t block) { (void) block; return false; }
static bool first_data (uint64_t block) { return block == 0; }
static bool last_data (uint64_t block) { return block == 63; }
static bool middle_data (uint64_t block) { return block >= 20 && block < 30; }
static bool middle_hole (uint64_t block) { return !middle_data (block); }
static bool every_other (uint64_t block) { return block % 2 == 0; }
static bool irregular (uint64_t block) { return block * block % 7 < 3; }

static const struct {
  uint64_t size;
  bool (*has_data) (uint64_t block);
} layouts[] = {
  { 64 * BLOCK, all_data },
  { 64 * BLOCK, no_data },
  { 64 * BLOCK, first_data },
  { 64 * BLOCK, last_data },
  { 64 * BLOCK, middle_data },
  { 64 * BLOCK, middle_hole },
  { 64 * BLOCK, every_other },
  { 64 * BLOCK, irregular },
  { 64 * BLOCK + 1, last_data },
  { 64 * BLOCK + 100, every_other },
  { 63 * BLOCK + 4095, irregular },
  { 1, no_data },
};

START_TEST (sparse_layout)
{
  char name[32];
  struct sparse sparse;

  snprintf (name, sizeof name, "layout-%d", _i);
  sparse = open_sparse (write_sparse (name, layouts[_i].size,
                                      layouts[_i].has_data));
  ck_assert_uint_eq (sparse.source->size, layouts[_i].size);
  check_extents (&sparse, 512);
  check_extents (&sparse, 4095);
  walk_extents (&sparse);
  close_sparse (&sparse);

  sparse = open_sparse (scratch_path (name));
  walk_extents (&sparse);
  close_sparse (&sparse);
}
END_TEST

/* Where the file system says that there are holes, they are found. */
START_TEST (sparse_is_found)
{
  struct sparse sparse = open_sparse (write_sparse ("found", 1 << 20,
                                                    middle_data));
  off_t hole = lseek (sparse.fd, 0, SEEK_HOLE);

  ck_assert_int_eq (sparse.source->sparse, hole == 0);
  close_sparse (&sparse);
  sparse = open_sparse (write_sparse ("full", 1 << 20, all_data));
  ck_assert (!sparse.source->sparse);
  close_sparse (&sparse);
}
END_TEST

/* Huge, and all but empty. */
START_TEST (sparse_huge)
{
  const char *path = scratch_path ("huge");
  int fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  struct sparse sparse;

  ck_assert_int_ge (fd, 0);
  if (ftruncate (fd, INT64_C (1) << 43) == 0) {
    ck_assert_int_eq (pwrite (fd, "d", 1, INT64_C (1) << 42), 1);
    sparse = open_sparse (path);
    ck_assert_uint_le (walk_extents (&sparse), 10);
    close_sparse (&sparse);
    unlink (path);
  }
  close (fd);
}
END_TEST

/* Space that is reserved, and space that is given back. */
START_TEST (sparse_fallocate)
{
  const char *path = write_sparse ("fallocate", 64 * BLOCK, all_data);
  int fd = open (path, O_RDWR | O_CLOEXEC);
  struct sparse sparse;

  ck_assert_int_ge (fd, 0);
  if (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                 10 * BLOCK, 20 * BLOCK) == 0 &&
      fallocate (fd, 0, 15 * BLOCK, 5 * BLOCK) == 0) {
    sparse = open_sparse (path);
    check_extents (&sparse, BLOCK);
    close_sparse (&sparse);
    sparse = open_sparse (path);
    walk_extents (&sparse);
    close_sparse (&sparse);
  }
  close (fd);
}
END_TEST

/* A file of more extents than a source remembers, shared by the tests of
 * one kind each. */
#define MANY 3000

static const char *
many_extents (void)
{
  const char *path = scratch_path ("many");

  if (access (path, F_OK) == 0)
    return path;
  return write_sparse ("many", MANY * BLOCK, every_other);
}

START_TEST (many_forward)
{
  struct sparse sparse = open_sparse (many_extents ());
  off_t hole = lseek (sparse.fd, 0, SEEK_HOLE);

  check_extents (&sparse, BLOCK);
  check_extents (&sparse, BLOCK - 1);
  if (hole == BLOCK)
    ck_assert_uint_eq (walk_extents (&sparse), MANY);
  close_sparse (&sparse);
}
END_TEST

START_TEST (many_backward)
{
  struct sparse sparse = open_sparse (many_extents ());
  uint64_t offset;

  for (offset = sparse.source->size; offset > 0; offset -= BLOCK / 2)
    if (!extent_is_true (&sparse, offset - 1))
      ck_abort_msg ("offset %" PRIu64, offset - 1);
  close_sparse (&sparse);
}
END_TEST

START_TEST (many_random)
{
  struct sparse sparse = open_sparse (many_extents ());
  struct random random = { .state = _i };
  unsigned i;

  for (i = 0; i < 10000; ++i) {
    uint64_t offset = random_below (&random, sparse.source->size);

    if (!extent_is_true (&sparse, offset))
      ck_abort_msg ("offset %" PRIu64, offset);
  }
  close_sparse (&sparse);
}
END_TEST

/* One of some threads that ask the same source at random. */
struct asker {
  pthread_t thread;
  struct sparse sparse;
  uint64_t seed;
  unsigned wrong;
};

static void *
ask (void *opaque)
{
  struct asker *asker = opaque;
  struct random random = { .state = asker->seed };
  unsigned i;

  for (i = 0; i < 5000; ++i) {
    /* Half of the time near each other. */
    uint64_t offset = i % 2 ? random_below (&random, 100 * BLOCK)
                            : random_below (&random,
                                            asker->sparse.source->size);

    asker->wrong += !extent_is_true (&asker->sparse, offset);
  }
  return NULL;
}

START_TEST (many_threads)
{
  struct sparse sparse = open_sparse (many_extents ());
  struct asker askers[4];
  size_t i;

  for (i = 0; i < 4; ++i) {
    askers[i] = (struct asker) { .sparse = sparse, .seed = i };
    /* lseek moves the offset of the descriptor. */
    askers[i].sparse.fd = open (scratch_path ("many"),
                                O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge (askers[i].sparse.fd, 0);
  }
  for (i = 0; i < 4; ++i)
    ck_assert_int_eq (pthread_create (&askers[i].thread, NULL, ask,
                                      &askers[i]), 0);
  for (i = 0; i < 4; ++i)
    pthread_join (askers[i].thread, NULL);
  for (i = 0; i < 4; ++i) {
    ck_assert_uint_eq (askers[i].wrong, 0);
    close (askers[i].sparse.fd);
  }
  close_sparse (&sparse);
}
END_TEST

#define COUNT(array) ((int) (sizeof (array) / sizeof (array)[0]))

static TCase *
file_case (const char *name)
{
  TCase *tcase = tcase_create (name);

  tcase_add_unchecked_fixture (tcase, scratch_setup, scratch_teardown);
  tcase_set_timeout (tcase, 60);
  return tcase;
}

int
main (void)
{
  Suite *suite = suite_create ("source");
  TCase *tcase = tcase_create ("memory");

  tcase_add_test (tcase, read_within);
  tcase_add_loop_test (tcase, read_outside, 0, COUNT (outside));
  tcase_add_test (tcase, extent_is_data);
  tcase_add_test (tcase, empty);
  tcase_add_test (tcase, name_is_copied);
  tcase_add_loop_test (tcase, prefetch, 0, COUNT (prefetches));
  tcase_add_loop_test (tcase, identity, 0, COUNT (identities));
  suite_add_tcase (suite, tcase);

  tcase = file_case ("file");
  tcase_add_test (tcase, file_read);
  tcase_add_test (tcase, file_empty);
  tcase_add_test (tcase, file_ownership);
  tcase_add_test (tcase, file_refused);
  tcase_add_test (tcase, file_identity);
  tcase_add_test (tcase, file_becomes_shorter);
  tcase_add_test (tcase, sparse_file_becomes_shorter);
  suite_add_tcase (suite, tcase);

  tcase = file_case ("sparse");
  tcase_add_loop_test (tcase, sparse_layout, 0, COUNT (layouts));
  tcase_add_test (tcase, sparse_is_found);
  tcase_add_test (tcase, sparse_huge);
  tcase_add_test (tcase, sparse_fallocate);
  tcase_add_test (tcase, many_forward);
  tcase_add_test (tcase, many_backward);
  tcase_add_loop_test (tcase, many_random, 0, 3);
  tcase_add_test (tcase, many_threads);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
