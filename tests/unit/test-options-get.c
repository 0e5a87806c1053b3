/* SPDX-License-Identifier: BSD-3-Clause */
/* Options read back: what is set, and what is told of each option, is what
 * can be set again.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "random.h"
#include "support.h"

#define COUNT(array) ((int) (sizeof (array) / sizeof (array)[0]))

static struct vdisk_options *
new_options (void)
{
  struct vdisk_options *options = vdisk_options_new ();

  ck_assert_ptr_nonnull (options);
  return options;
}

static void
set (struct vdisk_options *options, const char *name, const char *value)
{
  struct vdisk_error error;

  if (strcmp (name, "layer-format") == 0 && options->told.count == 0)
    set (options, "layer", "some.img");
  ck_assert_msg (vdisk_options_set (options, name, value, &error) == 0,
                 "%s=%s: %s", name, value, error.message);
}

/* Copy all of them, each by its text. */
static struct vdisk_options *
copy_by_text (const struct vdisk_options *from)
{
  struct vdisk_options *to = new_options ();
  const char *const *name;
  struct vdisk_error error;
  char *text;
  size_t i;

  for (name = vdisk_options_names (); *name; ++name) {
    for (i = 0; (text = vdisk_options_get (from, *name, i, &error)); ++i) {
      ck_assert_int_eq (error.errnum, 0);
      ck_assert_msg (vdisk_options_set (to, *name, text, &error) == 0,
                     "%s=%s: %s", *name, text, error.message);
      vdisk_free (text);
    }
    ck_assert_int_eq (error.errnum, ENODATA);
  }
  return to;
}

static void
ck_assert_same (const struct vdisk_options *a, const struct vdisk_options *b)
{
  size_t i;

  ck_assert_ptr_eq (a->format, b->format);
  ck_assert_int_eq (a->size, b->size);
  ck_assert_int_eq (a->ignore_sector_bitmaps, b->ignore_sector_bitmaps);
  ck_assert_int_eq (a->host_holes, b->host_holes);
  ck_assert_uint_eq (a->cache_size, b->cache_size);
  ck_assert_int_eq (a->force_share, b->force_share);
  ck_assert_int_eq (a->ignore_parent_id, b->ignore_parent_id);
  ck_assert_int_eq (a->ignore_case, b->ignore_case);
  ck_assert_uint_eq (a->timeout_milliseconds, b->timeout_milliseconds);
  ck_assert_int_eq (a->told.is_told, b->told.is_told);
  ck_assert_uint_eq (a->told.count, b->told.count);
  for (i = 0; i < a->told.count; ++i) {
    ck_assert_str_eq (a->told.layers[i].name, b->told.layers[i].name);
    ck_assert_ptr_eq (a->told.layers[i].format, b->told.layers[i].format);
  }
  ck_assert_uint_eq (a->backing_dir_count, b->backing_dir_count);
  for (i = 0; i < a->backing_dir_count; ++i)
    ck_assert_str_eq (a->backing_dirs[i], b->backing_dirs[i]);
}

/* Values of all options, each other than the default. */
static const struct {
  const char *name, *values[6];
} settings[] = {
  { "format", { "vhd", "vpc", "qcow2", "qed", "raw" } },
  { "backing-dir", { "/", "/usr", ".", "/usr/.." } },
  { "size", { "current", "chs" } },
  { "sector-bitmaps", { "ignore" } },
  { "host-holes", { "off" } },
  { "cache-size", { "65536", "64k", "123456789", "1M", "3G" } },
  { "force-share", { "true", "on", "yes", "1" } },
  { "timeout", { "1ms", "7", "3m", "24h", "86400s" } },
  { "layer", { "a.raw", "./none", "auto", "b.vhd", "nbd://host/x" } },
  { "layer-format", { "raw", "auto", "qcow2", "1:vhd", "1:qed" } },
  { "ignore-parent-id", { "true", "on" } },
  { "parent-case", { "ignore" } },
};

