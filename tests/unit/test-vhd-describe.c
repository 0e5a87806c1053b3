/* SPDX-License-Identifier: BSD-3-Clause */
/* What VHDs say of themselves: every key, against what was written. */

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/memory.h"
#include "support.h"
#include "vhd-image.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])

#define MB (UINT64_C (1) << 20)
#define GB (UINT64_C (1) << 30)
#define BLOCK (2 * MB)

/* The description of an open image: all of the document, which starts with
 * the key that other formats have. */
static json_t *
describe (struct layer *layer)
{
  json_t *document = json_pack ("{s:i}", "cluster-size", 1);
  struct vdisk_error error = { 0 };

  ck_assert_msg (format_vhd.describe (layer, document, &error) == 0, "%s",
                 error.message);
  ck_assert_int_eq (error.errnum, 0);
  return document;
}

static json_t *
describe_image (const struct vhd_image *image)
{
  struct layer *layer = vhd_image_open (image, NULL);
  json_t *document = describe (layer);

  layer_close (layer);
  return document;
}

/* The value at a path such as "footer/copy" below the format's data. */
static json_t *
value_at (json_t *document, const char *path)
{
  json_t *value = json_object_get (json_object_get (document,
                                                    "format-specific"),
                                   "data");
  char copy[128], *save, *key;

  snprintf (copy, sizeof copy, "%s", path);
  for (key = strtok_r (copy, "/", &save); key;
       key = strtok_r (NULL, "/", &save))
    value = json_object_get (value, key);
  ck_assert_msg (value != NULL, "no key %s", path);
  return value;
}

static void
check_value (const struct vhd_image *image, const char *path,
             const char *expected)
{
  json_t *document = describe_image (image);
  char *text = json_dumps (value_at (document, path),
                           JSON_ENCODE_ANY | JSON_COMPACT);

  ck_assert_str_eq (text, expected);
  free (text);
  json_decref (document);
}

/* The whole document is this. */
static void
check_document (const struct vhd_image *image, const char *expected)
{
  json_t *document = describe_image (image);
  char *text = json_dumps (document, JSON_COMPACT);

  ck_assert_str_eq (text, expected);
  free (text);
  json_decref (document);
}

#define FOOTER(type, size) \
  "\"type\":\"" type "\",\"creator\":\"test\",\"creator-version\":\"0.0\"," \
  "\"creator-host-os\":\"\"," \
  "\"uuid\":\"00010203-0405-0607-0809-0a0b0c0d0e0f\"," \
  "\"time-stamp\":\"2000-01-01T00:00:00Z\"," \
  "\"saved-state\":false,\"hidden\":false," \
  "\"original-size\":0,\"current-size\":" size ",\"chs-size\":136899993600," \
  "\"geometry\":{\"cylinders\":65535,\"heads\":16,\"sectors\":255}," \
  "\"size-seen-by\":{\"qemu-7.2\":" size ",\"qemu-10.0\":" size "," \
  "\"xenserver\":" size "},"
#define SPARSE(type, size) \
  "{\"cluster-size\":1,\"format-specific\":{\"type\":\"vhd\",\"data\":{" \
  FOOTER (type, size) "\"aligned-to-1-mib\":false," \
  "\"footer\":{\"at-end\":\"valid\",\"copy\":\"valid\"," \
  "\"identical\":true},"

START_TEST (test_fixed)
{
  struct vhd_image image;

  vhd_image_init (&image, VHD_FIXED, MB, 0);
  check_document (&image, "{\"format-specific\":{\"type\":\"vhd\",\"data\":{"
                  FOOTER ("fixed", "1048576") "\"aligned-to-1-mib\":true,"
                  "\"footer\":{\"at-end\":\"valid\",\"copy\":\"none\"}}}}");
  vhd_image_free (&image);
}
END_TEST

