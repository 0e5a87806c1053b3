/* SPDX-License-Identifier: BSD-3-Clause */
/* Intervals and lists of them: what merges, cutting, searching, and laying
 * one list over another, the last also against a model that does it byte
 * by byte.
 */

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "map/interval.h"
#include "random.h"
#include "support.h"

#define NONE VDISK_NO_HOST_OFFSET

/* Read a list as list_text writes it.  The caller frees it. */
static struct interval_list
parse_list (const char *text)
{
  static const char *const kinds[] = { "hole", "zero", "data", "packed" };
  struct interval_list list = { 0 };

  while (*text) {
    struct interval interval = { .host = NONE };
    char kind[8];
    int n = 0;

    ck_assert_msg (sscanf (text, "%7[a-z]%n", kind, &n) == 1, "%s", text);
    text += n;
    while (strcmp (kind, kinds[interval.kind]) != 0)
      ck_assert_int_lt (++interval.kind, 4);
    n = 0;
    if (sscanf (text, ":%" SCNu16 "%n", &interval.depth, &n) == 1)
      text += n;
    ck_assert (sscanf (text, " %" SCNu64 "+%" SCNu64 "%n",
                       &interval.offset, &interval.length, &n) == 2);
    text += n;
    n = 0;
    if (sscanf (text, "@%" SCNu64 "%n", &interval.host, &n) == 1)
      text += n;
    n = 0;
    if (sscanf (text, "/%" SCNu32 "%n", &interval.packed_size, &n) == 1)
      text += n;
    ck_assert_int_eq (interval_list_append (&list, &interval), 0);
    text += strspn (text, ", ");
  }
  return list;
}

static bool
is_same (const struct interval *a, const struct interval *b)
{
  return a->offset == b->offset && a->length == b->length &&
    a->host == b->host && a->packed_size == b->packed_size &&
    a->depth == b->depth && a->kind == b->kind;
}

/* --- Append and merge ------------------------------------------------ */

static const struct {
  struct interval a, b;
  bool merge;
} pairs[] = {
#define A .offset = 1000, .length = 24
#define B .offset = 1024, .length = 76
  /* Data continues where the host bytes do. */
  { { A, .host = 500, .kind = VDISK_DATA },
    { B, .host = 524, .kind = VDISK_DATA }, true },
  { { A, .host = 500, .kind = VDISK_DATA },
    { B, .host = 525, .kind = VDISK_DATA }, false },
  { { A, .host = 500, .kind = VDISK_DATA },
    { B, .host = 500, .kind = VDISK_DATA }, false },
  { { A, .host = 524, .kind = VDISK_DATA },
    { B, .host = 500, .kind = VDISK_DATA }, false },
  /* Not in another file. */
  { { A, .host = 500, .kind = VDISK_DATA },
    { B, .host = 524, .kind = VDISK_DATA, .depth = 1 }, false },
  /* Nothing reserved continues nothing reserved. */
  { { A, .host = NONE, .kind = VDISK_ZERO },
    { B, .host = NONE, .kind = VDISK_ZERO }, true },
  { { A, .host = NONE, .kind = VDISK_HOLE },
    { B, .host = NONE, .kind = VDISK_HOLE }, true },
  { { A, .host = NONE, .kind = VDISK_HOLE, .depth = 2 },
    { B, .host = NONE, .kind = VDISK_HOLE, .depth = 2 }, true },
  { { A, .host = NONE, .kind = VDISK_HOLE },
    { B, .host = NONE, .kind = VDISK_HOLE, .depth = 1 }, false },
  /* Reserved space does as data does. */
  { { A, .host = 500, .kind = VDISK_ZERO },
    { B, .host = 524, .kind = VDISK_ZERO }, true },
  { { A, .host = 500, .kind = VDISK_ZERO },
    { B, .host = 600, .kind = VDISK_ZERO }, false },
  { { A, .host = 500, .kind = VDISK_ZERO },
    { B, .host = NONE, .kind = VDISK_ZERO }, false },
  { { A, .host = NONE, .kind = VDISK_HOLE },
    { B, .host = 524, .kind = VDISK_HOLE }, false },
  /* NONE is no number to count from. */
  { { A, .host = NONE, .kind = VDISK_ZERO },
    { B, .host = 23, .kind = VDISK_ZERO }, false },
  { { A, .host = NONE - 24, .kind = VDISK_ZERO },
    { B, .host = NONE, .kind = VDISK_ZERO }, false },
  /* Kinds stay apart. */
  { { A, .host = NONE, .kind = VDISK_HOLE },
    { B, .host = NONE, .kind = VDISK_ZERO }, false },
  { { A, .host = 500, .kind = VDISK_DATA },
    { B, .host = 524, .kind = VDISK_ZERO }, false },
  { { A, .host = 500, .kind = VDISK_DATA },
    { B, .host = 524, .kind = VDISK_PACKED, .packed_size = 9 }, false },
  /* Compressed clusters, also where two are the same: each starts at its
   * start. */
  { { A, .host = 500, .kind = VDISK_PACKED, .packed_size = 24 },
    { B, .host = 500, .kind = VDISK_PACKED, .packed_size = 24 }, false },
  { { A, .host = 500, .kind = VDISK_PACKED, .packed_size = 24 },
    { B, .host = 524, .kind = VDISK_PACKED, .packed_size = 24 }, false },
  { { A, .host = 500, .kind = VDISK_PACKED, .packed_size = 24 },
    { B, .host = 500, .kind = VDISK_PACKED, .packed_size = 25 }, false },
  { { A, .host = 500, .kind = VDISK_PACKED, .packed_size = 24 },
    { B, .host = 500, .kind = VDISK_PACKED, .packed_size = 24,
      .depth = 1 }, false },
#undef A
#undef B
};

