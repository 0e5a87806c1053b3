/* SPDX-License-Identifier: BSD-3-Clause */
/* The library as its users see it: vdisk.h alone, which needs nothing
 * included before it, and a raw disk in a file.
 */

#include "vdisk.h"

#include "scratch.h"
#include "util/nbd-connection.h"
#include "util/zstd-codec.h"

#include <check.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE 100000

static const char *directory;
static char disk[200];
static unsigned char bytes[SIZE];

static void
write_file (const char *path, const void *from, size_t size)
{
  FILE *file = fopen (path, "w");

  if (file == NULL || fwrite (from, 1, size, file) != size ||
      fclose (file) != 0) {
    perror (path);
    exit (EXIT_FAILURE);
  }
}

static void
make_directory (void)
{
  size_t i;

  scratch_setup ();
  directory = scratch_directory ();
  snprintf (disk, sizeof disk, "%s", scratch_path ("disk"));
  for (i = 0; i < SIZE; ++i)
    bytes[i] = i * 7 + i / 256;
  write_file (disk, bytes, SIZE);
}

static struct vdisk_options *
raw_options (void)
{
  struct vdisk_options *options = vdisk_options_new ();

  ck_assert_ptr_nonnull (options);
  ck_assert_int_eq (vdisk_options_set (options, "format", "raw", NULL), 0);
  return options;
}

static struct vdisk *
open_raw (const char *path)
{
  struct vdisk_options *options = raw_options ();
  struct vdisk_error error;
  struct vdisk *vdisk = vdisk_open (path, options, &error);

  vdisk_options_free (options);
  ck_assert_msg (vdisk != NULL, "%s", error.message);
  ck_assert_int_eq (error.errnum, 0);
  ck_assert_str_eq (error.message, "");
  return vdisk;
}

/* --- The library ----------------------------------------------------- */

START_TEST (version)
{
  unsigned major, minor, patch;
  int n = 0;

  ck_assert_int_eq (sscanf (vdisk_version (), "%u.%u.%u%n", &major, &minor,
                            &patch, &n), 3);
  ck_assert_int_eq (vdisk_version ()[n], '\0');
}
END_TEST

/* True if a list that ends in NULL has a name. */
static int
has_name (const char *const *names, const char *name)
{
  for (; *names; ++names)
    if (strcmp (*names, name) == 0)
      return 1;
  return 0;
}

START_TEST (lists)
{
  ck_assert (has_name (vdisk_formats (), "vhd"));
  ck_assert (has_name (vdisk_formats (), "qcow2"));
  ck_assert (has_name (vdisk_formats (), "qed"));
  ck_assert (has_name (vdisk_formats (), "raw"));
  ck_assert (!has_name (vdisk_formats (), "vmdk"));
  ck_assert (has_name (vdisk_compression_libraries (), "libdeflate"));
  ck_assert (has_name (vdisk_compression_libraries (), "libzstd") ==
             zstd_is_built_in);
  ck_assert_int_eq (vdisk_has_nbd (), nbd_is_built_in);
}
END_TEST

/* Every format in the list is one that the option takes. */
START_TEST (formats_can_be_set)
{
  const char *const *names = vdisk_formats ();
  struct vdisk_options *options = vdisk_options_new ();

  for (; *names; ++names)
    ck_assert_int_eq (vdisk_options_set (options, "format", *names, NULL),
                      0);
  vdisk_options_free (options);
}
END_TEST

