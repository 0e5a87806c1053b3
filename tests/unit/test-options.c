/* SPDX-License-Identifier: BSD-3-Clause */
/* Options: their defaults, every value they take, and what is said of
 * those they do not take.
 */

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "debug.h"
#include "util/error.h"
#include "format/format.h"
#include "options.h"
#include "scratch.h"
#include "support.h"

static struct vdisk_options *
new_options (void)
{
  struct vdisk_options *options = vdisk_options_new ();

  ck_assert_ptr_nonnull (options);
  return options;
}

/* Set an option that must be taken, over an error left from before. */
static void
set (struct vdisk_options *options, const char *name, const char *value)
{
  struct vdisk_error error = { EIO, "old" };

  ck_assert_msg (vdisk_options_set (options, name, value, &error) == 0,
                 "%s=%s: %s", name, value, error.message);
  ck_assert_int_eq (error.errnum, 0);
  ck_assert_str_eq (error.message, "");
  ck_assert_int_eq (vdisk_options_set (options, name, value, NULL), 0);
}

START_TEST (defaults)
{
  struct vdisk_options *options = new_options ();

  ck_assert_ptr_null (options->format);
  ck_assert_uint_eq (options->backing_dir_count, 0);
  ck_assert_int_eq (options->size, VHD_SIZE_AUTO);
  ck_assert (!options->ignore_sector_bitmaps);
  ck_assert (options->host_holes);
  ck_assert (!options->force_share);
  ck_assert_uint_eq (options->cache_size, 16 << 20);
  ck_assert (options->warning_callback == NULL);
  vdisk_options_free (options);
  vdisk_options_free (NULL);
}
END_TEST

static const struct {
  const char *value;
  const struct format *format;
} formats[] = {
  { "vhd", &format_vhd }, { "vpc", &format_vhd },
  { "qcow2", &format_qcow2 }, { "qed", &format_qed },
  { "raw", &format_raw }, { "auto", NULL },
};

/* In a row, so that each undoes the one before. */
START_TEST (format)
{
  struct vdisk_options *options = new_options ();
  size_t i;

  for (i = 0; i < sizeof formats / sizeof formats[0]; ++i) {
    set (options, "format", formats[i].value);
    ck_assert_ptr_eq (options->format, formats[i].format);
  }
  vdisk_options_free (options);
}
END_TEST

START_TEST (words)
{
  struct vdisk_options *options = new_options ();

  set (options, "size", "chs");
  ck_assert_int_eq (options->size, VHD_SIZE_CHS);
  set (options, "size", "current");
  ck_assert_int_eq (options->size, VHD_SIZE_CURRENT);
  set (options, "size", "auto");
  ck_assert_int_eq (options->size, VHD_SIZE_AUTO);

  set (options, "sector-bitmaps", "ignore");
  ck_assert (options->ignore_sector_bitmaps);
  set (options, "sector-bitmaps", "honour");
  ck_assert (!options->ignore_sector_bitmaps);

  set (options, "host-holes", "off");
  ck_assert (!options->host_holes);
  set (options, "host-holes", "auto");
  ck_assert (options->host_holes);

  set (options, "force-share", "true");
  ck_assert (options->force_share);
  set (options, "force-share", "false");
  ck_assert (!options->force_share);
  vdisk_options_free (options);
}
END_TEST

static const struct {
  const char *value;
  uint64_t size;
} cache_sizes[] = {
  { "65536", 65536 },
  { "65537", 65537 },
  { "1000000", 1000000 },
  { "64k", 64 << 10 },
  { "100k", 100 << 10 },
  { "1M", 1 << 20 },
  { "64M", 64 << 20 },
  { "3G", UINT64_C (3) << 30 },
  { "18446744073709551615", UINT64_MAX },
  { "18014398509481983k", UINT64_MAX - 1023 },
  { "17592186044415M", UINT64_MAX - 0xfffff },
  { "17179869183G", UINT64_MAX - 0x3fffffff },
};

START_TEST (cache_size)
{
  struct vdisk_options *options = new_options ();

  if (cache_sizes[_i].size <= SIZE_MAX) {
    set (options, "cache-size", cache_sizes[_i].value);
    ck_assert_uint_eq (options->cache_size, cache_sizes[_i].size);
  }
  vdisk_options_free (options);
}
END_TEST

