/* SPDX-License-Identifier: BSD-3-Clause */
/* Views of images: which names there are and what they mean, whatever is in
 * them; and who owns what.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "source/memory.h"
#include "support.h"
#include "view-check.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])

/* --- Listing ------------------------------------------------------------ */

static int
append_view (void *opaque, const struct vdisk_view *view)
{
  char *text = opaque;

  sprintf (text + strlen (text), "%s%s%s\n", view->name,
           view->problem ? ": " : "", view->problem ? view->problem : "");
  return 0;
}

static void
check_views (struct vdisk *vdisk, const char *wanted)
{
  static char text[65536];
  struct vdisk_error error = { 0 };

  text[0] = '\0';
  ck_assert_int_eq (vdisk_views (vdisk, append_view, text, &error), 0);
  ck_assert_str_eq (text, wanted);
}

START_TEST (names_and_ids)
{
  struct vdisk *vdisk;

  add_snapshot ("1", "monday", 1);
  add_snapshot ("2", "1", 2);
  add_snapshot ("3", "twice", 3);
  add_snapshot ("4", "twice", 4);
  add_snapshot ("5", "5", 5);
  add_snapshot ("6", "", 6);
  add_snapshot ("x..y", "a/b", 7);
  states_finish (states, &image);
  put_data (0, 99);
  vdisk = open_image ();
  check_views (vdisk, "active\n" "snapshot/monday\n" "snapshot/2\n"
               "snapshot/3\n" "snapshot/4\n" "snapshot/5\n" "snapshot/6\n"
               "snapshot/a/b\n" "layer/0\n");
  check_byte (vdisk, "active", 99);
  check_byte (vdisk, "snapshot/monday", 1);
  check_byte (vdisk, "snapshot/1", 1);
  check_byte (vdisk, "snapshot/2", 2);
  check_byte (vdisk, "snapshot/3", 3);
  check_byte (vdisk, "snapshot/4", 4);
  check_byte (vdisk, "snapshot/5", 5);
  check_byte (vdisk, "snapshot/6", 6);
  check_byte (vdisk, "snapshot/x..y", 7);
  check_byte (vdisk, "snapshot/a/b", 7);
  check_refused (vdisk, "snapshot/twice", ENOENT, "disk.qcow2: view "
                 "'snapshot/twice': several snapshots have that name: take "
                 "one by its ID");
  check_refused (vdisk, "snapshot/tuesday", ENOENT, "disk.qcow2: view "
                 "'snapshot/tuesday': there is no such snapshot");
  check_refused (vdisk, "snapshots/monday", ENOENT, "disk.qcow2: view "
                 "'snapshots/monday': must be active, snapshot/NAME, "
                 "bitmap/NAME, layer/N or diff/VIEW..VIEW");
  vdisk_close (vdisk);
}
END_TEST

/* Every view that is listed without a problem is opened by its name, and is
 * that one, even if IDs and names are the same in all ways. */
START_TEST (same_ids)
{
  struct vdisk *vdisk;

  add_snapshot ("1", "a", 1);
  add_snapshot ("1", "b", 2);
  add_snapshot ("1", "b", 3);
  add_snapshot ("", "", 4);
  states_finish (states, &image);
  vdisk = open_image ();
  check_views (vdisk, "active\n" "snapshot/a\n" "snapshot/1: its name and "
               "its ID are those of others, too\n" "snapshot/1: its name and "
               "its ID are those of others, too\n" "snapshot/\n"
               "layer/0\n");
  check_byte (vdisk, "snapshot/a", 1);
  check_byte (vdisk, "snapshot/1", 1);
  check_byte (vdisk, "snapshot/", 4);
  vdisk_close (vdisk);
}
END_TEST

START_TEST (unprintable_names)
{
  const char name[] = "a\0b\xff\n\\c";
  const struct snapshot_fields fields = {
    .l1_table_offset = get_be64 (qcow2_image_header (&image)
                                 ->l1_table_offset),
    .l1_size = 1, .id = "1", .name = name, .name_size = sizeof name - 1,
    .extra_size = 16, .disk_size = DISK,
  };
  struct vdisk *vdisk;

  states_add_snapshot (states, &fields);
  add_bitmap ("\x1b[2J", 1);
  states_finish (states, &image);
  put_data (0, 5);
  vdisk = open_image ();
  check_views (vdisk, "active\n" "snapshot/a\\x00b\\xff\\x0a\\\\c\n"
               "bitmap/\\x1b[2J\n" "layer/0\n");
  check_byte (vdisk, "snapshot/a\\x00b\\xff\\x0a\\\\c", 5);
  check_byte (vdisk, "bitmap/\\x1b[2J", 5);
  check_refused (vdisk, "snapshot/\x1b[2J", ENOENT, "disk.qcow2: view "
                 "'snapshot/\\x1b[2J': there is no such snapshot");
  vdisk_close (vdisk);
}
END_TEST

