/* SPDX-License-Identifier: BSD-3-Clause */
/* The memory of a source's cache: against a picture of it that has one
 * letter per byte.
 */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "source/extent-cache.h"
#include "support.h"

static const char letters[] = {
  [VDISK_HOLE] = 'h', [VDISK_ZERO] = 'z', [VDISK_DATA] = 'd',
};

static struct extent_cache *
new_extents (size_t most)
{
  struct extent_cache *cache = extent_cache_new (most);

  ck_assert_ptr_nonnull (cache);
  return cache;
}

/* Remember a row: each run of a letter is a extent. */
static void
remember (struct extent_cache *cache, uint64_t offset, const char *text)
{
  struct source_extent row[64];
  size_t count = 0, length;

  for (; *text; text += length, offset += length) {
    const char one[] = { *text, '\0' };

    length = strspn (text, one);
    row[count++] = (struct source_extent) {
      .offset = offset, .end = offset + length,
      .kind = *text == 'h' ? VDISK_HOLE : *text == 'z' ? VDISK_ZERO
        : VDISK_DATA,
    };
  }
  extent_cache_add (cache, row, count);
}

/* What is known of the first bytes: '.' for nothing. */
static const char *
recall (struct extent_cache *cache, size_t count)
{
  static char text[256];
  struct source_extent extent;
  size_t i;

  ck_assert_uint_lt (count, sizeof text);
  for (i = 0; i < count; ++i) {
    text[i] = '.';
    if (extent_cache_find (cache, i, &extent)) {
      ck_assert_uint_le (extent.offset, i);
      ck_assert_uint_gt (extent.end, i);
      text[i] = letters[extent.kind];
    }
  }
  text[count] = '\0';
  return text;
}

START_TEST (nothing)
{
  struct extent_cache *cache = new_extents (4);
  struct source_extent extent;

  ck_assert_str_eq (recall (cache, 10), "..........");
  ck_assert (!extent_cache_find (cache, UINT64_MAX, &extent));
  extent_cache_free (cache);
  extent_cache_free (NULL);
}
END_TEST

START_TEST (whole_extent)
{
  struct extent_cache *cache = new_extents (4);
  struct source_extent extent;

  remember (cache, 3, "ddzzzhh");
  ck_assert (extent_cache_find (cache, 6, &extent));
  ck_assert_uint_eq (extent.offset, 5);
  ck_assert_uint_eq (extent.end, 8);
  ck_assert_int_eq (extent.kind, VDISK_ZERO);
  extent_cache_free (cache);
}
END_TEST

START_TEST (far_end)
{
  const struct source_extent last = {
    .offset = UINT64_MAX - 10, .end = UINT64_MAX, .kind = VDISK_HOLE,
  };
  struct extent_cache *cache = new_extents (4);
  struct source_extent extent;

  extent_cache_add (cache, &last, 1);
  ck_assert (!extent_cache_find (cache, UINT64_MAX - 11, &extent));
  ck_assert (extent_cache_find (cache, UINT64_MAX - 1, &extent));
  ck_assert_uint_eq (extent.offset, last.offset);
  ck_assert (!extent_cache_find (cache, UINT64_MAX, &extent));
  extent_cache_free (cache);
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
  struct extent_cache *cache = new_extents (5);
  size_t i;

  for (i = 0; i < 4 && sequences[_i].rows[i].text; ++i)
    remember (cache, sequences[_i].rows[i].offset,
              sequences[_i].rows[i].text);
  ck_assert_str_eq (recall (cache, 12), sequences[_i].expected);
  extent_cache_free (cache);
}
END_TEST

/* Cut the truth into cache that may be shorter than they could be. */
static size_t
random_row (struct random *random, const char *truth, size_t size,
            struct source_extent *row, size_t most)
{
  size_t offset = random_below (random, size), count = 0, length;

  while (count < most && offset < size) {
    const char one[] = { truth[offset], '\0' };

    length = 1 + random_below (random, strspn (truth + offset, one));
    row[count++] = (struct source_extent) {
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
  struct extent_cache *cache = new_extents (20);
  struct random random = { .state = _i };
  struct source_extent row[20];
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
    extent_cache_add (cache, row, count);
    known = recall (cache, 200);
    for (i = 0; i < 200; ++i)
      if (known[i] != truth[i] &&
          (known[i] != '.' ||
           (i >= row[0].offset && i < row[count - 1].end)))
        ck_abort_msg ("round %zu, offset %zu: %s", n, i, known);
  }
  extent_cache_free (cache);
}
END_TEST

#define COUNT(array) ((int) (sizeof (array) / sizeof (array)[0]))

int
main (void)
{
  Suite *suite = suite_create ("cache");
  TCase *tcase = tcase_create ("cache");

  tcase_add_test (tcase, nothing);
  tcase_add_test (tcase, whole_extent);
  tcase_add_test (tcase, far_end);
  tcase_add_loop_test (tcase, sequence, 0, COUNT (sequences));
  tcase_add_loop_test (tcase, truthful, 0, 5);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
