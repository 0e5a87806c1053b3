/* SPDX-License-Identifier: BSD-3-Clause */
/* The memory of a source's extents: against a picture of it that has one
 * letter per byte.
 */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "source/stretches.h"
#include "support.h"

static const char letters[] = {
  [VDISK_HOLE] = 'h', [VDISK_ZERO] = 'z', [VDISK_DATA] = 'd',
};

static struct stretches *
new_stretches (size_t most)
{
  struct stretches *stretches = stretches_new (most);

  ck_assert_ptr_nonnull (stretches);
  return stretches;
}

/* Remember a row: each run of a letter is a stretch. */
static void
remember (struct stretches *stretches, uint64_t offset, const char *text)
{
  struct stretch row[64];
  size_t count = 0, length;

  for (; *text; text += length, offset += length) {
    const char one[] = { *text, '\0' };

    length = strspn (text, one);
    row[count++] = (struct stretch) {
      .offset = offset, .end = offset + length,
      .kind = *text == 'h' ? VDISK_HOLE : *text == 'z' ? VDISK_ZERO
        : VDISK_DATA,
    };
  }
  stretches_remember (stretches, row, count);
}

/* What is known of the first bytes: '.' for nothing. */
static const char *
recall (struct stretches *stretches, size_t count)
{
  static char text[256];
  struct stretch stretch;
  size_t i;

  ck_assert_uint_lt (count, sizeof text);
  for (i = 0; i < count; ++i) {
    text[i] = '.';
    if (stretches_recall (stretches, i, &stretch)) {
      ck_assert_uint_le (stretch.offset, i);
      ck_assert_uint_gt (stretch.end, i);
      text[i] = letters[stretch.kind];
    }
  }
  text[count] = '\0';
  return text;
}

START_TEST (nothing)
{
  struct stretches *stretches = new_stretches (4);
  struct stretch stretch;

  ck_assert_str_eq (recall (stretches, 10), "..........");
  ck_assert (!stretches_recall (stretches, UINT64_MAX, &stretch));
  stretches_free (stretches);
  stretches_free (NULL);
}
END_TEST

START_TEST (whole_stretch)
{
  struct stretches *stretches = new_stretches (4);
  struct stretch stretch;

  remember (stretches, 3, "ddzzzhh");
  ck_assert (stretches_recall (stretches, 6, &stretch));
  ck_assert_uint_eq (stretch.offset, 5);
  ck_assert_uint_eq (stretch.end, 8);
  ck_assert_int_eq (stretch.kind, VDISK_ZERO);
  stretches_free (stretches);
}
END_TEST

START_TEST (far_end)
{
  const struct stretch last = {
    .offset = UINT64_MAX - 10, .end = UINT64_MAX, .kind = VDISK_HOLE,
  };
  struct stretches *stretches = new_stretches (4);
  struct stretch stretch;

  stretches_remember (stretches, &last, 1);
  ck_assert (!stretches_recall (stretches, UINT64_MAX - 11, &stretch));
  ck_assert (stretches_recall (stretches, UINT64_MAX - 1, &stretch));
  ck_assert_uint_eq (stretch.offset, last.offset);
  ck_assert (!stretches_recall (stretches, UINT64_MAX, &stretch));
  stretches_free (stretches);
}
END_TEST

