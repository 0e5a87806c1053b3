/* SPDX-License-Identifier: BSD-3-Clause */
/* What the interface promises beyond bytes and extents: structs that may
 * grow, and what is known of each layer.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
  check->now.size = size;
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
  ck_assert_uint_eq (check.now.size, size);
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
  ck_assert (strstr (error.message, "struct vdisk_check: size "));
  ck_assert_uint_eq (check.now.size, sizes[_i]);
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
  ck_assert_uint_eq (check.size, sizeof check);
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
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