START_TEST (test_dynamic)
{
  struct vhd_image image;

  vhd_image_init_bat (&image, VHD_DYNAMIC, 5 * BLOCK + 512, BLOCK, 8);
  vhd_image_add_block (&image, 1, NULL);
  vhd_image_add_block (&image, 5, NULL);
  vhd_image_add_block (&image, 6, NULL);        /* not of the disk */
  check_document (&image, SPARSE ("dynamic", "10486272")
                  "\"block-size\":2097152,\"max-table-entries\":8,"
                  "\"table-offset\":1536,\"allocated-blocks\":2,"
                  "\"batmap\":\"none\"}}}");
  vhd_image_free (&image);
}
END_TEST

START_TEST (test_differencing)
{
  static const uint8_t name[] = { 0, 'p', 0, 0xe9, 0, 0, 0, 'x' };
  struct vhd_image image;

  vhd_image_init (&image, VHD_DIFFERENCING, 1536, 4096);
  vhd_image_add_path (&image, 0, VHD_LOCATOR_W2RU, ".\\a.vhd");
  vhd_image_add_locator (&image, 2, VHD_LOCATOR_MACX, "file://./b", 10);
  vhd_image_add_locator (&image, 3, VHD_LOCATOR_WI2R, "\xe9.vhd", 5);
  vhd_image_add_locator (&image, 4, VHD_LOCATOR_W2KU, "\x00\xdc", 2);
  vhd_image_add_locator (&image, 5, 0x7f20000a, "?", 0);
  memcpy (vhd_image_header (&image)->parent_name, name, sizeof name);
  vhd_image_header (&image)->parent_time_stamp = to_be32 (86399);
  vhd_image_fix (&image);
  check_document (&image, SPARSE ("differencing", "1536")
                  "\"block-size\":4096,\"max-table-entries\":1,"
                  "\"table-offset\":1536,\"allocated-blocks\":0,"
                  "\"batmap\":\"none\",\"parent\":{"
                  "\"uuid\":\"abababab-abab-abab-abab-abababababab\","
                  "\"time-stamp\":\"2000-01-01T23:59:59Z\","
                  "\"name\":\"p\xc3\xa9\",\"locators\":["
                  "{\"code\":\"W2ru\",\"offset\":3072,\"space\":1,"
                  "\"length\":14,\"path\":\".\\\\\\\\a.vhd\"},"
                  "{\"code\":\"MacX\",\"offset\":3584,\"space\":1,"
                  "\"length\":10,\"path\":\"file://./b\"},"
                  "{\"code\":\"Wi2r\",\"offset\":4096,\"space\":1,"
                  "\"length\":5,\"path\":\"\\\\xe9.vhd\"},"
                  "{\"code\":\"W2ku\",\"offset\":4608,\"space\":1,"
                  "\"length\":2,\"error\":\"not valid UTF-16\"},"
                  "{\"code\":\"\\\\x7f \\\\x00\\\\x0a\",\"offset\":5120,"
                  "\"space\":0,\"length\":0,"
                  "\"error\":\"space 0, must be at least 1 for a length of 0\"}]}}}}");
  memcpy (vhd_image_header (&image)->parent_name, "\xdc\x00", 2);
  vhd_image_fix (&image);
  check_value (&image, "parent/name", "null");
  vhd_image_free (&image);
}
END_TEST