/* Rows one after another, and what is known then. */
static const struct {
  struct { uint64_t offset; const char *text; } rows[4];
  const char *expected;
} sequences[] = {
  { { { 0, "ddd" } },                          "ddd........." },
  { { { 5, "ddhhzz" } },                       ".....ddhhzz." },
  { { { 5, "dd" }, { 0, "hhh" } },             "hhh..dd....." },
  { { { 0, "hhh" }, { 5, "dd" } },             "hhh..dd....." },
  { { { 0, "hhh" }, { 3, "dd" } },             "hhhdd......." },
  { { { 3, "dd" }, { 0, "hhh" } },             "hhhdd......." },
  /* In between. */
  { { { 0, "d" }, { 8, "d" }, { 3, "hhz" } },  "d..hhz..d..." },
  /* The same again, and longer. */
  { { { 2, "dd" }, { 2, "dd" } },              "..dd........" },
  { { { 2, "dd" }, { 2, "dddd" } },            "..dddd......" },
  { { { 2, "dd" }, { 0, "dddd" } },            "dddd........" },
  /* Over several. */
  { { { 1, "d" }, { 3, "h" }, { 5, "z" }, { 0, "hhhhhhhh" } },
                                               "hhhhhhhh...." },
  { { { 1, "d" }, { 3, "h" }, { 5, "z" }, { 2, "hhhh" } },
                                               ".dhhhh......" },
  /* What is overlapped in part goes. */
  { { { 0, "dddddd" }, { 4, "hhhh" } },        "....hhhh...." },
  { { { 4, "dddd" }, { 0, "hhhhhh" } },        "hhhhhh......" },
  { { { 0, "dddddddd" }, { 3, "hh" } },        "...hh......." },
  /* No room for more than five: all else is forgotten. */
  { { { 0, "dhdh" }, { 6, "d" } },             "dhdh..d....." },
  { { { 0, "dhdhd" }, { 6, "h" } },            "......h....." },
  { { { 0, "dhd" }, { 6, "hdh" } },            "......hdh..." },
  { { { 0, "dhdhd" }, { 0, "hdhdh" } },        "hdhdh......." },
};

START_TEST (sequence)
{
  struct stretches *stretches = new_stretches (5);
  size_t i;

  for (i = 0; i < 4 && sequences[_i].rows[i].text; ++i)
    remember (stretches, sequences[_i].rows[i].offset,
              sequences[_i].rows[i].text);
  ck_assert_str_eq (recall (stretches, 12), sequences[_i].expected);
  stretches_free (stretches);
}
END_TEST

/* Cut the truth into stretches that may be shorter than they could be. */
static size_t
random_row (struct random *random, const char *truth, size_t size,
            struct stretch *row, size_t most)
{
  size_t offset = random_below (random, size), count = 0, length;

  while (count < most && offset < size) {
    const char one[] = { truth[offset], '\0' };

    length = 1 + random_below (random, strspn (truth + offset, one));
    row[count++] = (struct stretch) {
      .offset = offset, .end = offset + length,
      .kind = truth[offset] == 'h' ? VDISK_HOLE : VDISK_DATA,
    };
    offset += length;
  }
  return count;
}

/* Whatever is remembered in whatever order, what is known is true; and
 * what was remembered last is known. */
START_TEST (truthful)
{
  struct stretches *stretches = new_stretches (20);
  struct random random = { .state = _i };
  struct stretch row[20];
  char truth[201];
  size_t i, n, count;

  for (i = 0; i < 200; ++i)
    truth[i] = random_below (&random, 3) ? (i ? truth[i - 1] : 'd') : 'h';
  for (i = 0; i < 200; ++i)
    if (random_below (&random, 4) == 0)
      truth[i] = 'd';
  truth[200] = '\0';
  for (n = 0; n < 2000; ++n) {
    const char *known;

    count = random_row (&random, truth, 200, row,
                        1 + random_below (&random, 20));
    stretches_remember (stretches, row, count);
    known = recall (stretches, 200);
    for (i = 0; i < 200; ++i)
      if (known[i] != truth[i] &&
          (known[i] != '.' ||
           (i >= row[0].offset && i < row[count - 1].end)))
        ck_abort_msg ("round %zu, offset %zu: %s", n, i, known);
  }
  stretches_free (stretches);
}
END_TEST

#define COUNT(array) ((int) (sizeof (array) / sizeof (array)[0]))

int
main (void)
{
  Suite *suite = suite_create ("stretches");
  TCase *tcase = tcase_create ("stretches");

  tcase_add_test (tcase, nothing);
  tcase_add_test (tcase, whole_stretch);
  tcase_add_test (tcase, far_end);
  tcase_add_loop_test (tcase, sequence, 0, COUNT (sequences));
  tcase_add_loop_test (tcase, truthful, 0, 5);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