static const struct { const char *value; unsigned milliseconds; }
timeouts[] = {
  { "auto", 0 }, { "1", 1000 }, { "30s", 30000 }, { "1ms", 1 },
  { "1500ms", 1500 }, { "2m", 120000 }, { "24h", 86400000 },
  { "86400", 86400000 }, { "007", 7000 },
};

START_TEST (timeout)
{
  struct vdisk_options *options = vdisk_options_new ();

  ck_assert_uint_eq (options->timeout_milliseconds, 0);
  set (options, "timeout", "77");
  set (options, "timeout", timeouts[_i].value);
  ck_assert_uint_eq (options->timeout_milliseconds,
                     timeouts[_i].milliseconds);
  vdisk_options_free (options);
}
END_TEST

#define MEANT(word) "; did you mean '" word "'?"
#define FORMAT_RULE "must be auto, vhd (or vpc), qcow2, qed or raw"
#define CACHE_RULE "must be a number of bytes, at least 64k, with an " \
  "optional suffix k, M or G"
#define CACHE_ROW(value) \
  { "cache-size", value, EINVAL, "cache-size=" value ": " CACHE_RULE }
#define TIMEOUT_ROW(value) \
  { "timeout", value, EINVAL, "timeout=" value ": must be auto or a number " \
    "of seconds, or with a suffix ms, s, m or h, from 1ms to 24h" }
#define NAME_RULE "must be format, backing-dir, size, sector-bitmaps, " \
  "host-holes, cache-size, force-share, timeout, layer, layer-format, " \
  "ignore-parent-id or parent-case"

static const struct {
  const char *name, *value;
  int errnum;
  const char *message;
} bad[] = {
  { "format", "vmdk", EINVAL, "format=vmdk: " FORMAT_RULE },
  { "format", "RAW", EINVAL, "format=RAW: " FORMAT_RULE MEANT ("raw") },
  { "format", "qcow", EINVAL, "format=qcow: " FORMAT_RULE MEANT ("qcow2") },
  { "format", "qcow2 ", EINVAL, "format=qcow2 : " FORMAT_RULE MEANT ("qcow2") },
  { "format", "", EINVAL, "format=: " FORMAT_RULE },
  { "format", "a\nb", EINVAL, "format=a\\x0ab: " FORMAT_RULE },
  { "size", "512", EINVAL, "size=512: must be auto, current or chs" },
  { "size", "", EINVAL, "size=: must be auto, current or chs" },
  { "size", "CHS", EINVAL,
    "size=CHS: must be auto, current or chs" MEANT ("chs") },
  { "sector-bitmaps", "honor", EINVAL,
    "sector-bitmaps=honor: must be honour or ignore" MEANT ("honour") },
  { "sector-bitmaps", "", EINVAL,
    "sector-bitmaps=: must be honour or ignore" },
  { "host-holes", "on", EINVAL, "host-holes=on: must be auto or off" },
  { "host-holes", "", EINVAL, "host-holes=: must be auto or off" },
  { "force-share", "maybe", EINVAL,
    "force-share=maybe: must be true or false" },
  { "force-share", "", EINVAL, "force-share=: must be true or false" },
  { "backing-dir", "", EINVAL, "backing-dir=: must be a directory" },
  CACHE_ROW (""),
  CACHE_ROW ("0"),
  CACHE_ROW ("65535"),
  CACHE_ROW ("63k"),
  CACHE_ROW ("0M"),
  CACHE_ROW ("k"),
  CACHE_ROW ("-1"),
  CACHE_ROW ("-18446744073709486080"),
  CACHE_ROW ("+65536"),
  CACHE_ROW (" 65536"),
  CACHE_ROW ("65536 "),
  CACHE_ROW ("1.5M"),
  CACHE_ROW ("0x100000"),
  CACHE_ROW ("1 M"),
  CACHE_ROW ("1MB"),
  CACHE_ROW ("1MiB"),
  CACHE_ROW ("1T"),
  CACHE_ROW ("1X"),
  CACHE_ROW ("many"),
  CACHE_ROW ("18446744073709551616"),
  CACHE_ROW ("99999999999999999999999"),
  CACHE_ROW ("18014398509481984k"),
  CACHE_ROW ("17592186044416M"),
  CACHE_ROW ("17179869184G"),
  /* What would be left of these without their upper bits could do. */
  CACHE_ROW ("18014398509491984k"),
  CACHE_ROW ("17592186054416M"),
  CACHE_ROW ("17179869187G"),
  TIMEOUT_ROW (""),
  TIMEOUT_ROW ("0"),
  TIMEOUT_ROW ("0ms"),
  TIMEOUT_ROW ("-1"),
  TIMEOUT_ROW (" 1"),
  TIMEOUT_ROW ("1 s"),
  TIMEOUT_ROW ("1.5"),
  TIMEOUT_ROW ("1d"),
  TIMEOUT_ROW ("1S"),
  TIMEOUT_ROW ("s"),
  TIMEOUT_ROW ("25h"),
  TIMEOUT_ROW ("1441m"),
  TIMEOUT_ROW ("86401"),
  TIMEOUT_ROW ("86400001ms"),
  TIMEOUT_ROW ("18446744073709551616"),
  TIMEOUT_ROW ("18446744073709551615h"),
  TIMEOUT_ROW ("none"),
  { "cache-size", "1\x01", EINVAL, "cache-size=1\\x01: " CACHE_RULE },
  { "", "", ENOENT, "unknown parameter '': " NAME_RULE },
  { "Format", "raw", ENOENT, "unknown parameter 'Format': " NAME_RULE
    MEANT ("format") },
  { "formats", "raw", ENOENT, "unknown parameter 'formats': " NAME_RULE
    MEANT ("format") },
  { "file", "x", ENOENT, "unknown parameter 'file': " NAME_RULE },
  { "a\tb", "x", ENOENT, "unknown parameter 'a\\x09b': " NAME_RULE },
};