/* Names that are as long as they can be told, and one more. */
START_TEST (long_names)
{
  static char name[1100], view[1200];
  struct vdisk *vdisk;

  memset (name, 'n', sizeof name);
  name[1023] = '\0';
  add_snapshot ("1", name, 1);
  add_snapshot ("2", "other", 2);
  states_finish (states, &image);
  vdisk = open_image ();
  sprintf (view, "snapshot/%s", name);
  check_byte (vdisk, view, 1);
  strcat (view, "n");
  ck_assert_ptr_null (vdisk_open_view (vdisk, view, NULL));
  check_byte (vdisk, "snapshot/other", 2);
  vdisk_close (vdisk);
}
END_TEST

/* --- Layers ------------------------------------------------------------- */

START_TEST (layer_syntax)
{
  static const char *const wrong[] = {
    "layer/", "layer/x", "layer/-1", "layer/0-", "layer/1-0", "layer/0x",
    "layer/ 0", "layer/0-0-0", "layer/+0", "layer/0-0 ",
  };
  struct vdisk *vdisk = open_image (), *view;
  char message[256];
  size_t i;

  for (i = 0; i < LEN (wrong); ++i) {
    sprintf (message, "disk.qcow2: view '%s': must be layer/N or layer/N-M",
             wrong[i]);
    check_refused (vdisk, wrong[i], ENOENT, message);
  }
  check_refused (vdisk, "layer/1", ENOENT, "disk.qcow2: view 'layer/1': the "
                 "chain has layers 0 to 0");
  check_refused (vdisk, "layer/0-18446744073709551616", ENOENT, "disk.qcow2: "
                 "view 'layer/0-18446744073709551616': must be layer/N or "
                 "layer/N-M");
  view = open_view (vdisk, "layer/00-0");
  ck_assert_uint_eq (vdisk_size (view), DISK);
  vdisk_close (view);
  vdisk_close (vdisk);
}
END_TEST

START_TEST (layers)
{
  static uint8_t bytes[8 * CLUSTER];
  struct vdisk *vdisk, *view;

  memset (bytes, 7, sizeof bytes);
  set_below (bytes, sizeof bytes, "raw");
  put_data (0, 1);
  qcow2_image_set (&image, CLUSTER, QCOW2_ZERO);
  vdisk = open_image ();
  check_views (vdisk, "active\n" "layer/0\n" "layer/1\n");
  check_map (vdisk, "active", "8d 8z 48d 64h");
  check_map (vdisk, "layer/0", "8d 8z 112h");
  check_map (vdisk, "layer/0-0", "8d 8z 112h");
  check_map (vdisk, "layer/1", "64d");
  check_map (vdisk, "layer/0-1", "8d 8z 48d 64h");
  check_map (vdisk, "diff/layer/1..active", "8d 8z 112h");
  check_map (vdisk, "diff/active..layer/1", "16d 48h");
  check_map (vdisk, "diff/layer/0..layer/0-1", "16h 48d 64h");
  check_map (vdisk, "diff/layer/0-1..active", "128h");
  view = open_view (vdisk, "layer/1-1");
  ck_assert_uint_eq (vdisk_size (view), sizeof bytes);
  ck_assert_int_eq (byte_of (view, 0), 7);
  vdisk_close (view);
  vdisk_close (vdisk);
}
END_TEST

/* --- Bitmaps ------------------------------------------------------------ */