START_TEST (append_pair)
{
  const struct interval *a = &pairs[_i].a, *b = &pairs[_i].b;
  struct interval_list list = { 0 };

  ck_assert_int_eq (interval_continues (a, b), pairs[_i].merge);
  ck_assert_int_eq (interval_list_append (&list, a), 0);
  ck_assert_int_eq (interval_list_append (&list, b), 0);
  ck_assert_uint_eq (interval_list_end (&list), 1100);
  ck_assert_uint_eq (list.count, pairs[_i].merge ? 1 : 2);
  ck_assert_uint_eq (list.at[0].offset, 1000);
  ck_assert_uint_eq (list.at[0].length, pairs[_i].merge ? 100 : 24);
  ck_assert_uint_eq (list.at[0].host, a->host);
  ck_assert_uint_eq (list.at[0].packed_size, a->packed_size);
  if (!pairs[_i].merge)
    ck_assert (is_same (&list.at[1], b));
  interval_list_free (&list);
}
END_TEST

START_TEST (append_nothing)
{
  struct interval_list list = { 0 };
  const struct interval nothing = { .offset = 7, .kind = VDISK_DATA };
  const struct interval byte = {
    .offset = 7, .length = 1, .kind = VDISK_DATA
  };

  ck_assert_int_eq (interval_list_append (&list, &nothing), 0);
  ck_assert_uint_eq (list.count, 0);
  ck_assert_int_eq (interval_list_append (&list, &byte), 0);
  ck_assert_int_eq (interval_list_append (&list, &nothing), 0);
  ck_assert_uint_eq (list.count, 1);
  ck_assert_uint_eq (interval_list_end (&list), 8);
  interval_list_free (&list);
}
END_TEST

/* Make a list of 'count' intervals of 10 bytes, none of which merge. */
static struct interval_list
make_long_list (size_t count)
{
  struct interval_list list = { 0 };
  size_t i;

  for (i = 0; i < count; ++i) {
    struct interval interval = {
      .offset = 10 * i, .length = 10, .host = 20 * i, .kind = VDISK_DATA,
    };

    if (interval_list_append (&list, &interval) == -1)
      ck_abort_msg ("out of memory");
  }
  return list;
}