/* One field of the footer, and what becomes of it. */
static const struct {
  size_t offset;
  const char *bytes;
  size_t size;
  const char *path, *expected;
} rows[] = {
#define ROW(field, bytes, path, expected) \
  { offsetof (struct vhd_footer, field), bytes, sizeof bytes - 1, \
    path, expected }
  ROW (creator, "tap\0", "creator", "\"tap\""),
  ROW (creator, "win ", "creator", "\"win\""),
  ROW (creator, "a b ", "creator", "\"a b\""),
  ROW (creator, "    ", "creator", "\"\""),
  ROW (creator, "\x1b[0\0", "creator", "\"\\\\x1b[0\""),
  ROW (creator, "\0\xff\"\x7f", "creator", "\"\\\\x00\\\\xff\\\"\\\\x7f\""),
  ROW (creator_version, "\0\1\0\3", "creator-version", "\"1.3\""),
  ROW (creator_version, "\xff\xff\xff\xff", "creator-version",
       "\"65535.65535\""),
  ROW (creator_os, "Wi2k", "creator-host-os", "\"Wi2k\""),
  ROW (creator_os, "Mac ", "creator-host-os", "\"Mac\""),
  ROW (time_stamp, "\x2b\x43\x89\x80", "time-stamp",
       "\"2023-01-01T00:00:00Z\""),
  ROW (time_stamp, "\xff\xff\xff\xff", "time-stamp",
       "\"2136-02-07T06:28:15Z\""),
  ROW (saved_state, "\1", "saved-state", "true"),
  ROW (hidden, "\1", "hidden", "true"),
  ROW (original_size, "\0\0\0\1\0\0\0\0", "original-size", "4294967296"),
  ROW (original_size, "\x7f\xff\xff\xff\xff\xff\xff\xff", "original-size",
       "9223372036854775807"),
  ROW (original_size, "\x80\0\0\0\0\0\0\0", "original-size",
       "9.2233720368547758e18"),
  ROW (cylinders, "\0\x02\x03\x04", "geometry",
       "{\"cylinders\":2,\"heads\":3,\"sectors\":4}"),
  ROW (cylinders, "\0\x02\x03\x04", "chs-size", "12288"),
  ROW (cylinders, "\xff\xff\xff\xff", "chs-size", "2181843648000"),
  ROW (uuid, "\xff\xfe", "uuid",
       "\"fffe0203-0405-0607-0809-0a0b0c0d0e0f\""),
};

START_TEST (test_footer)
{
  struct vhd_image image;

  vhd_image_init_bat (&image, VHD_DYNAMIC, BLOCK, BLOCK, 1);
  memcpy ((uint8_t *) vhd_image_footer (&image) + rows[_i].offset,
          rows[_i].bytes, rows[_i].size);
  vhd_image_fix (&image);
  check_value (&image, rows[_i].path, rows[_i].expected);
  vhd_image_free (&image);
}
END_TEST

/* Who takes which size: as qemu-img of both versions answers. */
static const struct {
  const char creator[5];
  uint16_t cylinders;
  uint8_t heads, sectors;
  uint64_t current_size;
  const char *expected;         /* of 7.2, 10.0, XenServer */
} sizes[] = {
#define SEEN(a, b, c) \
  "{\"qemu-7.2\":" a ",\"qemu-10.0\":" b ",\"xenserver\":" c "}"
  { "vpc ", 100, 4, 17, 4 * MB, SEEN ("3481600", "3481600", "4194304") },
  { "qemu", 100, 4, 17, 4 * MB, SEEN ("3481600", "3481600", "4194304") },
  { "win ", 100, 4, 17, 4 * MB, SEEN ("4194304", "4194304", "4194304") },
  { "qem2", 100, 4, 17, 4 * MB, SEEN ("4194304", "4194304", "4194304") },
  { "d2v ", 100, 4, 17, 4 * MB, SEEN ("4194304", "4194304", "4194304") },
  { "tap", 100, 4, 17, 4 * MB, SEEN ("4194304", "4194304", "4194304") },
  { "tap ", 100, 4, 17, 4 * MB, SEEN ("3481600", "4194304", "4194304") },
  { "CTXS", 100, 4, 17, 4 * MB, SEEN ("4194304", "4194304", "4194304") },
  { "caml", 100, 4, 17, 4 * MB, SEEN ("3481600", "4194304", "4194304") },
  { "vbox", 100, 4, 17, 4 * MB, SEEN ("3481600", "4194304", "4194304") },
  { "wa", 150, 4, 17, 4 * MB, SEEN ("5222400", "4194304", "4194304") },
  { "caml", 0, 0, 0, 4 * MB, SEEN ("0", "4194304", "4194304") },
  { "vpc ", 100, 0, 17, 4 * MB, SEEN ("0", "0", "4194304") },
  { "vpc ", 65535, 16, 255, 4 * MB,
    SEEN ("4194304", "4194304", "4194304") },
  { "vpc ", 65535, 17, 240, 4 * MB,
    SEEN ("4194304", "4194304", "4194304") },
  { "caml", 100, 4, 17, 4 * MB + 700,
    SEEN ("3481600", "4194816", "4194816") },
  { "win ", 100, 4, 17, 2040 * GB + 511,
    SEEN ("2190433320960", "2190433320960", "2190433320960") },
  { "win ", 100, 4, 17, 2040 * GB + 512,
    SEEN ("null", "null", "2190433321472") },
  { "caml", 100, 4, 17, 2041 * GB,
    SEEN ("3481600", "null", "2191507062784") },
  { "vpc ", 100, 4, 17, UINT64_C (1) << 63,
    SEEN ("3481600", "3481600", "9.2233720368547758e18") },
};

