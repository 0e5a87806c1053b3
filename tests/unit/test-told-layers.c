/* SPDX-License-Identifier: BSD-3-Clause */
/* The options that name layers, and looking for names that differ in case. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bounds.h"
#include "format/names.h"
#include "options.h"
#include "scratch.h"
#include "support.h"
#include "util/case-names.h"

static void
set (struct vdisk_options *options, const char *name, const char *value)
{
  struct vdisk_error error;

  ck_assert_msg (vdisk_options_set (options, name, value, &error) == 0,
                 "%s=%s: %s", name, value, error.message);
}

static void
check_refused (struct vdisk_options *options, const char *name,
               const char *value, const char *message)
{
  const size_t count = options->told.count;
  struct vdisk_error error;

  ck_assert_int_eq (vdisk_options_set (options, name, value, &error), -1);
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_str_eq (error.message, message);
  ck_assert_uint_eq (options->told.count, count);
}

static void
check_layer (const struct vdisk_options *options, size_t i, const char *name,
             const struct format *format)
{
  ck_assert_uint_lt (i, options->told.count);
  ck_assert_str_eq (options->told.layers[i].name, name);
  ck_assert_ptr_eq (options->told.layers[i].format, format);
}

/* A format is of the layer that was named last, or of the one numbered. */
START_TEST (formats)
{
  struct vdisk_options *options = vdisk_options_new (), *copy;

  ck_assert (!options->told.is_told);
  set (options, "layer", "a");
  set (options, "layer", "b");
  set (options, "layer-format", "vpc");
  set (options, "layer", "c:raw");
  check_layer (options, 0, "a", NULL);
  check_layer (options, 1, "b", &format_vhd);
  check_layer (options, 2, "c:raw", NULL);
  set (options, "layer-format", "1:raw");
  set (options, "layer-format", "2:auto");
  set (options, "layer-format", "003:qed");
  copy = options_copy (options);
  vdisk_options_free (options);
  check_layer (copy, 0, "a", &format_raw);
  check_layer (copy, 1, "b", NULL);
  check_layer (copy, 2, "c:raw", &format_qed);
  set (copy, "layer", "auto");
  ck_assert (!copy->told.is_told);
  ck_assert_uint_eq (copy->told.count, 0);
  vdisk_options_free (copy);
}
END_TEST

#define FORMATS "must be auto, vhd (or vpc), qcow2, qed or raw, after a " \
  "number and a colon if it is not of the last layer"
#define NO_LAYER(value, count) "layer-format=" value ": no such layer is " \
  "named before it (layer names one, and there are " count ")"

START_TEST (refused)
{
  static const char *const numbers[] = { "0", "3", "4294967297", "999" };
  struct vdisk_options *options = vdisk_options_new ();
  char value[64], message[256];
  size_t i;

  check_refused (options, "layer-format", "raw", NO_LAYER ("raw", "0"));
  set (options, "layer", "none");
  check_refused (options, "layer-format", "auto", NO_LAYER ("auto", "0"));
  check_refused (options, "layer", "a", "layer=a: names a layer, but "
                 "layer=none says that nothing lies under the image");
  set (options, "layer", "none");
  ck_assert (options->told.is_told);
  set (options, "layer", "auto");
  set (options, "layer", "a");
  set (options, "layer", "b");
  check_refused (options, "layer", "none", "layer=none: says that nothing "
                 "lies under the image, but layer=a names a layer");
  check_refused (options, "layer", "", "layer=: must be a file, an NBD URI, "
                 "none or auto");
  check_refused (options, "layer-format", "2:", "layer-format=2:: " FORMATS);
  check_refused (options, "layer-format", ":raw", NO_LAYER (":raw", "2"));
  check_refused (options, "layer-format", "x:raw",
                 "layer-format=x:raw: " FORMATS);
  for (i = 0; i < sizeof numbers / sizeof numbers[0]; ++i) {
    snprintf (value, sizeof value, "%s:raw", numbers[i]);
    snprintf (message, sizeof message, NO_LAYER ("%s", "2"), value);
    check_refused (options, "layer-format", value, message);
  }
  check_layer (options, 1, "b", NULL);
  vdisk_options_free (options);
}
END_TEST

