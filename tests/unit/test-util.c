/* SPDX-License-Identifier: BSD-3-Clause */
/* The small helpers: alignment, ranges, byte order, UUIDs. */

#include <check.h>
#include <stdint.h>
#include <stdio.h>

#include "support.h"
#include "util/align.h"
#include "util/bytes.h"
#include "util/checked.h"
#include "util/minmax.h"
#include "util/share.h"
#include "util/suggestion.h"
#include "util/hex.h"
#include "util/uuid.h"

#define HIGH (UINT64_C (1) << 63)

static const struct { uint64_t n; bool is; } powers[] = {
  { 0, false }, { 1, true }, { 2, true }, { 3, false }, { 4, true },
  { 511, false }, { 512, true }, { 513, false }, { HIGH, true },
  { HIGH + 1, false }, { UINT64_MAX, false },
};

START_TEST (power_of_2)
{
  ck_assert_int_eq (is_power_of_2 (powers[_i].n), powers[_i].is);
}
END_TEST

START_TEST (log2_of_each_power)
{
  unsigned i;

  for (i = 0; i < 64; ++i) {
    ck_assert (is_power_of_2 (UINT64_C (1) << i));
    ck_assert_uint_eq (log2_of (UINT64_C (1) << i), i);
  }
}
END_TEST

static const struct {
  uint64_t n, alignment, down, up;
} roundings[] = {
  { 0, 1, 0, 0 },
  { 0, 512, 0, 0 },
  { 1, 1, 1, 1 },
  { 1, 512, 0, 512 },
  { 511, 512, 0, 512 },
  { 512, 512, 512, 512 },
  { 513, 512, 512, 1024 },
  { HIGH - 1, HIGH, 0, HIGH },
  { HIGH, HIGH, HIGH, HIGH },
  { (UINT64_C (1) << 40) + 1, 65536, UINT64_C (1) << 40,
    (UINT64_C (1) << 40) + 65536 },
  { UINT64_MAX - 4096, 4096, UINT64_MAX - 8191, UINT64_MAX - 4095 },
};

START_TEST (rounding)
{
  const uint64_t n = roundings[_i].n, alignment = roundings[_i].alignment;

  ck_assert_uint_eq (round_down (n, alignment), roundings[_i].down);
  ck_assert_uint_eq (round_up (n, alignment), roundings[_i].up);
  ck_assert_int_eq (is_aligned (n, alignment), roundings[_i].down == n);
}
END_TEST

static const struct { uint64_t n, divisor, quotient; } divisions[] = {
  { 0, 1, 0 }, { 0, 3, 0 }, { 1, 3, 1 }, { 3, 3, 1 }, { 4, 3, 2 },
  { UINT64_MAX, 1, UINT64_MAX }, { UINT64_MAX, 2, HIGH },
  { UINT64_MAX, UINT64_MAX, 1 }, { UINT64_MAX - 1, UINT64_MAX, 1 },
};

START_TEST (division)
{
  ck_assert_uint_eq (divide_up (divisions[_i].n, divisions[_i].divisor),
                     divisions[_i].quotient);
}
END_TEST

static const struct {
  uint64_t offset, count, size;
  bool within;
} ranges[] = {
  { 0, 0, 0, true },
  { 0, 1, 0, false },
  { 1, 0, 0, false },
  { 0, 10, 10, true },
  { 10, 0, 10, true },
  { 9, 1, 10, true },
  { 9, 2, 10, false },
  { 10, 1, 10, false },
  { 11, 0, 10, false },
  { 1, UINT64_MAX, 10, false },
  { UINT64_MAX, 1, 10, false },
  { UINT64_MAX, UINT64_MAX, 10, false },
  { UINT64_MAX - 5, 10, 10, false },
  { 0, UINT64_MAX, UINT64_MAX, true },
  { 1, UINT64_MAX, UINT64_MAX, false },
  { UINT64_MAX, 0, UINT64_MAX, true },
  { UINT64_MAX, 1, UINT64_MAX, false },
};

