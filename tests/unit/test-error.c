/* SPDX-License-Identifier: BSD-3-Clause */
/* Errors: the first wins, nobody has to want it, and the text is one
 * printable line that fits.
 */

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "random.h"
#include "support.h"

#define MESSAGE_MAX (sizeof ((struct vdisk_error *) NULL)->message - 1)

START_TEST (first_wins)
{
  struct vdisk_error error = { 0 };

  error_record (&error, EINVAL, "first %d", 1);
  error_record (&error, EIO, "second");
  ck_assert_int_eq (error_set (&error, EPERM, "third"), -1);
  ck_assert_int_eq (error_no_memory (&error, "fourth"), -1);
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_str_eq (error.message, "first 1");
}
END_TEST

START_TEST (cleared)
{
  struct vdisk_error error;

  memset (&error, 0xff, sizeof error);
  error_clear (&error);
  ck_assert_int_eq (error.errnum, 0);
  ck_assert_str_eq (error.message, "");
  error_record (&error, EINVAL, "before");
  error_clear (&error);
  error_record (&error, EIO, "after");
  ck_assert_int_eq (error.errnum, EIO);
  ck_assert_str_eq (error.message, "after");
}
END_TEST

START_TEST (nobody_wants_it)
{
  error_clear (NULL);
  error_record (NULL, EIO, "%s", "text");
  ck_assert_int_eq (error_set (NULL, EIO, "text"), -1);
  ck_assert_int_eq (error_no_memory (NULL, "text"), -1);
}
END_TEST

START_TEST (out_of_memory)
{
  struct vdisk_error error = { 0 };

  ck_assert_int_eq (error_no_memory (&error, "disk.vhd"), -1);
  ck_assert_int_eq (error.errnum, ENOMEM);
  ck_assert_str_eq (error.message, "disk.vhd: out of memory");
}
END_TEST

/* A caller tells failure from success by errnum alone. */
START_TEST (errno_is_never_0)
{
  struct vdisk_error error = { 0 };

  error_record (&error, 0, "text");
  ck_assert_int_ne (error.errnum, 0);
  ck_assert_str_eq (error.message, "text");
}
END_TEST

