/* SPDX-License-Identifier: BSD-3-Clause */
/* What the interface promises beyond bytes and extents: structs that may
 * grow, and what is known of each layer.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qcow2-image.h"
#include "scratch.h"
#include "support.h"

#define CLUSTER 512

static struct vdisk *
open_image (const char *path)
{
  struct vdisk_error error;
  struct vdisk *vdisk = vdisk_open (path, NULL, &error);

  ck_assert_msg (vdisk != NULL, "%s", error.message);
  return vdisk;
}

/* An image with one cluster of data, whose reference counts are all wrong. */
static const char *
write_image (const char *name)
{
  struct qcow2_image image;
  const char *path;

  qcow2_image_init (&image, 3, 9, 10 * CLUSTER, 0);
  qcow2_image_add_data (&image, 0);
  path = scratch_write (name, image.bytes, image.size);
  qcow2_image_free (&image);
  return path;
}

/* --- What a caller's struct has room for ------------------------------- */

/* As a later version of the header might have it. */
struct later_check {
  struct vdisk_check now;
  uint64_t later[4];
};

static int
check_of_size (size_t size, struct later_check *check,
               struct vdisk_error *error)
{
  struct vdisk *vdisk = open_image (write_image ("disk"));
  int r;

  memset (check, 0x5a, sizeof *check);
  check->now.struct_size = size;
  r = vdisk_check (vdisk, NULL, NULL, NULL, &check->now, error);
  vdisk_close (vdisk);
  return r;
}

static void
ck_assert_untouched (const void *bytes, size_t count)
{
  size_t i;

  for (i = 0; i < count; ++i)
    ck_assert_uint_eq (((const uint8_t *) bytes)[i], 0x5a);
}

START_TEST (check_fills_what_it_knows)
{
  static const size_t more[] = { 0, 1, 8, sizeof (uint64_t[4]) };
  const size_t size = sizeof (struct vdisk_check) + more[_i];
  struct later_check check;

  ck_assert_int_eq (check_of_size (size, &check, NULL), 0);
  ck_assert_uint_eq (check.now.struct_size, size);
  ck_assert_uint_gt (check.now.errors, 0);
  ck_assert_uint_eq (check.now.total_clusters, 10);
  ck_assert_uint_eq (check.now.allocated_clusters, 1);
  ck_assert_uint_gt (check.now.image_end_offset, 0);
  ck_assert_untouched (check.later, sizeof check.later);
}
END_TEST

START_TEST (check_is_too_small)
{
  static const size_t sizes[] = {
    0, 1, sizeof (size_t), sizeof (struct vdisk_check) - 1,
  };
  struct later_check check;
  struct vdisk_error error;

  ck_assert_int_eq (check_of_size (sizes[_i], &check, &error), -1);
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert (strstr (error.message, "struct vdisk_check: struct_size "));
  ck_assert_uint_eq (check.now.struct_size, sizes[_i]);
  ck_assert_untouched (&check.now.errors,
                       sizeof check - offsetof (struct vdisk_check, errors));
}
END_TEST

/* What cannot be checked has a verdict of zeros all the same. */
START_TEST (check_is_not_supported)
{
  struct vdisk_check check = VDISK_CHECK_INIT;
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk_error error;
  struct vdisk *vdisk;

  ck_assert_int_eq (vdisk_options_set (options, "format", "raw", NULL), 0);
  vdisk = vdisk_open (write_image ("disk"), options, &error);
  vdisk_options_free (options);
  ck_assert_msg (vdisk != NULL, "%s", error.message);
  check.errors = 7;
  ck_assert_int_eq (vdisk_check (vdisk, NULL, NULL, NULL, &check, &error),
                    -1);
  ck_assert_int_eq (error.errnum, ENOTSUP);
  ck_assert_uint_eq (check.struct_size, sizeof check);
  ck_assert_uint_eq (check.errors, 0);
  vdisk_close (vdisk);
}
END_TEST

START_TEST (frees)
{
  struct vdisk *vdisk = open_image (write_image ("disk"));

  vdisk_free (vdisk_describe (vdisk, 0, NULL));
  vdisk_free (NULL);
  vdisk_close (vdisk);
}
END_TEST

/* --- Extents ----------------------------------------------------------- */

struct told {
  struct vdisk_extent at[32];
  unsigned count, stop_at;
};

static int
take_extent (void *opaque, const struct vdisk_extent *extent)
{
  struct told *told = opaque;

  ck_assert_uint_lt (told->count, 32);
  told->at[told->count++] = *extent;
  return told->count == told->stop_at;
}

static struct told
extents_of (struct vdisk *vdisk, uint64_t offset, uint64_t end,
            unsigned flags)
{
  struct told told = { .count = 0 };
  struct vdisk_error error;

  ck_assert_msg (vdisk_extents_flags (vdisk, offset, end - offset, flags,
                                      take_extent, &told, &error) == 0,
                 "%s", error.message);
  return told;
}

#define BITS 12
#define SIZE (1 << BITS)