/* A value that is refused changes nothing. */
START_TEST (refused)
{
  struct vdisk_options *options = new_options ();
  struct vdisk_options before;
  struct vdisk_error error = { EIO, "old" };

  set (options, "format", "qed");
  set (options, "size", "chs");
  set (options, "sector-bitmaps", "ignore");
  set (options, "host-holes", "off");
  set (options, "cache-size", "123456");
  set (options, "force-share", "true");
  memcpy (&before, options, sizeof before);
  ck_assert_int_eq (vdisk_options_set (options, bad[_i].name, bad[_i].value,
                                       &error), -1);
  ck_assert_int_eq (error.errnum, bad[_i].errnum);
  ck_assert_str_eq (error.message, bad[_i].message);
  ck_assert_mem_eq (options, &before, sizeof before);
  ck_assert_int_eq (vdisk_options_set (options, bad[_i].name, bad[_i].value,
                                       NULL), -1);
  vdisk_options_free (options);
}
END_TEST

/* Messages name an option as the users of the program write it. */
START_TEST (command_line)
{
  static const struct {
    const char *name, *value, *message;
  } rows[] = {
    { "format", "x", "--format=x: " FORMAT_RULE },
    { "size", "512", "--size=512: must be auto, current or chs" },
    { "host-holes", "of", "--host-holes=of: must be auto or off"
      MEANT ("off") },
    { "backing-dir", "", "--backing-dir=: must be a directory" },
    { "backing-dir", "/dev/null",
      "--backing-dir=/dev/null: Not a directory" },
    { "cache-size", "1", "--cache-size=1: " CACHE_RULE },
  };
  struct vdisk_options *options = new_options (), *copy;
  struct vdisk_error error;
  size_t i;

  ck_assert_str_eq (options_prefix (options), "");
  ck_assert_str_eq (options_on (options), "=true");
  ck_assert_str_eq (options_prefix (NULL), "");
  vdisk_options_set_syntax (options, VDISK_SYNTAX_COMMAND_LINE);
  copy = options_copy (options);
  ck_assert_str_eq (options_prefix (copy), "--");
  ck_assert_str_eq (options_on (copy), "");
  for (i = 0; i < sizeof rows / sizeof rows[0]; ++i) {
    ck_assert_int_eq (vdisk_options_set (copy, rows[i].name, rows[i].value,
                                         &error), -1);
    ck_assert_str_eq (error.message, rows[i].message);
  }
  vdisk_options_free (copy);
  vdisk_options_free (options);
}
END_TEST

