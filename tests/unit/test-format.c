/* SPDX-License-Identifier: BSD-3-Clause */
/* Choosing a format: by its name, and by the magic in a file. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "source/memory.h"
#include "support.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])

#define UNKNOWN "disk: not recognized as VHD, QCOW2 or QED (raw is never " \
  "guessed: its format has to be said)"
#define AMBIGUOUS(a, b) "disk: this could be " a " or " b ": its format " \
  "has to be said, for a guest can imitate either"

/* Probe a file, and check what it is, or why it is nothing. */
static void
check_probe (const void *bytes, size_t size, const struct format *format,
             const char *message)
{
  struct source *source = source_memory ("disk", bytes, size);
  struct vdisk_error error = { 0 };
  const struct format *found = format_probe (source, &error);

  ck_assert_msg (found == format, "%zu bytes: found %s: %s", size,
                 found ? found->name : "nothing", error.message);
  ck_assert_str_eq (error.message, message);
  ck_assert_int_eq (error.errnum, format ? 0 : EINVAL);
  source_close (source);
}

struct magic {
  const char *bytes;
  size_t length;
  const struct format *format;  /* NULL: no magic, though close to one */
};

static const struct magic magics[] = {
  { "QFI\xfb", 4, &format_qcow2 },
  { "QED\0", 4, &format_qed },
  { "conectix", 8, &format_vhd },
  { "QFI\xfa", 4, NULL },
  { "qfi\xfb", 4, NULL },
  { "QEDx", 4, NULL },
  { "DEQ\0", 4, NULL },
  { "conectiX", 8, NULL },
  { "cxsparse", 8, NULL },
  { "KDMV", 4, NULL },
  { "", 0, NULL },
};

/* Files of every size up to one past a sector that start with 'magic'. */
static void
check_start (const struct magic *magic)
{
  char bytes[513] = "";
  size_t size;

  memcpy (bytes, magic->bytes, magic->length);
  for (size = 0; size <= sizeof bytes; ++size) {
    const struct format *format =
      size >= magic->length ? magic->format : NULL;

    check_probe (bytes, size, format, format ? "" : UNKNOWN);
  }
}

START_TEST (test_magic)
{
  size_t i;

  for (i = 0; i < LEN (magics); ++i)
    check_start (&magics[i]);
}
END_TEST

/* A footer's magic counts where the footer is whole: 512 bytes before the
 * end, or 511. */
START_TEST (test_footer)
{
  static char bytes[3000];
  size_t before;

  for (before = 500; before < 520; ++before) {
    bool footer = before == 511 || before == 512;

    memset (bytes, 0, sizeof bytes);
    memcpy (bytes + sizeof bytes - before, "conectix", 8);
    check_probe (bytes, sizeof bytes, footer ? &format_vhd : NULL,
                 footer ? "" : UNKNOWN);
  }
}
END_TEST

/* Magic that is not at the start says nothing. */
START_TEST (test_elsewhere)
{
  static char bytes[2048];
  size_t i, at;

  for (i = 0; i < LEN (magics); ++i)
    for (at = 1; at < 1400; at += 17) {
      memset (bytes, 0, sizeof bytes);
      memcpy (bytes + at, magics[i].bytes, magics[i].length);
      check_probe (bytes, sizeof bytes, NULL, UNKNOWN);
    }
}
END_TEST

/* The start is one format's, the end another's. */
START_TEST (test_ambiguous)
{
  static char bytes[4096];
  size_t before;

  for (before = 511; before <= 512; ++before) {
    memset (bytes, 0, sizeof bytes);
    memcpy (bytes + sizeof bytes - before, "conectix", 8);
    memcpy (bytes, "QFI\xfb", 4);
    check_probe (bytes, sizeof bytes, NULL, AMBIGUOUS ("vhd", "qcow2"));
    memcpy (bytes, "QED\0", 4);
    check_probe (bytes, sizeof bytes, NULL, AMBIGUOUS ("vhd", "qed"));
    memcpy (bytes, "conectix", 8);
    check_probe (bytes, sizeof bytes, &format_vhd, "");
  }
}
END_TEST

START_TEST (test_faulty)
{
  static const char bytes[4096] = "QFI\xfb";
  const struct format *format = NULL;
  size_t fail_at;

  for (fail_at = 0; format == NULL; ++fail_at) {
    struct source *source =
      source_faulty (source_memory ("disk", bytes, sizeof bytes), fail_at);
    struct vdisk_error error = { 0 };

    format = format_probe (source, &error);
    if (format == NULL) {
      ck_assert_str_eq (error.message, "injected");
      ck_assert_int_eq (error.errnum, EIO);
    }
    source_close (source);
  }
  ck_assert_ptr_eq (format, &format_qcow2);
  ck_assert_uint_gt (fail_at, 1);
}
END_TEST

START_TEST (test_names)
{
  static const char *const wanted[] = { "vhd", "qcow2", "qed", "raw" };
  const char *const *names = format_names ();
  size_t i;

  for (i = 0; i < LEN (wanted); ++i) {
    ck_assert_str_eq (names[i], wanted[i]);
    ck_assert_ptr_nonnull (format_by_name (wanted[i]));
    ck_assert_str_eq (format_by_name (wanted[i])->name, wanted[i]);
  }
  ck_assert_ptr_null (names[i]);
}
END_TEST

START_TEST (test_by_name)
{
  static const char *const unknown[] = {
    "", "auto", "QCOW2", "qcow", "qcow2 ", "vhdx", "vmdk", "host_device",
  };
  size_t i;

  ck_assert_ptr_eq (format_by_name ("vpc"), &format_vhd);
  ck_assert_ptr_eq (format_by_name ("vhd"), &format_vhd);
  ck_assert_ptr_eq (format_by_name ("qcow2"), &format_qcow2);
  ck_assert_ptr_eq (format_by_name ("qed"), &format_qed);
  ck_assert_ptr_eq (format_by_name ("raw"), &format_raw);
  for (i = 0; i < LEN (unknown); ++i)
    ck_assert_msg (format_by_name (unknown[i]) == NULL, "%s", unknown[i]);
}
END_TEST

static Suite *
format_suite (void)
{
  Suite *suite = suite_create ("format");
  TCase *tcase = tcase_create ("format");

  tcase_add_test (tcase, test_magic);
  tcase_add_test (tcase, test_footer);
  tcase_add_test (tcase, test_elsewhere);
  tcase_add_test (tcase, test_ambiguous);
  tcase_add_test (tcase, test_faulty);
  tcase_add_test (tcase, test_names);
  tcase_add_test (tcase, test_by_name);
  suite_add_tcase (suite, tcase);
  return suite;
}

int
main (void)
{
  return run_suite (format_suite ());
}