/* Compressed clusters: 0 and 1 are the same one, 2 follows it, 3 starts
 * just before the end of the file, and 4 there.  Cluster 5 is data. */
static struct vdisk *
open_packed (uint64_t features)
{
  struct qcow2_image image;
  struct vdisk *vdisk;
  uint64_t host;

  qcow2_image_init (&image, 3, BITS, 6 * SIZE, features);
  qcow2_image_add_data (&image, 5 * SIZE);
  host = qcow2_image_append (&image, 2 * SIZE);
  qcow2_image_set (&image, 0, qcow2_image_packed (&image, host, 100));
  qcow2_image_set (&image, SIZE, qcow2_image_packed (&image, host, 100));
  qcow2_image_set (&image, 2 * SIZE,
                   qcow2_image_packed (&image, host + 100, 1000));
  qcow2_image_set (&image, 3 * SIZE,
                   qcow2_image_packed (&image, image.size - 30, 200));
  qcow2_image_set (&image, 4 * SIZE,
                   qcow2_image_packed (&image, image.size, 200));
  vdisk = open_image (scratch_write ("packed", image.bytes, image.size));
  qcow2_image_free (&image);
  return vdisk;
}

/* Whole sectors are counted, from where the stream starts. */
START_TEST (packed)
{
  static const uint64_t lengths[] = { 512, 512, 1024 + 412, 30, 0 };
  const bool zstd = _i & 1;
  const unsigned flags = _i & 2 ? VDISK_EXTENTS_MERGED : 0;
  struct vdisk *vdisk = open_packed (zstd ? QCOW2_COMPRESSION_TYPE : 0);
  struct told told = extents_of (vdisk, 0, 6 * SIZE, flags);
  unsigned i;

  ck_assert_uint_eq (told.count, 6);
  for (i = 0; i < 5; ++i) {
    ck_assert_uint_eq (told.at[i].offset, i * SIZE);
    ck_assert_uint_eq (told.at[i].length, SIZE);
    ck_assert_int_eq (told.at[i].kind, VDISK_PACKED);
    ck_assert_int_eq (told.at[i].compression, zstd
                      ? VDISK_COMPRESSION_ZSTD : VDISK_COMPRESSION_DEFLATE);
    ck_assert_uint_eq (told.at[i].packed_length, lengths[i]);
  }
  ck_assert_uint_eq (told.at[0].host_offset, told.at[1].host_offset);
  ck_assert_uint_eq (told.at[0].host_offset + 100, told.at[2].host_offset);
  ck_assert_int_eq (told.at[5].kind, VDISK_DATA);
  ck_assert_int_eq (told.at[5].compression, VDISK_COMPRESSION_NONE);
  ck_assert_uint_eq (told.at[5].packed_length, 0);

  told = extents_of (vdisk, 2 * SIZE + 7, 2 * SIZE + 9, flags);
  ck_assert_uint_eq (told.count, 1);
  ck_assert_uint_eq (told.at[0].packed_length, lengths[2]);
  vdisk_close (vdisk);
}
END_TEST

/* The file of one that is raw, with 64 KiB of data between holes. */
static struct vdisk *
open_sparse (const char *host_holes)
{
  const char *path = scratch_write ("sparse", "", 0);
  struct vdisk_options *options = vdisk_options_new ();
  static char bytes[65536];
  FILE *file = fopen (path, "r+");
  struct vdisk *vdisk;

  memset (bytes, 'x', sizeof bytes);
  ck_assert (file && fseek (file, 1 << 20, SEEK_SET) == 0 &&
             fwrite (bytes, 1, sizeof bytes, file) == sizeof bytes &&
             fclose (file) == 0 && truncate (path, 3 << 20) == 0);
  ck_assert_int_eq (vdisk_options_set (options, "format", "raw", NULL), 0);
  ck_assert_int_eq (vdisk_options_set (options, "host-holes", host_holes,
                                       NULL), 0);
  vdisk = vdisk_open (path, options, NULL);
  vdisk_options_free (options);
  ck_assert_ptr_nonnull (vdisk);
  return vdisk;
}

START_TEST (no_host_holes)
{
  struct vdisk *vdisk = open_sparse ("auto"), *off = open_sparse ("off");
  struct told told = extents_of (vdisk, 0, 3 << 20, VDISK_EXTENTS_MERGED);

  ck_assert_uint_eq (told.count, 3);
  ck_assert_int_eq (told.at[0].kind, VDISK_HOLE);
  ck_assert_int_eq (told.at[1].kind, VDISK_DATA);
  ck_assert_int_eq (told.at[2].kind, VDISK_HOLE);

  told = extents_of (vdisk, 0, 3 << 20, VDISK_EXTENTS_MERGED |
                     VDISK_EXTENTS_NO_HOST_HOLES);
  ck_assert_uint_eq (told.count, 1);
  ck_assert_int_eq (told.at[0].kind, VDISK_DATA);
  told = extents_of (off, 0, 3 << 20, VDISK_EXTENTS_MERGED);
  ck_assert_uint_eq (told.count, 1);
  ck_assert_int_eq (told.at[0].kind, VDISK_DATA);
  vdisk_close (off);
  vdisk_close (vdisk);
}
END_TEST