START_TEST (append_many)
{
  struct interval_list list = make_long_list (10000);
  const struct interval *at;
  size_t i;

  ck_assert_uint_eq (list.count, 10000);
  ck_assert_uint_eq (interval_list_end (&list), 100000);
  for (i = 0; i < list.count; ++i)
    if (list.at[i].offset != 10 * i || list.at[i].length != 10 ||
        list.at[i].host != 20 * i)
      ck_abort_msg ("interval %zu", i);

  /* Cleared, it keeps its memory; freed, it can be used again. */
  at = list.at;
  interval_list_clear (&list);
  ck_assert_uint_eq (list.count, 0);
  ck_assert_ptr_eq (list.at, at);
  interval_list_free (&list);
  ck_assert_ptr_null (list.at);
  ck_assert_uint_eq (list.count, 0);
  list = make_long_list (1);
  interval_list_free (&list);
}
END_TEST

/* --- Reserve --------------------------------------------------------- */

START_TEST (reserve)
{
  struct interval_list list = make_long_list (3);
  const struct interval *at;

  ck_assert_int_eq (interval_list_reserve (&list, 1000), 0);
  ck_assert_uint_ge (list.allocated, 1003);
  ck_assert_uint_eq (list.count, 3);
  ck_assert_uint_eq (list.at[2].offset, 20);
  at = list.at;
  ck_assert_int_eq (interval_list_reserve (&list, 1000), 0);
  ck_assert_int_eq (interval_list_reserve (&list, 0), 0);
  ck_assert_ptr_eq (list.at, at);
  interval_list_free (&list);
}
END_TEST

static const size_t too_many[] = {
  SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 2, SIZE_MAX / 2,
  SIZE_MAX / sizeof (struct interval),
  SIZE_MAX / sizeof (struct interval) + 1,
};

/* Sanitizers end the program when malloc is asked for too much, unless
 * they are told not to. */
const char *__asan_default_options (void);
const char *__tsan_default_options (void);

const char *
__asan_default_options (void)
{
  return "allocator_may_return_null=1";
}

const char *
__tsan_default_options (void)
{
  return "allocator_may_return_null=1";
}

/* Numbers that wrap when they are added up or multiplied. */
START_TEST (reserve_too_many)
{
  struct interval_list list = make_long_list (3);

  ck_assert_int_eq (interval_list_reserve (&list, too_many[_i]), -1);
  ck_assert_uint_eq (list.count, 3);
  ck_assert_uint_eq (interval_list_end (&list), 30);
  interval_list_free (&list);
}
END_TEST

/* --- Clip, truncate, find -------------------------------------------- */

static const struct {
  const char *from;
  uint64_t offset, end;
  const char *to;
} clips[] = {
  { "data 100+50@1000", 100, 150, "data 100+50@1000" },
  { "data 100+50@1000", 0, 1000, "data 100+50@1000" },
  { "data 100+50@1000", 0, UINT64_MAX, "data 100+50@1000" },
  { "data 100+50@1000", 110, 1000, "data 110+40@1010" },
  { "data 100+50@1000", 0, 120, "data 100+20@1000" },
  { "data 100+50@1000", 149, 150, "data 149+1@1049" },
  { "data 100+50@1000", 100, 101, "data 100+1@1000" },
  { "data:3 100+50@0", 101, 102, "data:3 101+1@1" },
  /* What is compressed starts where it starts. */
  { "packed 100+50@1000/30", 110, 120, "packed 110+10@1000/30" },
  { "packed:1 100+50@1000/30", 0, 120, "packed:1 100+20@1000/30" },
  { "zero 100+50", 110, 120, "zero 110+10" },
  { "hole:2 100+50", 110, 120, "hole:2 110+10" },
  { "zero 100+50@1000", 110, 120, "zero 110+10@1010" },
  { "hole 100+50@1000", 110, 120, "hole 110+10@1010" },
};

