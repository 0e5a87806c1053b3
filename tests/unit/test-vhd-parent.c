/* SPDX-License-Identifier: BSD-3-Clause */
/* Parents of differencing VHDs: the names that locators of every kind
 * give, in order, what is done without, and which parent is accepted.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/memory.h"
#include "support.h"
#include "vhd-image.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])

#define W2RU VHD_LOCATOR_W2RU
#define W2KU VHD_LOCATOR_W2KU
#define MACX VHD_LOCATOR_MACX
#define WI2R VHD_LOCATOR_WI2R
#define WI2K VHD_LOCATOR_WI2K
#define MAC_ALIAS 0x4d616320

static void
init_child (struct vhd_image *image)
{
  vhd_image_init (image, VHD_DIFFERENCING, 4096, 4096);
}

/* The name in the header, in UTF-16BE, without terminator. */
static void
set_parent_name (struct vhd_image *image, const char *text)
{
  uint8_t *name = vhd_image_header (image)->parent_name;
  size_t i;

  memset (name, 0, 512);
  for (i = 0; text[i]; ++i)
    name[2 * i + 1] = text[i];
  vhd_image_fix (image);
}

static bool
is_utf16 (uint32_t code)
{
  return code == W2RU || code == W2KU;
}

/* The names that a reference has, with "|" between them. */
static const char *
names_text (const struct reference *reference)
{
  static char text[8192];
  size_t i, used = 0;

  text[0] = '\0';
  for (i = 0; i < reference->name_count; ++i)
    used += snprintf (text + used, sizeof text - used, "%s%s",
                      i > 0 ? "|" : "", reference->names[i]);
  return text;
}

static void
check_names (const struct vhd_image *image, const char *expected,
             const char *warned)
{
  struct layer *layer = vhd_image_open (image, NULL);

  ck_assert_str_eq (layer->backing.role, "parent");
  ck_assert_ptr_eq (layer->backing.format, &format_vhd);
  ck_assert_str_eq (names_text (&layer->backing), expected);
  ck_assert_str_eq (last_warning (), warned ? warned : "");
  layer_close (layer);
}

static void
check_no_name (const struct vhd_image *image, const char *warned)
{
  struct vdisk_error error = { 0 };

  ck_assert_ptr_null (vhd_image_try (image, NULL, &error));
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_str_eq (error.message, "disk.vhd: header: no locator and no "
                    "name tells where the parent is");
  ck_assert_str_eq (last_warning (), warned ? warned : "");
}