START_TEST (bitmap_names)
{
  struct vdisk *vdisk;

  put_data (0, 1);
  put_data (CLUSTER, 2);
  put_data (2 * CLUSTER, 3);
  put_data (3 * CLUSTER, 4);
  add_bitmap ("a", 1);
  add_bitmap ("b", 2);
  add_bitmap ("a+b", 4);
  add_bitmap ("..", 8);
  add_bitmap ("", 16);
  states_finish (states, &image);
  vdisk = open_image ();
  check_views (vdisk, "active\n" "bitmap/a\n" "bitmap/b\n" "bitmap/a+b\n"
               "bitmap/..\n" "bitmap/\n" "layer/0\n");
  check_map (vdisk, "bitmap/a", "8d 120h");
  check_map (vdisk, "bitmap/b+a", "16d 112h");
  /* The whole is tried first. */
  check_map (vdisk, "bitmap/a+b", "16h 8d 104h");
  check_map (vdisk, "bitmap/a+b+a", "16d 112h");
  check_map (vdisk, "bitmap/b+a+b", "8h 16d 104h");
  check_map (vdisk, "bitmap/..+a", "8d 16h 8d 96h");
  /* Zeros have changed, too. */
  check_map (vdisk, "bitmap/", "32h 8z 88h");
  check_map (vdisk, "bitmap/b+", "8h 8d 16h 8z 88h");
  check_map (vdisk, "diff/bitmap/a..active", "8d 120h");
  check_map (vdisk, "diff/bitmap/....active", "24h 8d 96h");
  check_refused (vdisk, "bitmap/a+c", ENOENT, "disk.qcow2: view "
                 "'bitmap/a+c': there is no such bitmap");
  check_refused (vdisk, "diff/bitmap/a..layer/0", EINVAL, "disk.qcow2: view "
                 "'bitmap/a' tells what has changed up to the active disk of "
                 "that image, and up to nothing else");
  vdisk_close (vdisk);
}
END_TEST

/* Bitmaps "a" and "a+a" leave as many ways to divide a name as there are
 * Fibonacci numbers; none of them is tried more than once. */
START_TEST (many_ways)
{
  char name[4096] = "bitmap/a";
  struct vdisk *vdisk, *view;
  unsigned i;

  add_bitmap ("a", 1);
  add_bitmap ("a+a", 2);
  states_finish (states, &image);
  vdisk = open_image ();
  for (i = 1; i < 64; ++i)
    strcat (name, "+a");
  view = open_view (vdisk, name);
  vdisk_close (view);
  ck_assert_ptr_null (vdisk_open_view (vdisk, strcat (name, "+a"), NULL));
  name[strlen (name) - 3] = 'x';
  ck_assert_ptr_null (vdisk_open_view (vdisk, name, NULL));
  strcpy (name, "diff/");
  for (i = 0; i < 2000; ++i)
    strcat (name, "..");
  ck_assert_ptr_null (vdisk_open_view (vdisk, name, NULL));
  strcpy (name, "diff/diff/active..active..active");
  check_refused (vdisk, name, ENOENT,
                 "disk.qcow2: view 'diff/active..active': "
                 "there are no differences of differences");
  vdisk_close (vdisk);
}
END_TEST

START_TEST (same_bitmaps)
{
  struct vdisk *vdisk;

  add_bitmap ("a", 1);
  add_bitmap ("b", 2);
  add_bitmap ("a", 4);
  states_finish (states, &image);
  vdisk = open_image ();
  check_views (vdisk, "active\n" "bitmap/a: its name is that of another, "
               "too\n" "bitmap/b\n" "bitmap/a: its name is that of another, "
               "too\n" "layer/0\n");
  check_refused (vdisk, "bitmap/a", ENOENT, "disk.qcow2: view 'bitmap/a': "
                 "several bitmaps have that name");
  check_refused (vdisk, "bitmap/b+a", ENOENT, "disk.qcow2: view "
                 "'bitmap/b+a': several bitmaps have that name");
  check_map (vdisk, "bitmap/b", "8h 8z 112h");
  vdisk_close (vdisk);
}
END_TEST

START_TEST (bitmap_in_use)
{
  struct vdisk *vdisk;

  add_bitmap ("b", 1);
  states_last_bitmap (states)->flags = to_be32 (QCOW2_BITMAP_IN_USE);
  add_bitmap ("c", 2);
  states_finish (states, &image);
  vdisk = open_image ();
  check_views (vdisk, "active\n" "bitmap/b: it is in use, so that what it "
               "says is out of date\n" "bitmap/c\n" "layer/0\n");
  ck_assert_ptr_null (vdisk_open_view (vdisk, "bitmap/b", NULL));
  ck_assert_ptr_null (vdisk_open_view (vdisk, "bitmap/c+b", NULL));
  ck_assert_ptr_null (vdisk_open_view (vdisk, "diff/bitmap/b..active",
                                       NULL));
  vdisk_close (vdisk);
}
END_TEST