/* Only of files that are in use, and as much as fits. */
START_TEST (advice)
{
  struct vdisk_options *options = new_options ();
  struct vdisk_error busy = { EBUSY, "busy" }, other = { EIO, "no" };

  options_advise_sharing (options, NULL);
  options_advise_sharing (options, &other);
  ck_assert_str_eq (other.message, "no");
  options_advise_sharing (options, &busy);
  ck_assert_str_eq (busy.message, "busy (force-share=true opens it all the "
                    "same, and what is read may be torn)");
  vdisk_options_set_syntax (options, VDISK_SYNTAX_COMMAND_LINE);
  strcpy (busy.message, "busy");
  options_advise_sharing (options, &busy);
  ck_assert_str_eq (busy.message, "busy (--force-share opens it all the "
                    "same, and what is read may be torn)");
  memset (busy.message, 'x', sizeof busy.message - 4);
  strcpy (busy.message + sizeof busy.message - 4, "yyy");
  options_advise_sharing (options, &busy);
  ck_assert_str_eq (busy.message + sizeof busy.message - 4, "yyy");
  vdisk_options_free (options);
}
END_TEST

/* --- Directories ----------------------------------------------------- */

START_TEST (backing_dirs)
{
  struct vdisk_options *options = new_options ();
  struct vdisk_error error;
  char *cwd = get_current_dir_name ();

  ck_assert_ptr_nonnull (cwd);
  ck_assert_int_eq (chdir (scratch_directory ()), 0);
  ck_assert_int_eq (symlink ("/usr", "link"), 0);
  ck_assert_int_eq (vdisk_options_set (options, "backing-dir", ".", &error),
                    0);
  ck_assert_int_eq (vdisk_options_set (options, "backing-dir", "link/lib/..",
                                       &error), 0);
  ck_assert_int_eq (vdisk_options_set (options, "backing-dir", "/", &error),
                    0);
  ck_assert_int_eq (chdir (cwd), 0);
  free (cwd);

  ck_assert_uint_eq (options->backing_dir_count, 3);
  ck_assert_str_eq (options->backing_dirs[0], scratch_directory ());
  ck_assert_str_eq (options->backing_dirs[1], "/usr");
  ck_assert_str_eq (options->backing_dirs[2], "/");
  vdisk_options_free (options);
}
END_TEST

START_TEST (backing_dirs_many)
{
  struct vdisk_options *options = new_options ();
  unsigned i;

  for (i = 0; i < 500; ++i)
    ck_assert_int_eq (vdisk_options_set (options, "backing-dir",
                                         i % 2 ? "/" : "/usr", NULL), 0);
  ck_assert_uint_eq (options->backing_dir_count, 500);
  for (i = 0; i < 500; ++i)
    ck_assert_str_eq (options->backing_dirs[i], i % 2 ? "/" : "/usr");
  vdisk_options_free (options);
}
END_TEST

START_TEST (backing_dir_missing)
{
  struct vdisk_options *options = new_options ();
  struct vdisk_error error;

  ck_assert_int_eq (vdisk_options_set (options, "backing-dir",
                                       "/no\nwhere", &error), -1);
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_str_eq (error.message, "backing-dir=/no\\x0awhere: "
                    "No such file or directory");
  ck_assert_uint_eq (options->backing_dir_count, 0);
  vdisk_options_free (options);
}
END_TEST

/* A file allows nothing, so to name one is a mistake. */
START_TEST (backing_dir_is_file)
{
  struct vdisk_options *options = new_options ();
  struct vdisk_error error;
  const char *path = scratch_write ("file", "", 0);

  ck_assert_int_eq (vdisk_options_set (options, "backing-dir", path,
                                       &error), -1);
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_ptr_nonnull (strstr (error.message, path));
  ck_assert_uint_eq (options->backing_dir_count, 0);
  vdisk_options_free (options);
}
END_TEST

/* --- Warnings -------------------------------------------------------- */

static void
keep (void *opaque, const char *message)
{
  struct vdisk_error *kept = opaque;

  kept->errnum++;
  ck_assert_uint_lt (strlen (message), sizeof kept->message);
  strcpy (kept->message, message);
}