START_TEST (range)
{
  ck_assert_int_eq (range_within (ranges[_i].offset, ranges[_i].count,
                                  ranges[_i].size), ranges[_i].within);
}
END_TEST

START_TEST (minimum_and_maximum)
{
  ck_assert_uint_eq (min_u64 (1, 2), 1);
  ck_assert_uint_eq (min_u64 (2, 1), 1);
  ck_assert_uint_eq (min_u64 (0, UINT64_MAX), 0);
  ck_assert_uint_eq (max_u64 (1, 2), 2);
  ck_assert_uint_eq (max_u64 (2, 1), 2);
  ck_assert_uint_eq (max_u64 (HIGH, UINT64_MAX), UINT64_MAX);
}
END_TEST

/* A number lies in the file with these bytes, and nothing around it. */
#define CHECK_BYTES(type, number, ...)                          \
  do {                                                          \
    static const uint8_t on_disk[] = { __VA_ARGS__ };           \
    type value;                                                 \
                                                                \
    ck_assert_uint_eq (sizeof value, sizeof on_disk);           \
    ck_assert_uint_eq (_Alignof (type), 1);                     \
    memcpy (&value, on_disk, sizeof value);                     \
    ck_assert_uint_eq (get_##type (value), (number));           \
    value = to_##type (number);                                 \
    ck_assert_mem_eq (&value, on_disk, sizeof value);           \
  } while (0)

START_TEST (big_endian)
{
  CHECK_BYTES (be16, 0x1234, 0x12, 0x34);
  CHECK_BYTES (be16, 0xff80, 0xff, 0x80);
  CHECK_BYTES (be32, 0x12345678, 0x12, 0x34, 0x56, 0x78);
  CHECK_BYTES (be32, UINT32_MAX - 1, 0xff, 0xff, 0xff, 0xfe);
  CHECK_BYTES (be64, UINT64_C (0x123456789abcdef0),
               0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0);
  CHECK_BYTES (be64, UINT64_MAX - 1,
               0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe);
}
END_TEST

START_TEST (little_endian)
{
  CHECK_BYTES (le32, 0x12345678, 0x78, 0x56, 0x34, 0x12);
  CHECK_BYTES (le32, UINT32_MAX - 1, 0xfe, 0xff, 0xff, 0xff);
  CHECK_BYTES (le64, UINT64_C (0x123456789abcdef0),
               0xf0, 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12);
  CHECK_BYTES (le64, HIGH, 0, 0, 0, 0, 0, 0, 0, 0x80);
}
END_TEST

static const struct {
  const char *typed, *meant;    /* NULL: none of the words */
} typed[] = {
  { "inof", "info" }, { "INFO", "info" }, { "nfo", "info" },
  { "infoo", "info" }, { "unfo", "info" }, { "exprot", "export" },
  { "expotr", "export" }, { "ecport", "export" }, { "xeprot", "export" },
  { "read-headers", "read_headers" }, { "rd_headrs", "read_headers" },
  { "in", NULL }, { "i", NULL }, { "", NULL }, { "import-", NULL },
  { "check", NULL }, { "onfi", NULL },
  { "read_headers_read_headers_read_headers", NULL },
};

START_TEST (did_you_mean)
{
  static const char *const words[] = {
    "info", "export", "read_headers",
    "a_word_that_is_longer_than_any_that_has_a_distance", NULL
  };
  const char *meant = typed[_i].meant;
  struct suggestion suggestion;
  char expected[64] = "";

  if (meant)
    snprintf (expected, sizeof expected, "; did you mean '%s'?", meant);
  ck_assert_str_eq (suggestion_among (&suggestion, typed[_i].typed, words),
                    expected);
}
END_TEST

static const struct { uint64_t part, whole; uint32_t of; uint64_t share; }
shares[] = {
  { 0, 1, 10000, 0 },
  { 1, 1, 10000, 10000 },
  { 1, 3, 10000, 3333 },
  { 2, 3, 10000, 6666 },
  { 2, 3, 0, 0 },
  { 1, HIGH - 1, UINT32_MAX, 0 },
  { HIGH - 1, HIGH - 1, UINT32_MAX, UINT32_MAX },
  { HIGH / 2, HIGH - 1, 10000, 5000 },
  { HIGH / 2 - 1, HIGH - 1, 10000, 4999 },
  { (UINT64_C (1) << 46) / 3, UINT64_C (1) << 46, 10000, 3333 },
};

START_TEST (share)
{
  ck_assert_uint_eq (share_of (shares[_i].part, shares[_i].whole,
                               shares[_i].of), shares[_i].share);
}
END_TEST

static const struct { const char *text; bool is; } uuids[] = {
  { "00112233-4455-6677-8899-aabbccddeeff", true },
  { "00112233-4455-6677-8899-AABBCCDDEEFF", true },
  { "00112233-4455-6677-8899-aabbccddeef", false },
  { "00112233-4455-6677-8899-aabbccddeeff0", false },
  { "0011223344556677-8899-aabb-ccddeeff", false },
  { "00112233-4455-6677-8899-aabbccddeefg", false },
  { "\x10" "0112233-4455-6677-8899-aabbccddeeff", false },
  { "", false },
};

START_TEST (uuid)
{
  static const uint8_t expected[16] = {
    0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
    0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
  };
  char text[UUID_TEXT_SIZE];
  uint8_t parsed[16];

  ck_assert_int_eq (uuid_parse (uuids[_i].text, parsed), uuids[_i].is);
  if (!uuids[_i].is)
    return;
  ck_assert_mem_eq (parsed, expected, sizeof parsed);
  ck_assert (!uuid_is_null (parsed));
  ck_assert_str_eq (uuid_text (parsed, text), uuids[0].text);
}
END_TEST

START_TEST (null_uuid)
{
  const uint8_t null[16] = { 0 };
  char text[UUID_TEXT_SIZE];

  ck_assert (uuid_is_null (null));
  ck_assert_str_eq (uuid_text (null, text),
                    "00000000-0000-0000-0000-000000000000");
}
END_TEST

START_TEST (hex)
{
  static const char digits[] = "0123456789abcdefABCDEF";
  uint8_t bytes[3];
  char text[7];
  int c;

  for (c = 0; c < 256; ++c) {
    const char *found = c ? strchr (digits, c) : NULL;
    const int value = found == NULL ? -1 : (found - digits) -
      (found - digits >= 16 ? 6 : 0);

    ck_assert_int_eq (hex_digit (c), value);
  }
  ck_assert_int_eq (hex_byte ("fF0"), 255);
  ck_assert_int_eq (hex_byte ("0"), -1);
  ck_assert_int_eq (hex_byte (""), -1);
  ck_assert (hex_to_bytes (bytes, 3, "09aFfe"));
  hex_from_bytes (text, bytes, 3);
  ck_assert_str_eq (text, "09affe");
  ck_assert (!hex_to_bytes (bytes, 3, "09aff"));
  ck_assert (!hex_to_bytes (bytes, 3, "09affe0"));
  ck_assert (!hex_to_bytes (bytes, 3, "09af e"));
}
END_TEST

#define COUNT(array) ((int) (sizeof (array) / sizeof (array)[0]))

int
main (void)
{
  Suite *suite = suite_create ("util");
  TCase *tcase = tcase_create ("util");

  tcase_add_loop_test (tcase, power_of_2, 0, COUNT (powers));
  tcase_add_test (tcase, log2_of_each_power);
  tcase_add_loop_test (tcase, rounding, 0, COUNT (roundings));
  tcase_add_loop_test (tcase, division, 0, COUNT (divisions));
  tcase_add_loop_test (tcase, range, 0, COUNT (ranges));
  tcase_add_test (tcase, minimum_and_maximum);
  tcase_add_test (tcase, big_endian);
  tcase_add_test (tcase, little_endian);
  tcase_add_loop_test (tcase, did_you_mean, 0, COUNT (typed));
  tcase_add_loop_test (tcase, share, 0, COUNT (shares));
  tcase_add_loop_test (tcase, uuid, 0, COUNT (uuids));
  tcase_add_test (tcase, null_uuid);
  tcase_add_test (tcase, hex);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