START_TEST (too_many)
{
  struct vdisk_options *options = vdisk_options_new ();
  unsigned i;

  for (i = 0; i < CHAIN_LAYERS_MAX - 1; ++i)
    set (options, "layer", "a");
  check_refused (options, "layer", "b", "layer=b: there are 255 layers "
                 "already, the most that an image can have under it");
  vdisk_options_free (options);
}
END_TEST

/* --- Case ---------------------------------------------------------------- */

static const struct {
  const char *name, *found;     /* NULL: not the same */
} rows[] = {
  { "Disk.vhd", "DISK.VHD" },
  { "Disk.vhd", "Disk.vhd" },
  { "disk.vhd", NULL },
  { "disk.vhdx", NULL },
  { "disk.vh", NULL },
  { "d\xc3\xa4sk", "D\xc3\x84SK" },     /* a with dots */
  { "d\xc3\xa4sk", NULL },
  { "\xd0\xb6", "\xd0\x96" },           /* Cyrillic */
  { "stra\xc3\x9f""e", NULL },          /* no letter becomes two */
  { "bad\xff", "BAD\xff" },             /* not UTF-8 */
  { "bad\xff", NULL },
  { "[1]", NULL },                      /* differs from { in 0x20 */
};

static const char *const others[] = {
  NULL, NULL, "disc.vhd", "disk.vhd", "disk.vhd", NULL, "d\xc3\xb6sk", NULL,
  "STRASSE", NULL, "BAD\xfe", "{1}",
};

START_TEST (same_but_for_case)
{
  const char *file = rows[_i].found ? rows[_i].found : others[_i];
  struct case_names found;

  mkdir (scratch_path ("case"), 0777);
  scratch_write ("other", "", 0);
  scratch_write (file, "", 0);
  ck_assert_int_eq (case_names_find (&found, scratch_directory (),
                                     rows[_i].name), 0);
  ck_assert_uint_eq (found.count, rows[_i].found != NULL);
  if (rows[_i].found)
    ck_assert_str_eq (found.names[0], rows[_i].found);
  case_names_free (&found);
  ck_assert_int_eq (case_names_find (&found, scratch_directory (), "CASE"),
                    0);
  ck_assert_uint_eq (found.count, 0);
  ck_assert_int_eq (case_names_find (&found, scratch_path ("none"), "x"), -1);
  ck_assert_int_eq (errno, ENOENT);
  ck_assert_int_eq (remove (scratch_path (file)), 0);
}
END_TEST

/* The first few are told in order, whatever the order on disk. */
START_TEST (several)
{
  static const char *const names[] = {
    "abc", "ABC", "aBC", "AbC", "Abc", "abC", "aBc", "ABc",
  };
  struct case_names found;
  size_t i;

  for (i = 0; i < 8; ++i) {
    scratch_write (names[i], "", 0);
    ck_assert_int_eq (case_names_find (&found, scratch_directory (), "abc"),
                      0);
    ck_assert_uint_eq (found.count, i + 1);
    case_names_free (&found);
  }
  ck_assert_int_eq (case_names_find (&found, scratch_directory (), "abc"), 0);
  ck_assert_str_eq (found.names[0], "ABC");
  ck_assert_str_eq (found.names[1], "ABc");
  ck_assert_str_eq (found.names[2], "AbC");
  ck_assert_str_eq (found.names[3], "Abc");
  case_names_free (&found);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("told-layers");
  TCase *tcase = tcase_create ("options");

  tcase_add_test (tcase, formats);
  tcase_add_test (tcase, refused);
  tcase_add_test (tcase, too_many);
  suite_add_tcase (suite, tcase);

  tcase = tcase_create ("case");
  tcase_add_unchecked_fixture (tcase, scratch_setup, scratch_teardown);
  tcase_add_loop_test (tcase, same_but_for_case, 0,
                       sizeof rows / sizeof rows[0]);
  tcase_add_test (tcase, several);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