START_TEST (warnings)
{
  struct vdisk_options *options = new_options ();
  struct vdisk_error kept = { 0 };

  options_warn (NULL, "nobody %s", "listens");
  options_warn (options, "nobody %s", "listens");
  vdisk_options_set_warning_callback (options, keep, &kept);
  options_warn (options, "%s: time stamp differs", "disk.vhd");
  ck_assert_int_eq (kept.errnum, 1);
  ck_assert_str_eq (kept.message, "disk.vhd: time stamp differs");
  options_warn (options, "%s", "a\033[2Jb\n%s");
  ck_assert_int_eq (kept.errnum, 2);
  ck_assert_str_eq (kept.message, "a\\x1b[2Jb\\x0a%s");
  vdisk_options_set_warning_callback (options, NULL, NULL);
  options_warn (options, "nobody %s", "listens");
  ck_assert_int_eq (kept.errnum, 2);
  vdisk_options_free (options);
}
END_TEST

START_TEST (debug_messages)
{
  struct vdisk_options *options = new_options ();
  struct vdisk_error kept = { 0 };

  debug_message (NULL, "nobody %s", "listens");
  debug_message (options, "nobody %s", "listens");
  ck_assert_uint_eq (debug_clock (options), 0);
  vdisk_options_set_debug_callback (options, keep, &kept, 0);
  ck_assert_uint_eq (debug_clock (options), 0);
  debug_message (options, "%s: opened", "a\nb");
  ck_assert_int_eq (kept.errnum, 1);
  ck_assert_str_eq (kept.message, "a\\x0ab: opened");
  debug_slow (options, 0, "disk", "read", 512, 0);
  ck_assert_int_eq (kept.errnum, 1);
  vdisk_options_set_debug_callback (options, keep, &kept, 1000);
  ck_assert_uint_gt (debug_clock (options), 0);
  debug_slow (options, debug_clock (options), "disk", "read", 512, 0);
  ck_assert_int_eq (kept.errnum, 1);
  debug_slow (options, debug_clock (options) - 2000000000, "disk", "read",
              512, 1024);
  ck_assert_int_eq (kept.errnum, 2);
  ck_assert_ptr_nonnull (strstr (kept.message, "disk: read of 512 bytes at "
                                 "offset 1024 took 2"));
  vdisk_options_set_debug_callback (options, NULL, NULL, 1000);
  ck_assert_uint_eq (debug_clock (options), 0);
  vdisk_options_free (options);
}
END_TEST

START_TEST (warning_too_long)
{
  struct vdisk_options *options = new_options ();
  struct vdisk_error kept = { 0 };
  char text[5000];

  memset (text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  vdisk_options_set_warning_callback (options, keep, &kept);
  options_warn (options, "%s", text);
  ck_assert_int_eq (kept.errnum, 1);
  ck_assert_uint_gt (strlen (kept.message), 500);
  ck_assert_uint_eq (strspn (kept.message, "x"), strlen (kept.message));
  vdisk_options_free (options);
}
END_TEST

#define COUNT(array) ((int) (sizeof (array) / sizeof (array)[0]))

int
main (void)
{
  Suite *suite = suite_create ("options");
  TCase *tcase = tcase_create ("options");

  tcase_add_test (tcase, defaults);
  tcase_add_test (tcase, format);
  tcase_add_test (tcase, words);
  tcase_add_loop_test (tcase, cache_size, 0, COUNT (cache_sizes));
  tcase_add_loop_test (tcase, timeout, 0, COUNT (timeouts));
  tcase_add_loop_test (tcase, refused, 0, COUNT (bad));
  tcase_add_test (tcase, command_line);
  tcase_add_test (tcase, advice);
  tcase_add_test (tcase, warnings);
  tcase_add_test (tcase, warning_too_long);
  tcase_add_test (tcase, debug_messages);
  suite_add_tcase (suite, tcase);

  tcase = tcase_create ("directories");
  tcase_add_unchecked_fixture (tcase, scratch_setup, scratch_teardown);
  tcase_add_test (tcase, backing_dirs);
  tcase_add_test (tcase, backing_dirs_many);
  tcase_add_test (tcase, backing_dir_missing);
  tcase_add_test (tcase, backing_dir_is_file);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