/* Programs that are built with this header count on these. */
START_TEST (layouts)
{
  const struct vdisk_check check = VDISK_CHECK_INIT;

  ck_assert_uint_eq (sizeof (struct vdisk_error), 1024);
  ck_assert_uint_eq (offsetof (struct vdisk_error, errnum), 0);
  ck_assert_uint_eq (offsetof (struct vdisk_error, message), 4);

  ck_assert_uint_eq (offsetof (struct vdisk_extent, offset), 0);
  ck_assert_uint_eq (offsetof (struct vdisk_extent, length), 8);
  ck_assert_uint_eq (offsetof (struct vdisk_extent, host_offset), 16);
  ck_assert_uint_eq (offsetof (struct vdisk_extent, kind), 24);
  ck_assert_uint_eq (offsetof (struct vdisk_extent, depth), 28);
  ck_assert_uint_eq (offsetof (struct vdisk_extent, host_hole), 32);
  ck_assert_uint_eq (offsetof (struct vdisk_extent, compression), 36);
  ck_assert_uint_eq (offsetof (struct vdisk_extent, packed_length), 40);

  ck_assert_uint_eq (offsetof (struct vdisk_check, struct_size), 0);
  ck_assert_uint_eq (check.struct_size, sizeof check);
  ck_assert_uint_eq (check.errors, 0);
  ck_assert_uint_eq (check.image_end_offset, 0);
}
END_TEST

/* --- Options --------------------------------------------------------- */

START_TEST (is_uri)
{
  static const char *const uris[] = {
    "nbd://", "nbd://host", "nbd://host:10809/export", "nbds://host/",
    "nbd+unix:///?socket=s", "nbds+unix:///e?socket=s", "nbd+vsock://3",
    "nbds+vsock://3:10809/",
  };
  static const char *const paths[] = {
    "", "disk", "/nbd://host", "./nbd://host", "nbd", "nbd:", "nbd:/",
    "nbd:host:10809", "nbd:unix:s", "nbd+unix:/", "nbdx://host",
    "nbd+ssh://host", "http://host", "file:///disk", "NBD://host",
    " nbd://host", "nbd+unix", "nbdsx://",
  };
  size_t i;

  for (i = 0; i < sizeof uris / sizeof uris[0]; ++i)
    ck_assert_msg (vdisk_is_uri (uris[i]) == 1, "%s", uris[i]);
  for (i = 0; i < sizeof paths / sizeof paths[0]; ++i)
    ck_assert_msg (vdisk_is_uri (paths[i]) == 0, "%s", paths[i]);
}
END_TEST

START_TEST (options)
{
  struct vdisk_options *o = vdisk_options_new ();
  struct vdisk_error error;

  memset (&error, 0xff, sizeof error);
  ck_assert_int_eq (vdisk_options_set (o, "cache-size", "1M", &error), 0);
  ck_assert_int_eq (error.errnum, 0);
  ck_assert_str_eq (error.message, "");
  ck_assert_int_eq (vdisk_options_set (o, "cache-size", "x", &error), -1);
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_int_eq (vdisk_options_set (o, "no-such", "x", &error), -1);
  ck_assert_int_eq (error.errnum, ENOENT);
  ck_assert_int_eq (vdisk_options_set (o, "no-such", "x", NULL), -1);
  ck_assert_int_eq (vdisk_options_set (o, "backing-dir", directory,
                                       &error), 0);
  vdisk_options_free (o);
  vdisk_options_free (NULL);
}
END_TEST

static void
count_warning (void *opaque, const char *message)
{
  ck_assert_uint_gt (strlen (message), 0);
  ++*(unsigned *) opaque;
}

/* One set of options for several images; none of them is odd. */
START_TEST (options_again)
{
  struct vdisk_options *o = raw_options ();
  struct vdisk *one, *two;
  unsigned warnings = 0;
  char byte;

  vdisk_options_set_warning_callback (o, count_warning, &warnings);
  one = vdisk_open (disk, o, NULL);
  two = vdisk_open (disk, o, NULL);
  vdisk_options_free (o);
  ck_assert_ptr_nonnull (one);
  ck_assert_ptr_nonnull (two);
  ck_assert_uint_eq (warnings, 0);
  vdisk_close (one);
  ck_assert_int_eq (vdisk_pread (two, &byte, 1, 0, NULL), 0);
  vdisk_close (two);
}
END_TEST

/* --- Opening --------------------------------------------------------- */

static void
check_not_opened (const char *path, const struct vdisk_options *o,
                  int errnum, const char *message)
{
  struct vdisk_error error;

  memset (&error, 0xff, sizeof error);
  ck_assert_ptr_null (vdisk_open (path, o, &error));
  ck_assert_int_eq (error.errnum, errnum);
  ck_assert_str_eq (error.message, message);
  ck_assert_ptr_null (vdisk_open (path, o, NULL));
}