/* A cluster that is zeros, and one of data after it in the file too, where
 * that has a hole: both are ZERO, but not for the same reason. */
START_TEST (host_hole_is_apart)
{
  struct qcow2_image image;
  struct vdisk *vdisk;
  struct told told;
  const char *path;
  uint64_t host;

  qcow2_image_init (&image, 3, BITS, 2 * SIZE, 0);
  qcow2_image_l2 (&image, 0);
  host = qcow2_image_append (&image, SIZE);
  qcow2_image_set (&image, 0, host | QCOW2_COPIED | QCOW2_ZERO);
  qcow2_image_set (&image, SIZE, (host + SIZE) | QCOW2_COPIED);
  path = scratch_write ("zeros", image.bytes, image.size);
  ck_assert_int_eq (truncate (path, image.size + SIZE), 0);
  qcow2_image_free (&image);
  vdisk = open_image (path);
  told = extents_of (vdisk, 0, 2 * SIZE, VDISK_EXTENTS_MERGED);
  ck_assert_uint_eq (told.count, 2);
  ck_assert_int_eq (told.at[0].kind, VDISK_ZERO);
  ck_assert_int_eq (told.at[0].host_hole, 0);
  ck_assert_int_eq (told.at[1].kind, VDISK_ZERO);
  ck_assert_int_eq (told.at[1].host_hole, 1);
  vdisk_close (vdisk);
}
END_TEST

/* A cluster of data, and then a table that lies beyond the file. */
static struct vdisk *
open_damaged (void)
{
  struct qcow2_image image;
  struct vdisk *vdisk;
  uint64_t damage = CLUSTER / 8 * CLUSTER;

  qcow2_image_init (&image, 3, 9, 2 * damage, 0);
  qcow2_image_add_data (&image, 0);
  *qcow2_image_l1 (&image, 1) = to_be64 (1 << 30);
  vdisk = open_image (scratch_write ("damaged", image.bytes, image.size));
  qcow2_image_free (&image);
  return vdisk;
}

/* The extent before damage is told, and can be the last one wanted. */
START_TEST (damaged)
{
  const unsigned flags = _i ? VDISK_EXTENTS_MERGED : 0;
  struct vdisk *vdisk = open_damaged ();
  const uint64_t size = vdisk_size (vdisk);
  struct told told = { .count = 0 };
  struct vdisk_error error;

  ck_assert_int_eq (vdisk_extents_flags (vdisk, 0, size, flags, take_extent,
                                         &told, &error), -1);
  ck_assert_int_eq (error.errnum, EIO);
  ck_assert_uint_eq (told.count, 2);
  ck_assert_uint_eq (told.at[1].offset + told.at[1].length, size / 2);

  told = (struct told) { .stop_at = 2 };
  ck_assert_int_eq (vdisk_extents_flags (vdisk, 0, size, flags, take_extent,
                                         &told, &error), 0);
  ck_assert_int_eq (error.errnum, 0);
  ck_assert_str_eq (error.message, "");
  ck_assert_uint_eq (told.count, 2);

  told = (struct told) { .stop_at = 1 };
  ck_assert_int_eq (vdisk_extents_flags (vdisk, 0, size, flags, take_extent,
                                         &told, &error), 0);
  ck_assert_uint_eq (told.count, 1);
  ck_assert_uint_eq (told.at[0].length, CLUSTER);
  vdisk_close (vdisk);
}
END_TEST

START_TEST (unknown_flags)
{
  static const unsigned flags[] = { 4, 7, 0x80000000, ~0u };
  struct vdisk *vdisk = open_image (write_image ("disk"));
  struct told told = { .count = 0 };
  struct vdisk_error error;

  ck_assert_int_eq (vdisk_extents_flags (vdisk, 0, 0, flags[_i], take_extent,
                                         &told, &error), -1);
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_int_eq (vdisk_extents_flags (vdisk, 0, CLUSTER, flags[_i],
                                         take_extent, &told, NULL), -1);
  ck_assert_uint_eq (told.count, 0);
  vdisk_close (vdisk);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("interface");
  TCase *tcase = tcase_create ("interface");

  tcase_add_unchecked_fixture (tcase, scratch_setup, scratch_teardown);
  tcase_add_loop_test (tcase, check_fills_what_it_knows, 0, 4);
  tcase_add_loop_test (tcase, check_is_too_small, 0, 4);
  tcase_add_test (tcase, check_is_not_supported);
  tcase_add_test (tcase, frees);
  tcase_add_loop_test (tcase, packed, 0, 4);
  tcase_add_test (tcase, no_host_holes);
  tcase_add_test (tcase, host_hole_is_apart);
  tcase_add_loop_test (tcase, damaged, 0, 2);
  tcase_add_loop_test (tcase, unknown_flags, 0, 4);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