/* One locator each. */
static const struct {
  uint32_t code;
  const char *text, *names;     /* NULL: it names nothing */
} paths[] = {
  /* Windows, relative. */
  { W2RU, "base.vhd", "base.vhd" },
  { W2RU, ".\\base.vhd", "base.vhd" },
  { W2RU, ".\\.\\\\base.vhd", "base.vhd" },
  { W2RU, "..\\disks\\my base.vhd", "../disks/my base.vhd" },
  { W2RU, ".\\..\\base.vhd", "../base.vhd" },
  { W2RU, "sub\\.\\base.vhd", "sub/./base.vhd" },
  { W2RU, "sub/base.vhd", "sub/base.vhd" },
  { W2RU, "a%20b.vhd", "a%20b.vhd" },
  { W2RU, ".\\", NULL },
  /* Only the last part of what is absolute there. */
  { W2KU, "C:\\disks\\base.vhd", "base.vhd" },
  { W2KU, "z:/disks/base.vhd", "base.vhd" },
  { W2KU, "C:base.vhd", "base.vhd" },
  { W2KU, "\\\\server\\share\\base.vhd", "base.vhd" },
  { W2KU, "\\\\?\\C:\\disks\\base.vhd", "base.vhd" },
  { W2KU, "\\disks\\base.vhd", "base.vhd" },
  { W2KU, "C:\\disks\\", NULL },
  { W2KU, "C:", NULL },
  { W2RU, "C:\\disks\\base.vhd", "base.vhd" },
  { W2KU, "1:\\base.vhd", "1:/base.vhd" },
  /* Tools here have written paths of here, and relative ones. */
  { W2KU, "/srv/disks/base.vhd", "/srv/disks/base.vhd" },
  { W2KU, ".\\base.vhd", "base.vhd" },
  { W2RU, ".\\/etc/passwd", "etc/passwd" },
  /* The same in bytes. */
  { WI2R, ".\\base.vhd", "base.vhd" },
  { WI2R, "b\xe4se.vhd", "b\xe4se.vhd" },
  { WI2K, "C:\\disks\\base.vhd", "base.vhd" },
  /* URLs. */
  { MACX, "file:///srv/base.vhd", "/srv/base.vhd" },
  { MACX, "file://localhost/srv/base.vhd", "/srv/base.vhd" },
  { MACX, "file:///srv/my%20b%C3%a4se%2evhd", "/srv/my b\xc3\xa4se.vhd" },
  { MACX, "file:///srv/100%.vhd", "/srv/100%.vhd" },
  { MACX, "file:///srv/100%2", "/srv/100%2" },
  { MACX, "file:///srv/%", "/srv/%" },
  { MACX, "file:///srv/%g0%0g%-1", "/srv/%g0%0g%-1" },
  { MACX, "file:///srv/%2541", "/srv/%41" },
  { MACX, "file:///srv/base%00.vhd", "/srv/base" },
  { MACX, "file:///srv/back\\slash.vhd", "/srv/back\\slash.vhd" },
  /* Xen's, which are none: literal, and only then decoded. */
  { MACX, "file://./base.vhd", "base.vhd" },
  { MACX, "file://./my base.vhd", "my base.vhd" },
  { MACX, "file://./../a/base.vhd", "../a/base.vhd" },
  { MACX, "file://../base.vhd", "../base.vhd" },
  { MACX, "file://./100%.vhd", "100%.vhd" },
  { MACX, "file://./a%20b.vhd", "a%20b.vhd|a b.vhd" },
  { MACX, "file://base.vhd", "base.vhd" },
  { MACX, "base%20.vhd", "base%20.vhd" },
  { MACX, "/srv/base%20.vhd", "/srv/base%20.vhd" },
  { MACX, "file://./", NULL },
  { MACX, "file://", NULL },
  { MACX, "file://localhost/%00", "/" },
};

START_TEST (test_path)
{
  const uint32_t code = paths[_i].code;
  const char *text = paths[_i].text;
  struct vhd_image image;
  char warned[64];

  init_child (&image);
  if (is_utf16 (code))
    vhd_image_add_path (&image, 3, code, text);
  else
    vhd_image_add_locator (&image, 3, code, text, strlen (text));
  snprintf (warned, sizeof warned,
            "disk.vhd: parent locator 3 (%c%c%c%c): names no file: ignored",
            code >> 24, code >> 16 & 0xff, code >> 8 & 0xff, code & 0xff);
  if (paths[_i].names)
    check_names (&image, paths[_i].names, NULL);
  else
    check_no_name (&image, warned);
  vhd_image_free (&image);
}
END_TEST

/* The name in the header, which counts only in the child's directory. */
static const struct {
  const char *text, *name;
} names[] = {
  { "base.vhd", "base.vhd" },
  { ".\\base.vhd", "base.vhd" },
  { "C:\\disks\\base.vhd", "base.vhd" },
  { "\\\\server\\share\\base.vhd", "base.vhd" },
  { "/srv/disks/base.vhd", "base.vhd" },
  { "sub\\base.vhd", "sub/base.vhd" },
};

START_TEST (test_parent_name)
{
  struct vhd_image image;

  init_child (&image);
  set_parent_name (&image, names[_i].text);
  check_names (&image, names[_i].name, NULL);
  vhd_image_free (&image);
}
END_TEST

/* All 512 bytes of it, with characters of four bytes. */
START_TEST (test_long_parent_name)
{
  static const char smile[] = "\xf0\x9f\x98\x80";
  char expected[128 * 4 + 1] = "";
  struct vhd_image image;
  uint8_t *name;
  size_t i;

  init_child (&image);
  name = vhd_image_header (&image)->parent_name;
  for (i = 0; i < 128; ++i) {
    memcpy (name + 4 * i, "\xd8\x3d\xde\x00", 4);
    memcpy (expected + 4 * i, smile, 4);
  }
  vhd_image_fix (&image);
  check_names (&image, expected, NULL);
  /* The oldest of Xen's tools wrote it with a byte order mark. */
  memset (name, 0, 512);
  memcpy (name, "\xff\xfe" "a\0b\0", 6);
  vhd_image_fix (&image);
  check_names (&image, "ab", NULL);
  /* Half a pair. */
  memcpy (name, "\xd8\x3d", 2);
  vhd_image_fix (&image);
  check_no_name (&image,
                 "disk.vhd: parent name: not valid UTF-16: ignored");
  vhd_image_free (&image);
}
END_TEST