START_TEST (not_opened)
{
  struct vdisk_options *o = raw_options ();
  char message[300];

  snprintf (message, sizeof message, "%s: No such file or directory",
            scratch_path ("missing"));
  check_not_opened (scratch_path ("missing"), o, ENOENT, message);
  snprintf (message, sizeof message, "%s: this is a directory", directory);
  check_not_opened (directory, o, EISDIR, message);
  ck_assert_int_eq (mkfifo (scratch_path ("fifo"), 0600), 0);
  snprintf (message, sizeof message, "%s: this is neither a regular file "
            "nor a block device", scratch_path ("fifo"));
  check_not_opened (scratch_path ("fifo"), o, EINVAL, message);
  check_not_opened ("/dev/null", o, EINVAL, "/dev/null: this is neither a "
                    "regular file nor a block device");
  check_not_opened ("", o, ENOENT, ": No such file or directory");

  /* A raw disk is never guessed. */
  snprintf (message, sizeof message, "%s: not recognized as VHD, QCOW2 or "
            "QED (raw is never guessed: format=raw opens it as it is)", disk);
  check_not_opened (disk, NULL, EINVAL, message);
  vdisk_options_free (o);
}
END_TEST

START_TEST (odd_name)
{
  char path[200], message[300];

  snprintf (path, sizeof path, "%s", scratch_path ("new\nline"));
  write_file (path, bytes, 10);
  snprintf (message, sizeof message, "%s/new\\x0aline: not recognized as "
            "VHD, QCOW2 or QED (raw is never guessed: format=raw opens it as "
            "it is)", directory);
  check_not_opened (path, NULL, EINVAL, message);
}
END_TEST

START_TEST (opened)
{
  struct vdisk *vdisk = open_raw (disk);

  ck_assert_uint_eq (vdisk_size (vdisk), SIZE);
  ck_assert_uint_ge (vdisk_cluster_size (vdisk), 512);
  ck_assert_uint_eq (vdisk_cluster_size (vdisk) &
                     (vdisk_cluster_size (vdisk) - 1), 0);
  ck_assert_uint_gt (vdisk_preferred_block_size (vdisk), 0);
  ck_assert_uint_eq (vdisk_preferred_block_size (vdisk) &
                     (vdisk_preferred_block_size (vdisk) - 1), 0);
  ck_assert_uint_eq (vdisk_layers (vdisk), 1);
  ck_assert_str_eq (vdisk_layer_format (vdisk, 0), "raw");
  ck_assert_str_eq (vdisk_layer_file (vdisk, 0), disk);
  ck_assert_str_eq (vdisk_layer_data_file (vdisk, 0), disk);
  ck_assert_ptr_null (vdisk_layer_format (vdisk, 1));
  ck_assert_ptr_null (vdisk_layer_file (vdisk, 1));
  ck_assert_ptr_null (vdisk_layer_data_file (vdisk, UINT_MAX));
  ck_assert_int_eq (vdisk_layer_descriptor (vdisk, 1), -1);
  ck_assert_int_eq (vdisk_layer_data_descriptor (vdisk, 1), -1);
  vdisk_close (vdisk);
  vdisk_close (NULL);
}
END_TEST

static void
check_descriptor (int fd)
{
  struct stat st, named;

  ck_assert_int_eq (fstat (fd, &st), 0);
  ck_assert_int_eq (stat (disk, &named), 0);
  ck_assert_uint_eq (st.st_ino, named.st_ino);
  ck_assert_uint_eq (st.st_dev, named.st_dev);
  ck_assert_int_eq (fcntl (fd, F_GETFL) & O_ACCMODE, O_RDONLY);
}

/* The descriptors are those of the file, for reading. */
START_TEST (descriptor)
{
  struct vdisk *vdisk = open_raw (disk);

  check_descriptor (vdisk_layer_descriptor (vdisk, 0));
  check_descriptor (vdisk_layer_data_descriptor (vdisk, 0));
  vdisk_close (vdisk);
}
END_TEST

/* --- Reading --------------------------------------------------------- */