/* Whoever has cleared the bit has written without them. */
START_TEST (bitmaps_not_valid)
{
  struct vdisk *vdisk;

  add_bitmap ("b", 1);
  states_finish (states, &image);
  qcow2_image_header (&image)->autoclear_features = to_be64 (0);
  vdisk = open_image ();
  check_views (vdisk, "active\n" "layer/0\n");
  check_refused (vdisk, "bitmap/b", ENOENT, "disk.qcow2: view 'bitmap/b': "
                 "there is no such bitmap");
  vdisk_close (vdisk);
}
END_TEST

/* Each breaks one rule. */
static const struct {
  const char *message;
  uint64_t table_offset;        /* 0: as it is */
  uint32_t table_size, flags;
  uint8_t type, bits;
} broken[] = {
  { "the offset of the table must be cluster-aligned, and not 0", 512, 1, 0,
    1, 12 },
  { "the table must have entries, for 512 MiB at most", 0, 0, 0, 1, 12 },
  { "the table must have entries, for 512 MiB at most", 0, 131073, 0, 1, 12 },
  { "reserved flags are set", 0, 1, 8, 1, 12 },
  { "the type must be 1", 0, 1, 0, 2, 12 },
  { "the granularity must be 2^9 to 2^31", 0, 1, 0, 1, 8 },
  { "the granularity must be 2^9 to 2^31", 0, 1, 0, 1, 32 },
  { "its table of 131072 entries at offset 8192 reaches beyond the end of "
    "the file (16416 bytes)", 0, 131072, 0, 1, 12 },
};

START_TEST (bitmap_breaks_rule)
{
  struct vdisk *vdisk;
  struct qcow2_bitmap *entry;
  char message[256];

  add_bitmap ("b", 1);
  entry = states_last_bitmap (states);
  if (broken[_i].table_offset)
    entry->table_offset = to_be64 (broken[_i].table_offset);
  entry->table_size = to_be32 (broken[_i].table_size);
  entry->flags = to_be32 (broken[_i].flags);
  entry->type = broken[_i].type;
  entry->granularity_bits = broken[_i].bits;
  states_finish (states, &image);
  sprintf (message, "disk.qcow2: bitmap at offset %zu: %s",
           image.size - states->bitmaps_size, broken[_i].message);
  vdisk = open_image ();
  check_refused (vdisk, "bitmap/b", EINVAL, message);
  vdisk_close (vdisk);
}
END_TEST

/* Entries of the table without a cluster, and such that break a rule. */
START_TEST (bitmap_tables)
{
  static const struct {
    uint64_t value;
    const char *map;
  } tables[] = {
    { 0, "128h" },
    { 1, "128z" },
    { 2, "reserved" },
    { 4096 + 512, "not aligned" },
    { 4096 + 1, "both" },
    { UINT64_C (1) << 56, "reserved" },
    { UINT64_C (1) << 40, "beyond the end" },
  };
  const be64 value = to_be64 (tables[_i].value);
  struct vdisk *vdisk, *view;
  const char *got;

  add_bitmap ("b", 1);
  memcpy (image.bytes + get_be64 (states_last_bitmap (states)->table_offset),
          &value, sizeof value);
  states_finish (states, &image);
  vdisk = open_image ();
  view = open_view (vdisk, "bitmap/b");
  got = letters_of (view);
  if (_i < 2)
    ck_assert_str_eq (got, tables[_i].map);
  else
    ck_assert_msg (strncmp (got, "disk.qcow2: ", 12) == 0, "%s", got);
  vdisk_close (view);
  vdisk_close (vdisk);
}
END_TEST

/* --- Snapshots' disks --------------------------------------------------- */

/* Without extra data the disk has the size that it has now; so has it with
 * what tells of the state of the machine alone. */
START_TEST (no_extra_data)
{
  static const uint32_t sizes[] = { 0, 8, 16, 24 };
  const struct snapshot_fields fields = {
    .l1_table_offset = get_be64 (qcow2_image_header (&image)
                                 ->l1_table_offset),
    .l1_size = 1, .id = "1", .name = "old", .extra_size = sizes[_i],
    .disk_size = 512,
  };
  struct vdisk *vdisk, *view;

  put_data (0, 1);
  states_add_snapshot (states, &fields);
  states_finish (states, &image);
  vdisk = open_image ();
  view = open_view (vdisk, "snapshot/old");
  ck_assert_uint_eq (vdisk_size (view), sizes[_i] < 16 ? DISK : 512);
  ck_assert_int_eq (byte_of (view, 0), 1);
  vdisk_close (view);
  vdisk_close (vdisk);
}
END_TEST

