/* SPDX-License-Identifier: BSD-3-Clause */
/* The options that name layers. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "format/names.h"
#include "options.h"
#include "support.h"

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

int
main (void)
{
  Suite *suite = suite_create ("told-layers");
  TCase *tcase = tcase_create ("options");

  tcase_add_test (tcase, formats);
  tcase_add_test (tcase, refused);
  tcase_add_test (tcase, too_many);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