START_TEST (read_back_each)
{
  struct vdisk_options *options = new_options (), *copy;
  size_t i;

  copy = copy_by_text (options);
  ck_assert_same (options, copy);
  vdisk_options_free (copy);
  ck_assert_str_eq (vdisk_options_names ()[_i], settings[_i].name);
  for (i = 0; settings[_i].values[i]; ++i) {
    set (options, settings[_i].name, settings[_i].values[i]);
    copy = copy_by_text (options);
    ck_assert_same (options, copy);
    vdisk_options_free (copy);
  }
  vdisk_options_free (options);
}
END_TEST

START_TEST (read_back_any)
{
  struct random random = { .state = _i };
  struct vdisk_options *options = new_options (), *copy;
  unsigned i;

  for (i = random_below (&random, 12); i > 0; --i) {
    const size_t n = random_below (&random, COUNT (settings));
    const char *const *values = settings[n].values;
    size_t count = 0;

    while (values[count])
      count++;
    set (options, settings[n].name, values[random_below (&random, count)]);
  }
  copy = copy_by_text (options);
  ck_assert_same (options, copy);
  vdisk_options_free (copy);
  vdisk_options_free (options);
}
END_TEST

START_TEST (read_back_texts)
{
  static const char *const names[] = {
    "format", "size", "sector-bitmaps", "host-holes", "cache-size",
    "force-share", "timeout", "layer", "ignore-parent-id", "parent-case",
  };
  static const char *const defaults[] = {
    "auto", "auto", "honour", "auto", "16777216", "false",
    "auto", "auto", "false", "exact",
  };
  struct vdisk_options *options = new_options ();
  struct vdisk_error error;
  size_t i;

  for (i = 0; i < COUNT (names); ++i) {
    char *text = vdisk_options_get (options, names[i], 0, &error);

    ck_assert_str_eq (text, defaults[i]);
    vdisk_free (text);
    ck_assert_ptr_null (vdisk_options_get (options, names[i], 1, NULL));
  }
  ck_assert_ptr_null (vdisk_options_get (options, "backing-dir", 0, &error));
  ck_assert_int_eq (error.errnum, ENODATA);
  ck_assert_str_eq (error.message, "backing-dir: has no more than 0 values");
  ck_assert_ptr_null (vdisk_options_get (options, "sise", 0, &error));
  ck_assert_int_eq (error.errnum, ENOENT);
  ck_assert_str_eq (error.message, "unknown parameter 'sise': must be format, "
                    "backing-dir, size, sector-bitmaps, host-holes, "
                    "cache-size, force-share, timeout, layer, layer-format, "
                    "ignore-parent-id or parent-case; did you mean 'size'?");
  vdisk_options_free (options);
}
END_TEST

/* What the list says of values is what is said of one that is refused. */
START_TEST (explained)
{
  const char *const name = vdisk_options_names ()[_i];
  struct vdisk_options *options = new_options ();
  struct vdisk_error error;
  char message[300];

  ck_assert_ptr_nonnull (name);
  ck_assert_uint_gt (strlen (vdisk_options_summary (name)), 10);
  snprintf (message, sizeof message, "%s=: must be %s", name,
            vdisk_options_values (name));
  ck_assert_int_eq (vdisk_options_set (options, name, "", &error), -1);
  ck_assert_str_eq (error.message, message);
  vdisk_options_free (options);
}
END_TEST

START_TEST (names)
{
  const char *const *name = vdisk_options_names ();
  size_t count = 0;

  while (name[count])
    count++;
  ck_assert_uint_eq (count, COUNT (settings));
  ck_assert_ptr_null (vdisk_options_values ("formats"));
  ck_assert_ptr_null (vdisk_options_summary (""));
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("options-get");
  TCase *tcase = tcase_create ("options-get");

  tcase_add_loop_test (tcase, read_back_each, 0, COUNT (settings));
  tcase_add_loop_test (tcase, read_back_any, 0, 100);
  tcase_add_test (tcase, read_back_texts);
  tcase_add_loop_test (tcase, explained, 0, COUNT (settings));
  tcase_add_test (tcase, names);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