START_TEST (snapshot_breaks_rule)
{
  static const struct {
    const char *message;
    uint64_t l1_table_offset, disk_size;
    uint32_t l1_size;
  } rules[] = {
    { "L1 table of 4194305 entries, must be at most 4194304", 4096, 512,
      4194305 },
    { "L1 table of 8 bytes at offset 512, must be at a multiple of 4096 in "
      "the file (12288 bytes)", 512, 512, 1 },
    { "L1 table of 8 bytes at offset 12288, must be at a multiple of 4096 in "
      "the file (12288 bytes)", 12288, 512, 1 },
    { "L1 table of 1 entries, a disk of 9223372036854775808 bytes needs "
      "4398046511104", 4096, UINT64_C (1) << 63, 1 },
    { "L1 table of 1 entries, a disk of 5368709120 bytes needs 2560", 4096,
      UINT64_C (5) << 30, 1 },
  };
  const struct snapshot_fields fields = {
    .l1_table_offset = rules[_i].l1_table_offset,
    .l1_size = rules[_i].l1_size, .id = "1", .name = "s", .extra_size = 16,
    .disk_size = rules[_i].disk_size,
  };
  struct vdisk *vdisk;
  char message[256];

  states_add_snapshot (states, &fields);
  states_finish (states, &image);
  image.size = 12288;
  sprintf (message, "disk.qcow2: snapshot at offset 8192: %s",
           rules[_i].message);
  vdisk = open_image ();
  check_refused (vdisk, "snapshot/1", EINVAL, message);
  vdisk_close (vdisk);
}
END_TEST

/* Opening a view reads the lists, and no table of the disk, however large
 * that is. */
START_TEST (opening_reads_little)
{
  const unsigned count = 50;
  struct source *source;
  struct vdisk *vdisk, *view;
  size_t before;
  unsigned i;
  char id[16];

  qcow2_image_free (&image);
  qcow2_image_init (&image, 3, 9, UINT64_C (8) << 30, 0);
  for (i = 0; i < count; ++i) {
    sprintf (id, "%u", i);
    add_snapshot (id, "s", i);
  }
  states_finish (states, &image);
  source = source_faulty (source_memory ("disk.qcow2", image.bytes,
                                         image.size), SIZE_MAX);
  vdisk = try_source (source, NULL);
  ck_assert_ptr_nonnull (vdisk);
  before = source_faulty_count (source);
  ck_assert_uint_lt (before, 20);
  view = open_view (vdisk, "snapshot/49");
  ck_assert_uint_lt (source_faulty_count (source) - before, 10 * count);
  vdisk_close (view);
  before = source_faulty_count (source);
  view = open_view (vdisk, "diff/snapshot/0..active");
  ck_assert_uint_lt (source_faulty_count (source) - before, 10 * count);
  vdisk_close (view);
  vdisk_close (vdisk);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("views");
  TCase *tcase = tcase_create ("names");

  tcase_add_checked_fixture (tcase, views_setup, views_teardown);
  tcase_add_test (tcase, names_and_ids);
  tcase_add_test (tcase, same_ids);
  tcase_add_test (tcase, unprintable_names);
  tcase_add_test (tcase, long_names);
  tcase_add_test (tcase, layer_syntax);
  tcase_add_test (tcase, layers);
  tcase_add_test (tcase, bitmap_names);
  tcase_add_test (tcase, many_ways);
  tcase_add_test (tcase, same_bitmaps);
  suite_add_tcase (suite, tcase);
  tcase = tcase_create ("tables");
  tcase_add_checked_fixture (tcase, views_setup, views_teardown);
  tcase_add_test (tcase, bitmap_in_use);
  tcase_add_test (tcase, bitmaps_not_valid);
  tcase_add_loop_test (tcase, bitmap_breaks_rule, 0, LEN (broken));
  tcase_add_loop_test (tcase, bitmap_tables, 0, 7);
  tcase_add_loop_test (tcase, no_extra_data, 0, 4);
  tcase_add_loop_test (tcase, snapshot_breaks_rule, 0, 5);
  tcase_add_test (tcase, opening_reads_little);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