START_TEST (clip)
{
  struct interval_list list = parse_list (clips[_i].from);

  list.at[0] = interval_clip (&list.at[0], clips[_i].offset, clips[_i].end);
  ck_assert_str_eq (list_text (&list), clips[_i].to);
  interval_list_free (&list);
}
END_TEST

static const struct {
  uint64_t end;
  const char *text;
} truncations[] = {
  { UINT64_MAX, "data 10+10@0, hole 20+10, packed 30+10@7/5" },
  { 40, "data 10+10@0, hole 20+10, packed 30+10@7/5" },
  { 39, "data 10+10@0, hole 20+10, packed 30+9@7/5" },
  { 31, "data 10+10@0, hole 20+10, packed 30+1@7/5" },
  { 30, "data 10+10@0, hole 20+10" },
  { 25, "data 10+10@0, hole 20+5" },
  { 20, "data 10+10@0" },
  { 11, "data 10+1@0" },
  { 10, "" },
  { 3, "" },
  { 0, "" },
};

START_TEST (truncate_list)
{
  struct interval_list list = parse_list (truncations[0].text);

  interval_list_truncate (&list, truncations[_i].end);
  ck_assert_str_eq (list_text (&list), truncations[_i].text);
  interval_list_truncate (&list, 0);
  ck_assert_uint_eq (list.count, 0);
  interval_list_truncate (&list, truncations[_i].end);
  ck_assert_uint_eq (list.count, 0);
  interval_list_free (&list);
}
END_TEST

/* Every offset of lists of every length up to 20. */
START_TEST (find)
{
  struct interval_list list = make_long_list (_i);
  uint64_t offset;

  for (offset = 0; offset < interval_list_end (&list); ++offset)
    ck_assert_uint_eq (interval_list_find (&list, offset), offset / 10);
  interval_list_free (&list);
}
END_TEST

START_TEST (find_in_uneven_list)
{
  struct interval_list list =
    parse_list ("data 1000+1@0, hole 1001+999, zero 2000+1, hole 2001+7");

  ck_assert_uint_eq (interval_list_find (&list, 1000), 0);
  ck_assert_uint_eq (interval_list_find (&list, 1001), 1);
  ck_assert_uint_eq (interval_list_find (&list, 1999), 1);
  ck_assert_uint_eq (interval_list_find (&list, 2000), 2);
  ck_assert_uint_eq (interval_list_find (&list, 2001), 3);
  ck_assert_uint_eq (interval_list_find (&list, 2007), 3);
  interval_list_free (&list);
}
END_TEST

/* --- Overlay --------------------------------------------------------- */

