/* SPDX-License-Identifier: BSD-3-Clause */
/* UTF-16 to UTF-8: every length of character, either byte order, and what
 * is not UTF-16.
 */

#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "util/utf16.h"

#define BYTES(s) (s), sizeof (s) - 1

static const struct {
  const char *from;
  size_t size;
  bool big_endian;
  const char *to;               /* NULL: not valid */
} rows[] = {
  { BYTES (""), false, "" },
  { BYTES ("a\0b\0"), false, "ab" },
  { BYTES ("\0a\0b"), true, "ab" },
  /* Limits of each length. */
  { BYTES ("\x7f\0\x80\0"), false, "\x7f\xc2\x80" },
  { BYTES ("\xff\x07\x00\x08"), false, "\xdf\xbf\xe0\xa0\x80" },
  { BYTES ("\xff\xd7\x00\xe0"), false, "\xed\x9f\xbf\xee\x80\x80" },
  { BYTES ("\xff\xff"), false, "\xef\xbf\xbf" },
  { BYTES ("\x00\xd8\x00\xdc"), false, "\xf0\x90\x80\x80" },
  { BYTES ("\xff\xdb\xff\xdf"), false, "\xf4\x8f\xbf\xbf" },
  { BYTES ("\xd8\x3d\xde\x00"), true, "\xf0\x9f\x98\x80" },
  /* NUL ends it, whatever follows. */
  { BYTES ("a\0\0\0b\0"), false, "a" },
  { BYTES ("a\0\0\0\x00\xdcz"), false, "a" },
  { BYTES ("\0\0"), true, "" },
  /* Byte order marks. */
  { BYTES ("\xff\xfe" "a\0"), false, "a" },
  { BYTES ("\xff\xfe" "a\0"), true, "a" },
  { BYTES ("\xfe\xff\0a"), false, "a" },
  { BYTES ("\xfe\xff"), true, "" },
  { BYTES ("a\0\xff\xfe"), false, "a\xef\xbb\xbf" },
  /* Not UTF-16. */
  { BYTES ("a"), false, NULL },
  { BYTES ("a\0b"), false, NULL },
  { BYTES ("\x00\xd8"), false, NULL },
  { BYTES ("\x00\xd8\x00"), false, NULL },
  { BYTES ("\x00\xd8\0\0"), false, NULL },
  { BYTES ("\x00\xd8" "a\0"), false, NULL },
  { BYTES ("\x00\xd8\x00\xd8"), false, NULL },
  { BYTES ("\x00\xdc"), false, NULL },
  { BYTES ("\x00\xdc\x00\xd8"), false, NULL },
};

START_TEST (test_convert)
{
  /* Exactly as large as the input, so that valgrind sees a byte too many
   * read. */
  const size_t size = rows[_i].size;
  char *from = malloc (size + (size == 0));
  char to[32];
  ssize_t length;

  ck_assert_ptr_nonnull (from);
  memcpy (from, rows[_i].from, size);
  length = utf16_to_utf8 (from, size, rows[_i].big_endian, to, sizeof to);
  if (rows[_i].to == NULL)
    ck_assert_int_eq (length, -1);
  else {
    ck_assert_int_eq (length, strlen (rows[_i].to));
    ck_assert_str_eq (to, rows[_i].to);
  }
  free (from);
}
END_TEST

/* The NUL needs a byte, and nothing is written beyond the room. */
START_TEST (test_room)
{
  char to[8];
  size_t room;

  for (room = 1; room < sizeof to; ++room) {
    memset (to, 'x', sizeof to);
    ck_assert_int_eq (utf16_to_utf8 ("a\0\xac\x20", 4, false, to, room),
                      room > 4 ? 4 : -1);
    ck_assert_int_eq (to[room], 'x');
  }
  ck_assert_str_eq (to, "a\xe2\x82\xac");
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("utf16");
  TCase *tc = tcase_create ("utf16");

  tcase_add_loop_test (tc, test_convert, 0, sizeof rows / sizeof rows[0]);
  tcase_add_test (tc, test_room);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