static const struct { const char *text, *message; } texts[] = {
  { "", "" },
  { "a name with spaces, 'quotes' and %s~", NULL },
  { "back\\slash \\x0a \\", "back\\\\slash \\\\x0a \\\\" },
  { "line\nbreak", "line\\x0abreak" },
  { "\r\n\t\v\f\b\a", "\\x0d\\x0a\\x09\\x0b\\x0c\\x08\\x07" },
  { "\033[31mred\033[0m", "\\x1b[31mred\\x1b[0m" },
  { "\001\037\177", "\\x01\\x1f\\x7f" },
  { "B\303\244r, \346\227\245\346\234\254, \360\237\222\276", NULL },
  { "\302\240\337\277\340\240\200\355\237\277\356\200\200\357\277\275"
    "\364\217\277\277", NULL },
  /* Terminals obey C1 controls: these clear the screen, and set a title. */
  { "\302\2332J \302\2350;x\302\234", "\\xc2\\x9b2J \\xc2\\x9d0;x\\xc2\\x9c" },
  { "\302\200\302\237", "\\xc2\\x80\\xc2\\x9f" },
  /* Nor does a name turn the line around, or end it. */
  { "a\342\200\256dhv.b", "a\\xe2\\x80\\xaedhv.b" },
  { "\342\200\250\342\200\251", "\\xe2\\x80\\xa8\\xe2\\x80\\xa9" },
  { "\342\201\246\342\201\251", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9" },
  { "\342\200\247\342\200\257", NULL },
  /* What is not UTF-8: lone bytes, cut short, overlong, surrogates, too
   * large. */
  { "\200 \277 \376 \377 \233" "2J", "\\x80 \\xbf \\xfe \\xff \\x9b2J" },
  { "\303", "\\xc3" },
  { "\303x \346\227x \360\237\222", "\\xc3x \\xe6\\x97x \\xf0\\x9f\\x92" },
  { "\300\212 \340\202\233 \360\200\202\233",
    "\\xc0\\x8a \\xe0\\x82\\x9b \\xf0\\x80\\x82\\x9b" },
  { "\355\240\200", "\\xed\\xa0\\x80" },
  { "\364\220\200\200 \370\210\200\200\200",
    "\\xf4\\x90\\x80\\x80 \\xf8\\x88\\x80\\x80\\x80" },
};

START_TEST (escaping)
{
  struct vdisk_error error = { 0 };

  error_record (&error, EINVAL, "%s", texts[_i].text);
  ck_assert_str_eq (error.message, texts[_i].message ? texts[_i].message
                                                     : texts[_i].text);
}
END_TEST

/* A message that becomes a part of another is not escaped twice. */
START_TEST (nested)
{
  struct vdisk_error inner = { 0 }, outer = { 0 };
  char bytes[sizeof inner.message];

  error_record (&inner, EINVAL, "%s", texts[_i].text);
  ck_assert_str_eq (error_raw (&inner), texts[_i].text);
  error_record (&outer, EIO, "%s", error_raw (&inner));
  ck_assert_str_eq (outer.message, inner.message);
  ck_assert_str_eq (escape_undo (bytes, outer.message), texts[_i].text);
}
END_TEST

/* All bytes, in all sorts of order, come back. */
START_TEST (round_trip)
{
  char text[100], escaped[ESCAPED_SIZE (sizeof text)], back[sizeof escaped];
  struct random random = { .state = _i };
  size_t i, length;

  for (i = 0; i < sizeof text; ++i)
    text[i] = random_below (&random, 2)
      ? "\\x0a\303\244\342"[random_below (&random, 7)]
      : (char) (1 + random_below (&random, 255));
  length = escape_text (escaped, sizeof escaped, text, sizeof text);
  ck_assert_uint_eq (length, strlen (escaped));
  ck_assert_mem_eq (escape_undo (back, escaped), text, sizeof text);
  ck_assert_uint_eq (strlen (back), sizeof text);
}
END_TEST

/* What was not made by escape_text does no harm. */
START_TEST (undo_of_anything)
{
  static const char *const rows[][2] = {
    { "\\", "\\" }, { "a\\", "a\\" }, { "\\q", "\\q" }, { "\\x", "" },
    { "b\\x4", "b" }, { "\\xzz", "" }, { "\\x41\\\\x41", "A\\x41" },
  };
  char back[20];
  size_t i;

  for (i = 0; i < sizeof rows / sizeof rows[0]; ++i)
    ck_assert_str_eq (escape_undo (back, rows[i][0]), rows[i][1]);
}
END_TEST

START_TEST (each_ascii_byte)
{
  struct vdisk_error error = { 0 };
  char expected[8];

  if (_i == '\\')
    strcpy (expected, "<\\\\>");
  else if (_i >= 0x20 && _i < 0x7f)
    snprintf (expected, sizeof expected, "<%c>", _i);
  else
    snprintf (expected, sizeof expected, "<\\x%02x>", _i);
  error_record (&error, EINVAL, "<%c>", _i);
  ck_assert_str_eq (error.message, expected);
}
END_TEST

/* Record 'length' times the byte 'c', and give back how long the message
 * is.  Nothing behind it may change. */
static size_t
record_long (struct vdisk_error *error, char c, size_t length)
{
  struct { struct vdisk_error error; char guard[16]; } guarded;
  static const char guard[16] = "untouched";
  char *text = malloc (length + 1);

  ck_assert_ptr_nonnull (text);
  memset (text, c, length);
  text[length] = '\0';
  memcpy (guarded.guard, guard, sizeof guard);
  error_clear (&guarded.error);
  error_record (&guarded.error, EINVAL, "%s", text);
  free (text);
  ck_assert_mem_eq (guarded.guard, guard, sizeof guard);
  ck_assert_ptr_nonnull (memchr (guarded.error.message, 0,
                                 sizeof guarded.error.message));
  *error = guarded.error;
  return strlen (error->message);
}

START_TEST (long_text)
{
  struct vdisk_error error;
  size_t length;

  for (length = MESSAGE_MAX - 5; length < MESSAGE_MAX + 5; ++length)
    ck_assert_uint_eq (record_long (&error, 'x', length),
                       length < MESSAGE_MAX ? length : MESSAGE_MAX);
  ck_assert_uint_eq (record_long (&error, 'x', 100000), MESSAGE_MAX);
  ck_assert_uint_eq (strspn (error.message, "x"), MESSAGE_MAX);
}
END_TEST

/* An escape is there whole or not at all. */
START_TEST (long_text_to_escape)
{
  struct vdisk_error error;
  size_t length, whole = MESSAGE_MAX / 4 * 4, i;

  for (length = whole / 4 - 3; length < whole / 4 + 3; ++length)
    ck_assert_uint_eq (record_long (&error, '\n', length),
                       4 * length < whole ? 4 * length : whole);
  ck_assert_uint_eq (record_long (&error, '\n', 100000), whole);
  for (i = 0; i < whole; i += 4)
    ck_assert (memcmp (error.message + i, "\\x0a", 4) == 0);
}
END_TEST

/* Text that grows past the end only by being escaped. */
START_TEST (escape_at_the_end)
{
  struct vdisk_error error;
  char text[MESSAGE_MAX + 1];
  size_t at;

  for (at = MESSAGE_MAX - 6; at < MESSAGE_MAX; ++at) {
    size_t expected = at + 4 <= MESSAGE_MAX ? at + 4 : at;

    memset (text, 'x', sizeof text);
    text[at] = '\n';
    text[at + 1] = '\0';
    error_clear (&error);
    error_record (&error, EINVAL, "%s", text);
    ck_assert_uint_eq (strlen (error.message), expected);
    ck_assert_uint_eq (strspn (error.message, "x"), at);
  }

  memset (text, 'x', MESSAGE_MAX);
  text[0] = '\n';
  text[MESSAGE_MAX] = '\0';
  error_clear (&error);
  error_record (&error, EINVAL, "%s", text);
  ck_assert_uint_eq (strlen (error.message), MESSAGE_MAX);
  ck_assert (memcmp (error.message, "\\x0axx", 6) == 0);
}
END_TEST

/* Nor is a character cut in the middle. */
START_TEST (character_at_the_end)
{
  struct vdisk_error error;
  char text[MESSAGE_MAX + 4];
  size_t at;

  for (at = MESSAGE_MAX - 4; at <= MESSAGE_MAX; ++at) {
    memset (text, 'x', sizeof text);
    memcpy (text + at, "\346\227\245", 4);
    error_clear (&error);
    error_record (&error, EINVAL, "%s", text);
    ck_assert_uint_eq (strlen (error.message),
                       at + 3 <= MESSAGE_MAX ? at + 3 : at);
    ck_assert_uint_eq (strspn (error.message, "x"), at);
  }
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("error");
  TCase *tcase = tcase_create ("error");

  tcase_add_test (tcase, first_wins);
  tcase_add_test (tcase, cleared);
  tcase_add_test (tcase, nobody_wants_it);
  tcase_add_test (tcase, out_of_memory);
  tcase_add_test (tcase, errno_is_never_0);
  tcase_add_loop_test (tcase, nested, 0, sizeof texts / sizeof texts[0]);
  tcase_add_loop_test (tcase, round_trip, 0, 20);
  tcase_add_test (tcase, undo_of_anything);
  tcase_add_loop_test (tcase, escaping, 0,
                       sizeof texts / sizeof texts[0]);
  tcase_add_loop_test (tcase, each_ascii_byte, 1, 0x80);
  tcase_add_test (tcase, long_text);
  tcase_add_test (tcase, long_text_to_escape);
  tcase_add_test (tcase, escape_at_the_end);
  tcase_add_test (tcase, character_at_the_end);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