static const struct {
  const char *upper, *lower, *out;
} overlays[] = {
  { "", "", "" },
  { "", "data 0+10@0", "" },
  { "hole 0+10", "", "hole 0+10" },
  { "data 0+10@5", "data:1 0+10@70", "data 0+10@5" },
  { "zero 0+10", "data:1 0+10@70", "zero 0+10" },
  { "packed 0+10@5/5", "data:1 0+10@70", "packed 0+10@5/5" },
  { "hole 0+10", "data:1 0+10@70", "data:1 0+10@70" },
  { "hole 0+10", "zero:1 0+10", "zero:1 0+10" },
  { "hole 0+10", "hole:1 0+10", "hole:1 0+10" },
  /* The lower list is larger on either side. */
  { "hole 100+10", "data:1 0+200@70", "data:1 100+10@170" },
  { "hole 100+10", "packed:1 0+200@70/9", "packed:1 100+10@70/9" },
  { "hole 100+10", "data:1 0+100@70, zero:1 100+5, data:1 105+9@1",
    "zero:1 100+5, data:1 105+5@1" },
  /* Or smaller, or elsewhere. */
  { "hole 100+10", "data:1 104+2@70",
    "hole 100+4, data:1 104+2@70, hole 106+4" },
  { "hole 100+10", "data:1 90+15@70", "data:1 100+5@80, hole 105+5" },
  { "hole 100+10", "data:1 105+15@70", "hole 100+5, data:1 105+5@70" },
  { "hole 100+10", "data:1 90+10@70", "hole 100+10" },
  { "hole 100+10", "data:1 110+10@70", "hole 100+10" },
  /* Holes between other things; one interval below many of them. */
  { "data 0+10@0, hole 10+10, zero 20+10, hole 30+10, data 40+10@40",
    "data:1 0+50@1000",
    "data 0+10@0, data:1 10+10@1010, zero 20+10, data:1 30+10@1030, "
    "data 40+10@40" },
  { "hole 0+10, data 10+10@500, hole 20+10", "packed:1 0+30@9/9",
    "packed:1 0+10@9/9, data 10+10@500, packed:1 20+10@9/9" },
  /* What was cut by a hole's edge may continue what is there. */
  { "data 0+10@0, hole 10+10", "data 10+10@10", "data 0+20@0" },
  { "hole 0+10, hole:2 10+10", "data:3 0+20@0", "data:3 0+20@0" },
  /* Many below one. */
  { "hole 0+40", "data:1 0+10@0, hole:1 10+10, zero:1 20+10, data:1 30+10@9",
    "data:1 0+10@0, hole:1 10+10, zero:1 20+10, data:1 30+10@9" },
  /* A hole with space reserved. */
  { "hole 0+10@100", "data:1 2+4@0",
    "hole 0+2@100, data:1 2+4@0, hole 6+4@106" },
  /* Large offsets. */
  { "hole 18446744073709551000+600", "data:1 18446744073709551100+100@0",
    "hole 18446744073709551000+100, data:1 18446744073709551100+100@0, "
    "hole 18446744073709551200+400" },
};

START_TEST (overlay)
{
  struct interval_list upper = parse_list (overlays[_i].upper);
  struct interval_list lower = parse_list (overlays[_i].lower);
  struct interval_list out = { 0 };

  ck_assert_int_eq (interval_list_overlay (&upper, &lower, &out), 0);
  ck_assert_str_eq (list_text (&out), overlays[_i].out);
  ck_assert_str_eq (list_text (&upper), overlays[_i].upper);
  ck_assert_str_eq (list_text (&lower), overlays[_i].lower);
  interval_list_free (&upper);
  interval_list_free (&lower);
  interval_list_free (&out);
}
END_TEST

START_TEST (overlay_appends)
{
  struct interval_list upper = parse_list ("hole 10+10");
  struct interval_list lower = parse_list ("data:1 0+20@0");
  struct interval_list out = parse_list ("data:1 0+10@0");

  ck_assert_int_eq (interval_list_overlay (&upper, &lower, &out), 0);
  ck_assert_str_eq (list_text (&out), "data:1 0+20@0");
  interval_list_free (&upper);
  interval_list_free (&lower);
  interval_list_free (&out);
}
END_TEST

/* A random list that tiles [offset, end). */
static struct interval_list
random_list (struct random *random, uint64_t offset, uint64_t end,
             unsigned depth)
{
  struct interval_list list = { 0 };

  while (offset < end) {
    struct interval interval = {
      .offset = offset, .length = 1 + random_below (random, 12),
      .host = NONE, .kind = random_below (random, 4), .depth = depth,
    };

    if (interval.length > end - offset)
      interval.length = end - offset;
    if (interval.kind >= VDISK_DATA || random_below (random, 4) == 0)
      interval.host = random_below (random, 50);
    if (interval.kind == VDISK_PACKED)
      interval.packed_size = 1 + random_below (random, 3);
    if (interval_list_append (&list, &interval) == -1)
      ck_abort_msg ("out of memory");
    offset += interval.length;
  }
  return list;
}