START_TEST (test_order)
{
  struct vhd_image image;

  init_child (&image);
  set_parent_name (&image, "9.vhd");
  vhd_image_add_locator (&image, 0, WI2K, "C:\\8.vhd", 8);
  vhd_image_add_locator (&image, 1, WI2R, "7.vhd", 5);
  vhd_image_add_path (&image, 2, W2KU, "D:\\6.vhd");
  vhd_image_add_path (&image, 3, W2KU, "D:\\5.vhd");
  vhd_image_add_locator (&image, 4, MACX, "file:///4.vhd", 13);
  vhd_image_add_locator (&image, 5, MACX, "file:///3.vhd", 13);
  vhd_image_add_path (&image, 6, W2RU, "1.vhd");
  vhd_image_add_path (&image, 7, W2RU, "2.vhd");
  check_names (&image, "1.vhd|2.vhd|/4.vhd|/3.vhd|6.vhd|5.vhd|7.vhd|8.vhd|"
               "9.vhd", NULL);
  vhd_image_free (&image);
}
END_TEST

/* As libvhd writes them: three relative locators, in bytes. */
START_TEST (test_xen)
{
  struct vhd_image image;
  unsigned i;

  init_child (&image);
  set_parent_name (&image, "base.vhd");
  vhd_image_add_locator (&image, 0, MACX, "file://./base.vhd", 17);
  vhd_image_add_path (&image, 1, W2KU, ".\\base.vhd");
  vhd_image_add_path (&image, 2, W2RU, ".\\base.vhd");
  for (i = 0; i < 3; ++i)
    vhd_image_header (&image)->locators[i].data_space = to_be32 (512);
  vhd_image_fix (&image);
  check_names (&image, "base.vhd", NULL);
  vhd_image_free (&image);
}
END_TEST

/* A null UUID means a raw parent. */
START_TEST (test_raw_parent)
{
  struct vhd_image image;
  struct layer *layer;

  init_child (&image);
  set_parent_name (&image, "base.img");
  memset (vhd_image_header (&image)->parent_uuid, 0, 16);
  vhd_image_fix (&image);
  layer = vhd_image_open (&image, NULL);
  ck_assert_ptr_eq (layer->backing.format, &format_raw);
  ck_assert_str_eq (names_text (&layer->backing), "base.img");
  layer_close (layer);
  vhd_image_free (&image);
}
END_TEST

/* A NUL ends the name, whether the length counts it or not. */
START_TEST (test_terminators)
{
  struct vhd_image image;

  init_child (&image);
  vhd_image_add_locator (&image, 0, W2RU, "a\0\0\0b\0", 6);
  vhd_image_add_locator (&image, 1, MACX, "file://./c\0d", 12);
  vhd_image_add_locator (&image, 2, W2KU, "e\0\0\0", 4);
  vhd_image_add_locator (&image, 3, WI2R, "f\0", 2);
  check_names (&image, "a|c|e|f", NULL);
  vhd_image_free (&image);
}
END_TEST

/* Fields of locator 0 that lie, where locator 1 is good. */
#define FIELD(field) \
  offsetof (struct vhd_locator, field), \
  sizeof ((struct vhd_locator *) 0)->field

static const struct {
  size_t offset;
  unsigned width;
  uint64_t value;
  const char *names, *warned;   /* after "disk.vhd: parent locator 0 (W2ru)" */
} locators[] = {
  { FIELD (data_space), 1, "a.vhd|b.vhd", NULL },
  { FIELD (data_space), 511, "a.vhd|b.vhd", NULL },
  { FIELD (data_space), 512, "a.vhd|b.vhd", NULL },
  { FIELD (data_space), 0xffffffff, "a.vhd|b.vhd", NULL },
  { FIELD (data_space), 0, "b.vhd", "space 0, must be at least "
    "1 for a length of 10" },
  { FIELD (data_length), 0, "b.vhd", "length 0, must be 1 to 512" },
  { FIELD (data_length), 512, "a.vhd|b.vhd", NULL },
  { FIELD (data_length), 513, "b.vhd", "length 513, must be 1 to 512" },
  { FIELD (data_length), 0xffffffff, "b.vhd",
    "length 4294967295, must be 1 to 512" },
  { FIELD (data_length), 9, "b.vhd", "not valid UTF-16" },
  { FIELD (data_offset), 5111, "b.vhd", "10 bytes at offset 5111 reach "
    "beyond the end of the file (5120 bytes)" },
  { FIELD (data_offset), UINT64_MAX, "b.vhd", "10 bytes at offset "
    "18446744073709551615 reach beyond the end of the file (5120 bytes)" },
  { FIELD (data_offset), 3000, "b.vhd", "names no file" },
  { FIELD (code), 0, "b.vhd", NULL },
  { FIELD (code), MAC_ALIAS, "b.vhd", NULL },
  { FIELD (code), 0x12345678, "b.vhd", NULL },
};

