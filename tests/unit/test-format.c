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
#define EMPTY "disk: this is an empty file, and not read (there is no image " \
  "in it)"
#define AMBIGUOUS(a, b) "disk: this could be " a " or " b ": its format " \
  "has to be said, for a guest can imitate either"

/* Probe a file, and check what it is, or why it is nothing. */
static void
check_probe (const void *bytes, size_t size, const struct format *format,
             const char *message)
{
  struct source *source = source_memory ("disk", bytes, size);
  struct vdisk_error error = { 0 };
  const struct format *found = format_probe (source, NULL, &error);

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
  { "KDMX", 4, NULL },
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

    check_probe (bytes, size, format, format ? "" : size == 0 ? EMPTY
                 : UNKNOWN);
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

#define CONVERT "(convert it first, as with qemu-img convert)"
#define SERVE(name) "(decompress it first, or serve it with nbdkit " \
  "--filter=" name " and open that by its NBD URI)"
#define BYTES(bytes) bytes, sizeof bytes - 1
#define RAW " (raw is never guessed: its format has to be said)"

/* What others' files have where, and what is said of them. */
static const struct {
  size_t offset;
  const char *bytes;
  size_t length;
  const char *message;
} foreign[] = {
  { 0, BYTES ("vhdxfile"), "is a VHDX image, and not read " CONVERT },
  { 0, BYTES ("KDMV"), "is a VMDK image, and not read " CONVERT },
  { 0, BYTES ("COWD"), "is a VMDK image of ESX, and not read " CONVERT },
  { 0, BYTES ("# Disk DescriptorFile\nversion=1\n"),
    "is the descriptor of a VMDK image, and not read " CONVERT },
  { 64, BYTES ("\x7f\x10\xda\xbe"), "is a VDI image, and not read "
    CONVERT },
  { 65024, BYTES ("koly\0\0\0\4"), "is a DMG image, and not read " CONVERT },
  { 0, BYTES ("LUKS\xba\xbe\0\1"), "is a disk encrypted with LUKS, and not "
    "read (nbdkit --filter=luks decrypts it)" },
  { 0, BYTES ("\x1f\x8b\x08\0"), "is compressed with gzip, and not read "
    SERVE ("gzip") },
  { 0, BYTES ("\xfd" "7zXZ\0"), "is compressed with xz, and not read "
    SERVE ("xz") },
  { 0, BYTES ("\x28\xb5\x2f\xfd"), "is compressed with zstd, and not read "
    "(decompress it first)" },
  { 0, BYTES ("BZh91AY&SY"), "is compressed with bzip2, and not read "
    "(decompress it first)" },
  { 0, BYTES ("PK\3\4"), "is a zip archive, and not read (take the image "
    "out of it first)" },
  { 0, BYTES ("PK\5\6"), "is an empty zip archive, and not read (no image is "
    "in it)" },
  { 257, BYTES ("ustar\0"), "is a tar archive, and not read (take the image "
    "out of it first, or serve it with nbdkit --filter=tar and open that by "
    "its NBD URI)" },
  { 0x8001, BYTES ("CD001"), "looks like an ISO 9660 image" RAW },
  { 512, BYTES ("EFI PART"), "looks like a raw disk with a GUID partition "
    "table" RAW },
  { 4096, BYTES ("EFI PART"), "looks like a raw disk with a GUID partition "
    "table" RAW },
};

static char file[65536];

static void
check_foreign (size_t size, const char *says)
{
  char message[300];

  snprintf (message, sizeof message, "disk: this %s", says);
  check_probe (file, size, NULL, message);
}

/* A file that ends before what would tell is not recognized, and nothing
 * is read beyond its end. */
START_TEST (test_foreign)
{
  const size_t end = foreign[_i].offset + foreign[_i].length;
  const bool at_end = foreign[_i].offset == sizeof file - 512;

  memset (file, 0, sizeof file);
  memcpy (file + foreign[_i].offset, foreign[_i].bytes, foreign[_i].length);
  check_foreign (sizeof file, foreign[_i].message);
  if (!at_end)
    check_foreign (end, foreign[_i].message);
  check_probe (file, foreign[_i].offset + 1, NULL, UNKNOWN);
}
END_TEST

/* Tar archives by their first member. */
START_TEST (test_tar)
{
  memset (file, 0, sizeof file);
  memcpy (file + 257, "ustar", 5);
  strcpy (file, "ova.xml");
  check_foreign (1024, "is an XVA, a tar archive of XenServer, and not read "
                 "(xe vm-import reads it)");
  strcpy (file, "machine.ovf");
  check_foreign (1024, "is an OVA, a tar archive, and not read (take the "
                 "images out of it first)");
  memset (file, 'x', 100);
  check_foreign (1024, foreign[13].message);
}
END_TEST

START_TEST (test_empty)
{
  check_probe ("", 0, NULL, EMPTY);
}
END_TEST

/* A table of partitions, and what makes it none. */
START_TEST (test_mbr)
{
  static const struct { size_t at; uint8_t value; bool is; } edits[] = {
    { 0, 0xfa, true },          /* the boot loader */
    { 446, 0x80, true },        /* active */
    { 446, 0x01, false },
    { 450, 0, false },          /* no type */
    { 454, 0, false },          /* starts at sector 0 */
    { 455, 1, false },          /* starts beyond the end */
    { 458, 0, false },          /* no sector */
    { 462, 1, false },          /* garbage in the second entry */
    { 510, 0, false },
  };
  size_t i;

  for (i = 0; i < LEN (edits); ++i) {
    memset (file, 0, sizeof file);
    file[450] = 0x83;
    file[454] = 1;
    file[458] = 100;
    memcpy (file + 510, "\x55\xaa", 2);
    file[edits[i].at] = edits[i].value;
    if (edits[i].is)
      check_foreign (sizeof file, "looks like a raw disk with an MBR "
                     "partition table" RAW);
    else
      check_probe (file, sizeof file, NULL, UNKNOWN);
  }
}
END_TEST

/* Of a file whose format was said wrongly it is told what it is. */
START_TEST (test_wrong_format)
{
  static const struct {
    const char *bytes;
    const struct format *format;
    int errnum;
    const char *says;
  } rows[] = {
    { "conectix", &format_qcow2, EINVAL, " (this is a VHD image)" },
    { "QFI\xfb", &format_vhd, EINVAL, " (this is a QCOW2 image)" },
    { "QED", &format_vhd, ENOTSUP, " (this is a QED image)" },
    { "vhdxfile", &format_vhd, EINVAL, " (this is a VHDX image)" },
    { "EFI PART", &format_vhd, EINVAL, "" },
    { "conectix", &format_vhd, EINVAL, "" },
    { "conectix", &format_raw, EINVAL, "" },
    { "conectix", &format_qcow2, EIO, "" },
  };
  char expected[64];
  size_t i;

  for (i = 0; i < LEN (rows); ++i) {
    struct vdisk_error error = { rows[i].errnum, "wrong" };
    struct source *source;

    memset (file, 0, sizeof file);
    strcpy (file, rows[i].bytes);
    source = source_memory ("disk", file, 1024);
    format_add_magic (rows[i].format, source, &error);
    format_add_magic (rows[i].format, source, NULL);
    snprintf (expected, sizeof expected, "wrong%s", rows[i].says);
    ck_assert_str_eq (error.message, expected);
    source_close (source);
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

    format = format_probe (source, NULL, &error);
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
  for (i = 0; format_drivers[i]; ++i)
    ck_assert_ptr_eq (format_by_name (format_drivers[i]->name),
                      format_drivers[i]);
  ck_assert_uint_eq (i, LEN (wanted));
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
  tcase_add_loop_test (tcase, test_foreign, 0, LEN (foreign));
  tcase_add_test (tcase, test_tar);
  tcase_add_test (tcase, test_empty);
  tcase_add_test (tcase, test_mbr);
  tcase_add_test (tcase, test_wrong_format);
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