/* What a list says of one byte.  False if it says nothing. */
static bool
byte_of (const struct interval_list *list, uint64_t offset,
         struct interval *byte)
{
  size_t i;

  for (i = 0; i < list->count; ++i) {
    const struct interval *interval = &list->at[i];

    if (offset < interval->offset ||
        offset - interval->offset >= interval->length)
      continue;
    *byte = *interval;
    byte->offset = offset;
    byte->length = 1;
    if (byte->kind != VDISK_PACKED && byte->host != NONE)
      byte->host += offset - interval->offset;
    return true;
  }
  return false;
}

static void
check_each_byte (const struct interval_list *upper,
                 const struct interval_list *lower,
                 const struct interval_list *out,
                 uint64_t offset, uint64_t end)
{
  for (; offset < end; ++offset) {
    struct interval expected = { 0 }, got = { 0 };

    byte_of (upper, offset, &expected);
    if (expected.kind == VDISK_HOLE)
      byte_of (lower, offset, &expected);
    /* Check's own assertions are slow. */
    if (!byte_of (out, offset, &got) || !is_same (&got, &expected))
      ck_abort_msg ("byte %" PRIu64 " of %s", offset, list_text (out));
  }
}

/* A list tiles the range, with intervals that could not be one. */
static void
check_tiles (const struct interval_list *list, uint64_t offset, uint64_t end)
{
  size_t i;

  for (i = 0; i < list->count; ++i) {
    const struct interval *interval = &list->at[i];

    if (interval->offset != offset || interval->length == 0 ||
        (i > 0 && interval_continues (interval - 1, interval)))
      ck_abort_msg ("interval %zu of %s", i, list_text (list));
    offset += interval->length;
  }
  ck_assert_uint_eq (offset, end);
}

START_TEST (overlay_random)
{
  struct random random = { .state = _i };
  unsigned round;

  for (round = 0; round < 50; ++round) {
    uint64_t offset = random_below (&random, 40);
    uint64_t end = offset + 1 + random_below (&random, 120);
    uint64_t lower_offset = random_below (&random, 60);
    uint64_t lower_end = lower_offset + random_below (&random, 120);
    struct interval_list upper = random_list (&random, offset, end, 0);
    struct interval_list lower =
      random_list (&random, lower_offset, lower_end, 1);
    struct interval_list out = { 0 };

    ck_assert_int_eq (interval_list_overlay (&upper, &lower, &out), 0);
    check_tiles (&out, offset, end);
    check_each_byte (&upper, &lower, &out, offset, end);
    interval_list_free (&upper);
    interval_list_free (&lower);
    interval_list_free (&out);
  }
}
END_TEST

#define COUNT(array) ((int) (sizeof (array) / sizeof (array)[0]))

int
main (void)
{
  Suite *suite = suite_create ("interval");
  TCase *tcase = tcase_create ("list");

  tcase_add_loop_test (tcase, append_pair, 0, COUNT (pairs));
  tcase_add_test (tcase, append_nothing);
  tcase_add_test (tcase, append_many);
  tcase_add_test (tcase, reserve);
  tcase_add_loop_test (tcase, reserve_too_many, 0, COUNT (too_many));
  tcase_add_loop_test (tcase, clip, 0, COUNT (clips));
  tcase_add_loop_test (tcase, truncate_list, 0, COUNT (truncations));
  tcase_add_loop_test (tcase, find, 1, 21);
  tcase_add_test (tcase, find_in_uneven_list);
  suite_add_tcase (suite, tcase);

  tcase = tcase_create ("overlay");
  tcase_add_loop_test (tcase, overlay, 0, COUNT (overlays));
  tcase_add_test (tcase, overlay_appends);
  tcase_add_loop_test (tcase, overlay_random, 0, 30);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