START_TEST (test_locator)
{
  struct vhd_image image;
  uint8_t *at;
  char warned[256];
  unsigned i;

  init_child (&image);
  vhd_image_add_path (&image, 0, W2RU, "a.vhd");
  vhd_image_add_path (&image, 1, W2RU, "b.vhd");
  vhd_image_append (&image, 512);
  at = (uint8_t *) vhd_image_header (&image)->locators + locators[_i].offset;
  for (i = 0; i < locators[_i].width; ++i)
    at[i] = locators[_i].value >> 8 * (locators[_i].width - 1 - i);
  vhd_image_fix (&image);
  snprintf (warned, sizeof warned,
            "disk.vhd: parent locator 0 (W2ru): %s: ignored",
            locators[_i].warned ? locators[_i].warned : "");
  check_names (&image, locators[_i].names,
               locators[_i].warned ? warned : NULL);
  vhd_image_free (&image);
}
END_TEST

/* The longest locator, all of characters that take 3 bytes in UTF-8. */
START_TEST (test_long_locator)
{
  struct vhd_image image;
  uint8_t data[4098];
  char *expected = malloc (6145);
  size_t i;

  for (i = 0; i < sizeof data; i += 2)
    memcpy (data + i, "\xac\x20", 2);
  for (i = 0; i < 2048; ++i)
    memcpy (expected + 3 * i, "\xe2\x82\xac", 3);
  expected[6144] = '\0';
  init_child (&image);
  vhd_image_add_locator (&image, 0, W2RU, data, 4096);
  check_names (&image, expected, NULL);
  vhd_image_add_locator (&image, 0, W2RU, data, 4098);
  check_no_name (&image, "disk.vhd: parent locator 0 (W2ru): length 4098, "
                 "must be 1 to 4096: ignored");
  vhd_image_free (&image);
  free (expected);
}
END_TEST

START_TEST (test_no_name)
{
  struct vhd_image image;

  init_child (&image);
  check_no_name (&image, NULL);
  vhd_image_free (&image);
}
END_TEST

/* No reading of locators in disks that have no parent. */
START_TEST (test_dynamic)
{
  struct vhd_image image;
  struct layer *layer;

  vhd_image_init (&image, VHD_DYNAMIC, 4096, 4096);
  vhd_image_add_path (&image, 0, W2RU, "base.vhd");
  layer = vhd_image_open (&image, NULL);
  ck_assert_ptr_null (layer->backing.role);
  ck_assert_uint_eq (layer->backing.name_count, 0);
  layer_close (layer);
  vhd_image_free (&image);
}
END_TEST

/* --- Is it the parent? ------------------------------------------------ */

struct family {
  struct vdisk_options *options;
  struct vhd_image parent_image, child_image;
  struct layer *parent, *child;
};

static void
family_init (struct family *family)
{
  const uint8_t *uuid;

  vhd_image_init (&family->parent_image, VHD_FIXED, 512, 0);
  init_child (&family->child_image);
  set_parent_name (&family->child_image, "base.vhd");
  uuid = vhd_image_footer (&family->parent_image)->uuid;
  memcpy (vhd_image_header (&family->child_image)->parent_uuid, uuid, 16);
  vhd_image_fix (&family->child_image);
}

/* The child stays as while it is opened. */
static void
family_open (struct family *family)
{
  struct vdisk_error error = { 0 };

  family->options = vdisk_options_new ();
  vhd_image_fix (&family->parent_image);
  family->parent = open_layer_bytes (&format_vhd, "base.vhd",
                                     family->parent_image.bytes,
                                     family->parent_image.size, NULL,
                                     &error);
  vhd_image_fix (&family->child_image);
  family->child = vhd_image_open (&family->child_image, family->options);
  family->child->options = family->options;
}