START_TEST (test_sizes)
{
  struct vhd_image image;
  struct vhd_footer *footer;

  vhd_image_init_bat (&image, VHD_DYNAMIC, BLOCK, GB, 2048);
  footer = vhd_image_footer (&image);
  memcpy (footer->creator, sizes[_i].creator, 4);
  footer->cylinders = to_be16 (sizes[_i].cylinders);
  footer->heads = sizes[_i].heads;
  footer->sectors = sizes[_i].sectors;
  footer->current_size = to_be64 (sizes[_i].current_size);
  vhd_image_fix (&image);
  check_value (&image, "size-seen-by", sizes[_i].expected);
  vhd_image_free (&image);
}
END_TEST

/* It is the size the disk has here that has to be a multiple. */
START_TEST (test_aligned)
{
  struct vhd_image image;

  vhd_image_init (&image, VHD_DYNAMIC, 5 * MB, BLOCK);
  check_value (&image, "aligned-to-1-mib", "true");
  memcpy (vhd_image_footer (&image)->creator, "vpc ", 4);
  vhd_image_footer (&image)->cylinders = to_be16 (100);
  vhd_image_footer (&image)->heads = 4;
  vhd_image_footer (&image)->sectors = 17;
  vhd_image_fix (&image);
  check_value (&image, "aligned-to-1-mib", "false");
  vhd_image_free (&image);
}
END_TEST

START_TEST (test_footers)
{
  struct vhd_image image;

  vhd_image_init (&image, VHD_DYNAMIC, 4096, 4096);
  vhd_image_copy (&image)->creator[0] = 'x';
  check_value (&image, "footer", "{\"at-end\":\"valid\",\"copy\":"
               "\"checksum 0xfffff747, expected 0xfffff743\","
               "\"identical\":false}");
  vhd_image_footer (&image)->time_stamp = to_be32 (1);
  vhd_image_fix (&image);
  vhd_image_copy (&image)->time_stamp = to_be32 (256);
  check_value (&image, "footer", "{\"at-end\":\"valid\",\"copy\":\"valid\","
               "\"identical\":false}");
  check_value (&image, "time-stamp", "\"2000-01-01T00:00:01Z\"");
  vhd_image_footer (&image)->cookie[7] = '\n';
  check_value (&image, "footer", "{\"at-end\":\"no cookie "
               "\\\"conectix\\\"\",\"copy\":\"valid\","
               "\"identical\":false}");
  check_value (&image, "time-stamp", "\"2000-01-01T00:04:16Z\"");
  vhd_image_free (&image);

  /* One byte short: the last one is 0 in both. */
  vhd_image_init (&image, VHD_DYNAMIC, 4096, 4096);
  image.size--;
  check_value (&image, "footer", "{\"at-end\":\"valid\",\"copy\":\"valid\","
               "\"identical\":true}");
  vhd_image_free (&image);
}
END_TEST