START_TEST (reads)
{
  struct vdisk *vdisk = open_raw (disk);
  struct vdisk_error error;
  unsigned char buffer[SIZE];
  unsigned offset;

  memset (&error, 0xff, sizeof error);
  ck_assert_int_eq (vdisk_pread (vdisk, buffer, SIZE, 0, &error), 0);
  ck_assert_int_eq (error.errnum, 0);
  ck_assert_str_eq (error.message, "");
  ck_assert (memcmp (buffer, bytes, SIZE) == 0);
  for (offset = 0; offset < SIZE; offset += 997) {
    unsigned count = SIZE - offset < 1234 ? SIZE - offset : 1234;

    ck_assert_int_eq (vdisk_pread (vdisk, buffer, count, offset, NULL), 0);
    ck_assert (memcmp (buffer, bytes + offset, count) == 0);
  }
  ck_assert_int_eq (vdisk_pread (vdisk, NULL, 0, SIZE, &error), 0);
  ck_assert_int_eq (vdisk_pread (vdisk, buffer, 2, SIZE - 1, &error), -1);
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_str_eq (error.message, "2 bytes at offset 99999 reach beyond "
                    "the end of the disk (100000 bytes)");
  ck_assert_int_eq (vdisk_pread (vdisk, buffer, 1, UINT64_MAX, NULL), -1);
  vdisk_close (vdisk);
}
END_TEST

START_TEST (prefetches)
{
  struct vdisk *vdisk = open_raw (disk);
  struct vdisk_error error;

  ck_assert_int_eq (vdisk_prefetch (vdisk, 0, SIZE, &error), 0);
  ck_assert_int_eq (vdisk_prefetch (vdisk, SIZE, 0, NULL), 0);
  ck_assert_int_eq (vdisk_prefetch (vdisk, 0, SIZE + 1, &error), -1);
  ck_assert_int_eq (error.errnum, EINVAL);
  vdisk_close (vdisk);
}
END_TEST

/* --- Extents --------------------------------------------------------- */

#define DATA_AT (40 * 4096)
#define SPARSE_SIZE (1 << 20)

/* A file that is a hole but for a little data in it. */
static const char *
make_sparse (void)
{
  const char *path = scratch_path ("sparse");
  int fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  ck_assert_int_ge (fd, 0);
  ck_assert_int_eq (ftruncate (fd, SPARSE_SIZE), 0);
  ck_assert_int_eq (pwrite (fd, bytes, 8192, DATA_AT), 8192);
  ck_assert_int_eq (close (fd), 0);
  return path;
}

struct walk {
  struct vdisk *vdisk;
  uint64_t next, data, holes;
  unsigned calls, stop_at, wrong;
};

static int
step (void *opaque, const struct vdisk_extent *extent)
{
  struct walk *walk = opaque;

  walk->wrong += extent->offset != walk->next || extent->length == 0 ||
    extent->depth != 0;
  walk->next = extent->offset + extent->length;
  if (extent->kind == VDISK_DATA) {
    walk->data += extent->length;
    walk->wrong += extent->host_offset != extent->offset;
  }
  else if (extent->kind == VDISK_HOLE)
    walk->holes += extent->length;
  else
    walk->wrong++;
  return ++walk->calls == walk->stop_at;
}