static void
family_close (struct family *family)
{
  layer_close (family->child);
  layer_close (family->parent);
  vdisk_options_free (family->options);
}

static void
check_accept (struct family *family, const char *message, const char *warned)
{
  struct vdisk_error error = { 0 };
  int r;

  family_open (family);
  r = format_vhd.accept_parent (family->child, family->parent, &error);
  ck_assert_int_eq (r, message ? -1 : 0);
  ck_assert_str_eq (error.message, message ? message : "");
  ck_assert_int_eq (error.errnum, message ? EINVAL : 0);
  ck_assert_str_eq (last_warning (), warned ? warned : "");
  family_close (family);
}

START_TEST (test_accept)
{
  struct family family;
  struct vhd_footer *footer;

  family_init (&family);
  check_accept (&family, NULL, NULL);

  footer = vhd_image_footer (&family.parent_image);
  footer->uuid[15] = 0xf0;
  check_accept (&family, "disk.vhd: header: parent UUID "
                "00010203-0405-0607-0809-0a0b0c0d0e0f, but base.vhd has "
                "UUID 00010203-0405-0607-0809-0a0b0c0d0ef0", NULL);
  footer->uuid[15] = 15;

  footer->time_stamp = to_be32 (17);
  check_accept (&family, NULL, "disk.vhd: header: parent time stamp 0, but "
                "base.vhd has 17");
  vhd_image_header (&family.child_image)->parent_time_stamp = to_be32 (17);
  check_accept (&family, NULL, NULL);

  /* libvhd has another time there. */
  vhd_image_header (&family.child_image)->parent_time_stamp = to_be32 (99);
  memcpy (vhd_image_footer (&family.child_image)->creator, "tap\0", 4);
  check_accept (&family, NULL, NULL);
  vhd_image_free (&family.parent_image);
  vhd_image_free (&family.child_image);
}
END_TEST

/* A raw parent has nothing to compare. */
START_TEST (test_accept_raw)
{
  struct family family;
  struct layer *raw;
  struct vdisk_error error = { 0 };

  family_init (&family);
  raw = open_layer_bytes (&format_raw, "base.img", "", 0, NULL, &error);
  ck_assert_ptr_nonnull (raw);
  family_open (&family);
  ck_assert_int_eq (format_vhd.accept_parent (family.child, raw, &error), 0);
  layer_close (raw);
  family_close (&family);
  vhd_image_free (&family.parent_image);
  vhd_image_free (&family.child_image);
}
END_TEST

/* Every read that fails makes opening fail: what can't be read is not
 * what is broken. */
START_TEST (test_faulty)
{
  struct vhd_image image;
  size_t n;

  init_child (&image);
  set_parent_name (&image, "base.vhd");
  vhd_image_add_path (&image, 0, W2RU, "base.vhd");
  vhd_image_add_locator (&image, 1, MACX, "file://./base.vhd", 17);
  /* Footer, copy, header and two locators. */
  for (n = 0; n < 6; ++n) {
    struct source *source =
      source_memory ("disk.vhd", image.bytes, image.size);
    struct vdisk_error error = { 0 };
    struct layer *layer = open_layer (&format_vhd,
                                      source_faulty (source, n), NULL,
                                      &error);

    ck_assert_str_eq (error.message, n < 5 ? "injected" : "");
    ck_assert_int_eq (layer != NULL, n == 5);
    layer_close (layer);
  }
  vhd_image_free (&image);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("vhd-parent");
  TCase *tc = tcase_create ("vhd-parent");

  tcase_add_loop_test (tc, test_path, 0, LEN (paths));
  tcase_add_loop_test (tc, test_parent_name, 0, LEN (names));
  tcase_add_test (tc, test_long_parent_name);
  tcase_add_test (tc, test_order);
  tcase_add_test (tc, test_xen);
  tcase_add_test (tc, test_raw_parent);
  tcase_add_test (tc, test_terminators);
  tcase_add_loop_test (tc, test_locator, 0, LEN (locators));
  tcase_add_test (tc, test_long_locator);
  tcase_add_test (tc, test_no_name);
  tcase_add_test (tc, test_dynamic);
  tcase_add_test (tc, test_accept);
  tcase_add_test (tc, test_accept_raw);
  tcase_add_test (tc, test_faulty);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