START_TEST (test_batmap)
{
  struct vhd_image image;

  vhd_image_init (&image, VHD_DYNAMIC, 10 * BLOCK, BLOCK);
  vhd_image_set_batmap (&image, NULL, 0);
  check_value (&image, "batmap", "\"valid\"");
  image.bytes[image.batmap_header + 512] = 1;
  check_value (&image, "batmap",
               "\"checksum 0xffffffff, expected 0xfffffffe\"");
  image.bytes[image.batmap_header]++;
  check_value (&image, "batmap", "\"none\"");
  vhd_image_free (&image);
}
END_TEST

/* More than is read at a time. */
START_TEST (test_large_bat)
{
  struct vhd_image image;

  vhd_image_init (&image, VHD_DYNAMIC, 5000 * 4096, 4096);
  vhd_image_add_block (&image, 0, NULL);
  vhd_image_add_block (&image, 2047, NULL);
  vhd_image_add_block (&image, 2048, NULL);
  vhd_image_add_block (&image, 4999, NULL);
  check_value (&image, "allocated-blocks", "4");
  vhd_image_free (&image);
}
END_TEST

/* What speaks for which of the sizes, where that is asked. */
START_TEST (test_size_evidence)
{
  struct vhd_image image;

  vhd_image_init (&image, VHD_DYNAMIC, 4 * 4096, 4096);
  vhd_image_footer (&image)->cylinders = to_be16 (3);
  vhd_image_footer (&image)->heads = 1;
  vhd_image_footer (&image)->sectors = 8;
  memcpy (vhd_image_footer (&image)->creator, "vpc ", 4);
  vhd_image_fix (&image);
  check_value (&image, "size-evidence", "{\"speaks-for\":\"chs-size\","
               "\"because\":\"this file has nothing beyond it\"}");
  vhd_image_add_block (&image, 3, NULL);
  check_value (&image, "size-evidence", "{\"speaks-for\":\"current-size\","
               "\"because\":\"BAT entry 3 has a block there\"}");
  vhd_image_free (&image);
}
END_TEST

/* Whichever read fails, the description does, and nothing leaks. */
START_TEST (test_faulty)
{
  json_t *document = json_object ();
  struct vhd_image image;
  size_t n, described = 0;
  int r;

  vhd_image_init (&image, VHD_DIFFERENCING, 10 * BLOCK, BLOCK);
  vhd_image_add_path (&image, 0, VHD_LOCATOR_W2RU, ".\\a.vhd");
  vhd_image_set_batmap (&image, NULL, 0);
  for (n = 0, r = -1; r == -1; ++n) {
    struct source *source =
      source_faulty (source_memory ("disk.vhd", image.bytes, image.size), n);
    struct vdisk_error error = { 0 };
    struct layer *layer = open_layer (&format_vhd, source, NULL, &error);

    if (layer == NULL)
      continue;
    r = format_vhd.describe (layer, document, &error);
    described += r == -1;
    if (r == -1)
      ck_assert_str_eq (error.message, "injected");
    layer_close (layer);
  }
  /* Footer and copy, header, BAT, batmap's header, batmap, locator. */
  ck_assert_uint_eq (described, 7);
  json_decref (document);
  vhd_image_free (&image);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("vhd-describe");
  TCase *tc = tcase_create ("vhd-describe");

  tcase_set_timeout (tc, 120);
  tcase_add_test (tc, test_fixed);
  tcase_add_test (tc, test_dynamic);
  tcase_add_test (tc, test_differencing);
  tcase_add_loop_test (tc, test_footer, 0, LEN (rows));
  tcase_add_loop_test (tc, test_sizes, 0, LEN (sizes));
  tcase_add_test (tc, test_size_evidence);
  tcase_add_test (tc, test_aligned);
  tcase_add_test (tc, test_footers);
  tcase_add_test (tc, test_batmap);
  tcase_add_test (tc, test_large_bat);
  tcase_add_test (tc, test_faulty);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
