/* SPDX-License-Identifier: BSD-3-Clause */
/* What is open stays what it is, whatever its name leads to by then: to
 * another file, to none after chdir, or to one with other files beside it.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qcow2-image.h"
#include "scratch.h"
#include "support.h"

static void
write_overlay (const char *name, const char *backing)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 9, 512, 0);
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_BACKING_FORMAT,
                             "qcow2", 5);
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_END, "", 0);
  qcow2_image_set_backing (&image, backing);
  scratch_write (name, image.bytes, image.size);
  qcow2_image_free (&image);
}

/* in/top on in/deep/middle on in/base. */
static void
make_chain (void)
{
  struct qcow2_image image;

  scratch_setup ();
  ck_assert_int_eq (mkdir (scratch_path ("in"), 0777), 0);
  ck_assert_int_eq (mkdir (scratch_path ("in/deep"), 0777), 0);
  ck_assert_int_eq (mkdir (scratch_path ("in/other"), 0777), 0);
  qcow2_image_init (&image, 3, 9, 512, 0);
  scratch_write ("in/base", image.bytes, image.size);
  qcow2_image_free (&image);
  write_overlay ("in/deep/middle", "../base");
  write_overlay ("in/top", "deep/middle");
}

static char *
describe (struct vdisk *vdisk, unsigned depth)
{
  struct vdisk_error error;
  char *text = vdisk_describe (vdisk, depth, &error);

  ck_assert_msg (text != NULL, "%s", error.message);
  return text;
}

static void
check_still (struct vdisk *vdisk, char *const before[], unsigned layers)
{
  unsigned i;

  for (i = 0; i < layers; ++i) {
    char *after = describe (vdisk, i);

    ck_assert_str_eq (after, before[i]);
    free (after);
  }
}

/* Describe it while the names that led to its files lead elsewhere. */
static void
check_described (struct vdisk *vdisk, unsigned layers)
{
  static const uint8_t large[1 << 20] = { 1 };
  char *before[3];
  unsigned i;

  for (i = 0; i < layers; ++i)
    before[i] = describe (vdisk, i);
  ck_assert_ptr_nonnull (strstr (before[0], "\"actual-size\""));
  ck_assert_ptr_nonnull (strstr (before[0],
                                 scratch_path ("in/deep/middle")));
  ck_assert_int_eq (chdir ("other"), 0);
  check_still (vdisk, before, layers);
  scratch_write ("in/other/top", large, sizeof large);
  ck_assert_int_eq (mkdir ("deep", 0777), 0);
  scratch_write ("in/other/deep/middle", large, sizeof large);
  scratch_write ("in/other/base", large, sizeof large);
  check_still (vdisk, before, layers);
  ck_assert_int_eq (unlink (scratch_path ("in/top")), 0);
  check_still (vdisk, before, layers);
  scratch_write ("in/top", large, sizeof large);
  check_still (vdisk, before, layers);
  for (i = 0; i < layers; ++i)
    free (before[i]);
}

static void
check_open (struct vdisk *open (const char *, const struct vdisk_options *,
                                struct vdisk_error *), unsigned layers)
{
  char *cwd = get_current_dir_name ();
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk_error error;
  struct vdisk *vdisk;

  ck_assert_ptr_nonnull (cwd);
  ck_assert_int_eq (chdir (scratch_path ("in")), 0);
  ck_assert_int_eq (vdisk_options_set (options, "backing-dir", ".", NULL),
                    0);
  vdisk = open ("top", options, &error);
  ck_assert_msg (vdisk != NULL, "%s", error.message);
  check_described (vdisk, layers);
  vdisk_close (vdisk);
  vdisk_options_free (options);
  ck_assert_int_eq (chdir (cwd), 0);
  free (cwd);
}

START_TEST (inspected)
{
  check_open (vdisk_inspect, 1);
}
END_TEST

START_TEST (opened)
{
  check_open (vdisk_open, 3);
}
END_TEST

static void
add_test (Suite *suite, const char *name, const TTest *test)
{
  TCase *tcase = tcase_create (name);

  tcase_add_unchecked_fixture (tcase, make_chain, scratch_teardown);
  tcase_add_test (tcase, test);
  suite_add_tcase (suite, tcase);
}

int
main (void)
{
  Suite *suite = suite_create ("names");

  add_test (suite, "inspected", inspected);
  add_test (suite, "opened", opened);
  return run_suite (suite);
}