START_TEST (extents)
{
  struct vdisk *vdisk = open_raw (make_sparse ());
  struct walk walk = { .calls = 0 };
  unsigned char buffer[8192 + 2];
  struct vdisk_error error;

  ck_assert_int_eq (vdisk_extents (vdisk, 0, SPARSE_SIZE, step, &walk,
                                   &error), 0);
  ck_assert_int_eq (error.errnum, 0);
  ck_assert_uint_eq (walk.wrong, 0);
  ck_assert_uint_eq (walk.next, SPARSE_SIZE);
  ck_assert_uint_eq (walk.data + walk.holes, SPARSE_SIZE);
  ck_assert_uint_ge (walk.data, 8192);
  ck_assert_int_eq (vdisk_pread (vdisk, buffer, sizeof buffer, DATA_AT - 1,
                                 NULL), 0);
  ck_assert_int_eq (buffer[0], 0);
  ck_assert (memcmp (buffer + 1, bytes, 8192) == 0);
  ck_assert_int_eq (buffer[8193], 0);

  walk = (struct walk) { .next = DATA_AT + 100 };
  ck_assert_int_eq (vdisk_extents (vdisk, DATA_AT + 100, 200, step, &walk,
                                   NULL), 0);
  ck_assert_uint_eq (walk.wrong, 0);
  ck_assert_uint_eq (walk.data, 200);
  ck_assert_uint_eq (walk.next, DATA_AT + 300);

  walk = (struct walk) { .stop_at = 1 };
  ck_assert_int_eq (vdisk_extents (vdisk, 0, SPARSE_SIZE, step, &walk,
                                   &error), 0);
  ck_assert_int_eq (error.errnum, 0);
  ck_assert_uint_eq (walk.calls, 1);

  walk = (struct walk) { .calls = 0 };
  ck_assert_int_eq (vdisk_extents (vdisk, 5, 0, step, &walk, &error), 0);
  ck_assert_int_eq (vdisk_extents (vdisk, 1, SPARSE_SIZE, step, &walk,
                                   &error), -1);
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_uint_eq (walk.calls, 0);
  vdisk_close (vdisk);
}
END_TEST

/* --- Files that become shorter while they are open ------------------- */

static void
check_lost (struct vdisk *vdisk, uint64_t offset)
{
  struct vdisk_error error;
  unsigned char buffer[1000];

  ck_assert_int_eq (vdisk_pread (vdisk, buffer, sizeof buffer, offset,
                                 &error), -1);
  ck_assert_int_eq (error.errnum, EIO);
}

START_TEST (file_becomes_shorter)
{
  struct vdisk *vdisk;
  char path[200], message[400];
  struct vdisk_error error;
  char byte;

  snprintf (path, sizeof path, "%s", scratch_path ("small"));
  write_file (path, bytes, 10000);
  vdisk = open_raw (path);
  ck_assert_int_eq (truncate (path, 5000), 0);
  ck_assert_int_eq (vdisk_pread (vdisk, &byte, 1, 4999, NULL), 0);
  ck_assert_int_eq (vdisk_pread (vdisk, &byte, 1, 5000, &error), -1);
  ck_assert_int_eq (error.errnum, EIO);
  snprintf (message, sizeof message, "%s: the file ends at offset 5000 now, "
            "it had 10000 bytes when it was opened", path);
  ck_assert_str_eq (error.message, message);
  check_lost (vdisk, 4500);
  vdisk_close (vdisk);
}
END_TEST

/* Never zeros in place of data, also where holes were looked for. */
START_TEST (sparse_file_becomes_shorter)
{
  const char *path = make_sparse ();
  struct vdisk *vdisk = open_raw (path);

  ck_assert_int_eq (truncate (path, 4096), 0);
  check_lost (vdisk, DATA_AT);
  check_lost (vdisk, DATA_AT + 5000);
  vdisk_close (vdisk);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("api");
  TCase *tcase = tcase_create ("api");
  SRunner *runner;
  int failed;

  tcase_add_unchecked_fixture (tcase, make_directory, scratch_teardown);
  tcase_add_test (tcase, version);
  tcase_add_test (tcase, lists);
  tcase_add_test (tcase, layouts);
  tcase_add_test (tcase, formats_can_be_set);
  tcase_add_test (tcase, is_uri);
  tcase_add_test (tcase, options);
  tcase_add_test (tcase, options_again);
  tcase_add_test (tcase, not_opened);
  tcase_add_test (tcase, odd_name);
  tcase_add_test (tcase, opened);
  tcase_add_test (tcase, descriptor);
  tcase_add_test (tcase, reads);
  tcase_add_test (tcase, prefetches);
  tcase_add_test (tcase, extents);
  tcase_add_test (tcase, file_becomes_shorter);
  tcase_add_test (tcase, sparse_file_becomes_shorter);
  suite_add_tcase (suite, tcase);
  runner = srunner_create (suite);
  srunner_run_all (runner, CK_ENV);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
