/* SPDX-License-Identifier: BSD-3-Clause */
/* Differences of views: what they say, what they take, and that whoever has
 * them open can do so in any order, with reads that fail and with threads.
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "image.h"
#include "source/memory.h"
#include "support.h"
#include "vhd-image.h"
#include "view-check.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])

/* A snapshot "1" of two clusters, the second of which has then changed, and
 * a third that has come. */
static void
make_past (void)
{
  put_data (0, 1);
  put_data (CLUSTER, 2);
  states_take (states, &image, "1", "then");
  put_data (CLUSTER, 3);
  put_data (2 * CLUSTER, 4);
}

START_TEST (what_has_changed)
{
  struct vdisk *vdisk, *view;

  make_past ();
  qcow2_image_set (&image, 3 * CLUSTER, QCOW2_ZERO);
  states_finish (states, &image);
  vdisk = open_image ();
  check_map (vdisk, "diff/snapshot/then..active", "8h 16d 104h");
  check_map (vdisk, "diff/active..snapshot/1", "8h 8d 8z 104h");
  check_map (vdisk, "diff/snapshot/1..snapshot/then", "128h");
  view = open_view (vdisk, "diff/snapshot/then..active");
  ck_assert (vdisk_is_difference (view));
  ck_assert_int_eq (byte_of (view, 0), 0);
  ck_assert_int_eq (byte_of (view, CLUSTER), 3);
  ck_assert_int_eq (byte_of (view, 2 * CLUSTER), 4);
  ck_assert_str_eq (vdisk_view_name (view), "diff/snapshot/then..active");
  vdisk_close (view);
  ck_assert (!vdisk_is_difference (vdisk));
  vdisk_close (vdisk);
}
END_TEST

/* Names may have '..' in them, too; so may be both sides. */
START_TEST (dots)
{
  struct vdisk *vdisk;

  add_snapshot ("1", "a..b", 1);
  add_snapshot ("2", "..", 2);
  add_snapshot ("3", "a", 3);
  states_finish (states, &image);
  vdisk = open_image ();
  check_map (vdisk, "diff/snapshot/a..b..snapshot/..", "8d 120h");
  check_map (vdisk, "diff/snapshot/....snapshot/a..b", "8d 120h");
  check_map (vdisk, "diff/snapshot/a..snapshot/a..b", "8d 120h");
  check_map (vdisk, "diff/snapshot/a..b..snapshot/a..b", "128h");
  check_refused (vdisk, "diff/active", ENOENT, "disk.qcow2: view "
                 "'diff/active': must be diff/VIEW..VIEW");
  check_refused (vdisk, "diff/active..snapshot/c", ENOENT, "disk.qcow2: view "
                 "'snapshot/c': there is no such snapshot");
  vdisk_close (vdisk);
}
END_TEST

/* An L1 entry that leads nowhere, but for a bit that means nothing in it. */
START_TEST (copied_bit_alone)
{
  struct vdisk *vdisk;

  make_past ();
  states_finish (states, &image);
  *qcow2_image_l1 (&image, 0) = to_be64 (QCOW2_COPIED);
  vdisk = open_image ();
  check_map (vdisk, "diff/snapshot/then..active", "16z 112h");
  vdisk_close (vdisk);
}
END_TEST

/* What had data, and has fallen back to a hole of the raw file below. */
START_TEST (hole_of_raw_disk)
{
  static uint8_t bytes[DISK];
  static const uint64_t holes[][2] = { { 0, DISK } };
  const struct snapshot_fields fields = {
    .l1_size = 0, .id = "1", .name = "empty", .extra_size = 16,
    .disk_size = DISK, .l1_table_offset = CLUSTER,
  };
  struct vdisk *vdisk;

  below_holes (holes, LEN (holes));
  set_below (bytes, sizeof bytes, "raw");
  put_data (0, 1);
  states_add_snapshot (states, &fields);
  states_finish (states, &image);
  vdisk = open_image ();
  check_map (vdisk, "snapshot/1", "128h");
  check_map (vdisk, "diff/active..snapshot/1", "8z 120h");
  vdisk_close (vdisk);
}
END_TEST

/* --- Two images --------------------------------------------------------- */

static struct vdisk *
open_raw (const void *bytes, size_t size)
{
  struct vdisk_options *options = vdisk_options_new ();
  const struct resolver resolver = { .open = NULL };
  struct vdisk *vdisk;

  ck_assert_ptr_nonnull (options);
  ck_assert_int_eq (vdisk_options_set (options, "format", "raw", NULL), 0);
  vdisk = image_open (source_memory ("other.raw", bytes, size), options,
                      &resolver, NULL);
  vdisk_options_free (options);
  ck_assert_ptr_nonnull (vdisk);
  return vdisk;
}

static struct vdisk *
open_difference (struct vdisk *from, struct vdisk *to, unsigned flags)
{
  struct vdisk_error error = { 0 };
  struct vdisk *view = vdisk_open_difference (from, to, flags, &error);

  ck_assert_msg (view != NULL, "%s", error.message);
  return view;
}

static void
check_difference (struct vdisk *from, struct vdisk *to, unsigned flags,
                  const char *map)
{
  struct vdisk *view = open_difference (from, to, flags);

  ck_assert_uint_eq (vdisk_size (view), vdisk_size (to));
  ck_assert_str_eq (letters_of (view), map);
  vdisk_close (view);
}

START_TEST (two_images)
{
  static uint8_t bytes[DISK + 9 * CLUSTER];
  struct vdisk *vdisk, *other;

  put_data (0, 1);
  put_data (CLUSTER, 2);
  memset (bytes, 1, CLUSTER);
  memset (bytes + CLUSTER, 3, CLUSTER);
  bytes[DISK + 8 * CLUSTER + 600] = 1;
  vdisk = open_image ();
  other = open_raw (bytes, sizeof bytes);
  check_difference (vdisk, other, 0, "200d");
  check_difference (other, vdisk, 0, "16d 112z");
  /* The second cluster, and what has come at the end. */
  check_difference (vdisk, other, VDISK_DIFFERENCE_COMPARE, "8h 8d 176h 8d");
  check_difference (other, vdisk, VDISK_DIFFERENCE_COMPARE, "8h 8d 112h");
  check_difference (other, other, VDISK_DIFFERENCE_COMPARE, "200h");
  ck_assert_ptr_null (vdisk_open_difference (other, vdisk, 2, NULL));
  vdisk_close (other);
  vdisk_close (vdisk);
}
END_TEST

START_TEST (differences_of_differences)
{
  struct vdisk_error error = { 0 };
  struct vdisk *vdisk, *difference, *bitmap, *same;

  make_past ();
  add_bitmap ("b", 1);
  states_finish (states, &image);
  vdisk = open_image ();
  difference = open_view (vdisk, "diff/snapshot/1..active");
  bitmap = open_view (vdisk, "bitmap/b");
  ck_assert_ptr_null (vdisk_open_difference (vdisk, difference, 0, &error));
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_ptr_null (vdisk_open_difference (vdisk, bitmap, 0, &error));
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_ptr_null (vdisk_open_difference (difference, vdisk, 0, &error));
  ck_assert_int_eq (error.errnum, EINVAL);
  same = open_difference (bitmap, vdisk, 0);
  ck_assert_str_eq (letters_of (same), "8d 120h");
  vdisk_close (bitmap);
  vdisk_close (vdisk);
  ck_assert_str_eq (letters_of (same), "8d 120h");
  vdisk_close (same);
  vdisk_close (difference);
}
END_TEST

/* --- Whose is what ------------------------------------------------------ */

/* Close all handles in an order of 720; those that are left still work. */
static void
close_in_order (unsigned order)
{
  static const char *const names[] = {
    "snapshot/1", "layer/0", "bitmap/b", "diff/snapshot/1..active",
    "diff/bitmap/b..active",
  };
  struct vdisk *open[LEN (names) + 1];
  unsigned count = LEN (open);
  size_t i;

  open[0] = open_image ();
  for (i = 0; i < LEN (names); ++i)
    open[i + 1] = open_view (open[i % 2 ? i : 0], names[i]);
  while (count > 0) {
    const unsigned n = order % count;

    for (i = 0; i < count; ++i)
      byte_of (open[i], 2 * CLUSTER);
    vdisk_close (open[n]);
    order /= count;
    open[n] = open[--count];
  }
}

START_TEST (any_order)
{
  unsigned order;

  make_past ();
  add_bitmap ("b", 1);
  states_finish (states, &image);
  for (order = 0; order < 720; ++order)
    close_in_order (order);
}
END_TEST

/* --- Reads that fail ---------------------------------------------------- */

static int
ignore_view (void *opaque, const struct vdisk_view *view)
{
  (void) opaque;
  (void) view;
  return 0;
}

static int
ignore_extent (void *opaque, const struct vdisk_extent *extent)
{
  (void) opaque;
  (void) extent;
  return 0;
}

/* All that can be done with views; false if something fails, which then has
 * told so. */
static bool
try_all (struct vdisk *vdisk, struct vdisk_error *error)
{
  static const char *const names[] = {
    "snapshot/then", "bitmap/b+c", "layer/0", "diff/snapshot/1..active",
  };
  struct vdisk *view;
  uint8_t bytes[CLUSTER];
  size_t i;
  int r;

  if (vdisk_views (vdisk, ignore_view, NULL, error) == -1)
    return false;
  for (i = 0; i < LEN (names); ++i) {
    view = vdisk_open_view (vdisk, names[i], error);
    if (view == NULL)
      return false;
    r = vdisk_extents (view, 0, DISK, ignore_extent, NULL, error);
    if (r == 0)
      r = vdisk_pread (view, bytes, CLUSTER, CLUSTER, error);
    vdisk_close (view);
    if (r == -1)
      return false;
  }
  return true;
}

START_TEST (nth_read_fails)
{
  struct vdisk_error error;
  struct source *source;
  struct vdisk *vdisk;
  size_t n, failed = 0;

  make_past ();
  add_bitmap ("b", 2);
  add_bitmap ("c", 4);
  states_finish (states, &image);
  for (n = 0; ; ++n) {
    error = (struct vdisk_error) { 0 };
    source = source_faulty (source_memory ("disk.qcow2", image.bytes,
                                           image.size), n);
    vdisk = try_source (source, &error);
    if (vdisk && try_all (vdisk, &error)) {
      const size_t reads = source_faulty_count (source);

      vdisk_close (vdisk);
      if (reads <= n)
        break;
      continue;                 /* it was of what may be of use later */
    }
    failed++;
    ck_assert_int_eq (error.errnum, EIO);
    ck_assert_ptr_nonnull (strstr (error.message, "injected"));
    /* Nothing of it stays. */
    error = (struct vdisk_error) { 0 };
    if (vdisk)
      ck_assert_msg (try_all (vdisk, &error), "read %zu: %s", n,
                     error.message);
    vdisk_close (vdisk);
  }
  ck_assert_uint_gt (failed, 40);
}
END_TEST

/* --- Threads ------------------------------------------------------------ */

static void *
open_and_read (void *opaque)
{
  struct vdisk_error error = { 0 };
  unsigned i;

  for (i = 0; i < 50; ++i)
    if (!try_all (opaque, &error))
      return strdup (error.message);
  return NULL;
}

START_TEST (threads)
{
  pthread_t several[8];
  struct vdisk *vdisk;
  void *message;
  size_t i;

  make_past ();
  add_bitmap ("b", 2);
  add_bitmap ("c", 4);
  states_finish (states, &image);
  vdisk = open_image ();
  for (i = 0; i < LEN (several); ++i)
    ck_assert_int_eq (pthread_create (&several[i], NULL, open_and_read,
                                      vdisk), 0);
  for (i = 0; i < LEN (several); ++i) {
    pthread_join (several[i], &message);
    ck_assert_msg (message == NULL, "%s", (char *) message);
  }
  vdisk_close (vdisk);
}
END_TEST

/* --- Work --------------------------------------------------------------- */

static void
check_overlaps (struct vdisk *view)
{
  const char *got = letters_of (view);

  ck_assert_msg (strstr (got, "tables or blocks overlap") != NULL, "%s",
                 got);
  vdisk_close (view);
}

/* Of two snapshots, and of one and the active disk, only the table that
 * differs is read: one of 4096. */
START_TEST (shared_tables)
{
  static const char *const names[] = {
    "diff/snapshot/1..active", "diff/active..snapshot/1",
  };
  const struct qcow2_snapshot *entry = (void *) states->snapshots;
  const uint64_t covers = 64 * 512;
  struct source *source;
  struct vdisk *vdisk, *view;
  be64 *then;
  size_t i;

  qcow2_image_free (&image);
  qcow2_image_init (&image, 3, 9, 4096 * covers, 0);
  for (i = 0; i < 4096; ++i)
    put_data (i * covers, 1);
  add_snapshot ("1", "a", 2);
  put_data (1000 * covers, 3);
  states_take (states, &image, "2", "b");
  then = (be64 *) (image.bytes + get_be64 (entry->l1_table_offset));
  for (i = 0; i < 4096; ++i)
    if (i != 1000)
      *qcow2_image_l1 (&image, i) = then[i];
  states_finish (states, &image);
  source = source_faulty (source_memory ("disk.qcow2", image.bytes,
                                         image.size), SIZE_MAX);
  vdisk = try_source (source, NULL);
  ck_assert_ptr_nonnull (vdisk);
  for (i = 0; i < LEN (names); ++i) {
    view = open_view (vdisk, names[i]);
    ck_assert_str_eq (letters_of (view), "64000h 1d 198143h");
    vdisk_close (view);
  }
  ck_assert_uint_lt (source_faulty_count (source), 500);
  vdisk_close (vdisk);
}
END_TEST

/* Every entry of two L1 tables leads to one of two L2 tables that differ in
 * the last entry alone: 64 GiB of tables. */
START_TEST (tables_again_and_again)
{
  const uint32_t count = 32768;
  const uint64_t size = 2 << 20;
  struct snapshot_fields fields = {
    .l1_size = count, .id = "1", .name = "s", .extra_size = 16,
    .disk_size = (uint64_t) count * size * (size / 8),
  };
  uint64_t l1[2], l2[2], i, n;
  struct vdisk *vdisk;

  qcow2_image_free (&image);
  qcow2_image_init (&image, 3, 21, size, 0);
  for (i = 0; i < 2; ++i) {
    l1[i] = qcow2_image_append (&image, size);
    l2[i] = qcow2_image_append (&image, size);
    for (n = 0; n < count; ++n)
      ((be64 *) (image.bytes + l1[i]))[n] = to_be64 (l2[i]);
  }
  ((be64 *) (image.bytes + l2[1]))[size / 8 - 1] = to_be64 (QCOW2_ZERO);
  for (i = 0; i < 2; ++i) {
    fields.l1_table_offset = l1[i];
    fields.id = i ? "2" : "1";
    states_add_snapshot (states, &fields);
  }
  states_finish (states, &image);
  vdisk = open_image ();
  check_overlaps (open_view (vdisk, "diff/snapshot/1..snapshot/2"));
  vdisk_close (vdisk);
}
END_TEST

/* One cluster of the file is all of a large disk: to compare it would take
 * reading that. */
START_TEST (data_again_and_again)
{
  const uint64_t size = 2 << 20;
  struct vdisk *vdisk, *then, *view;
  uint64_t host, i;

  qcow2_image_free (&image);
  qcow2_image_init (&image, 3, 21, size * (size / 8), 0);
  host = qcow2_image_add_data (&image, 0);
  states_take (states, &image, "1", "then");
  for (i = 0; i < size / 8; ++i)
    qcow2_image_set (&image, i * size, host);
  qcow2_image_add_data (&image, 0);
  image.bytes[host] = 1;
  states_finish (states, &image);
  vdisk = open_image ();
  then = open_view (vdisk, "snapshot/1");
  view = open_difference (then, vdisk, VDISK_DIFFERENCE_COMPARE);
  vdisk_close (then);
  check_overlaps (view);
  vdisk_close (vdisk);
}
END_TEST

static int
count_data (void *opaque, const struct vdisk_extent *extent)
{
  *(uint64_t *) opaque += extent->kind == VDISK_DATA;
  return 0;
}

/* Every other bit of a fine bitmap is set, over a VHD: the tables are not
 * read again for each of them. */
START_TEST (fine_bitmap_over_vhd)
{
  const uint64_t size = 64 << 20;
  struct vdisk_error error = { 0 };
  struct vdisk *vdisk, *view;
  struct source *source;
  struct vhd_image vhd;
  uint64_t count = 0;
  uint8_t bits[16384];
  unsigned i;

  vhd_image_init (&vhd, VHD_DYNAMIC, size, 2 << 20);
  for (i = 0; i < 32; ++i)
    vhd_image_add_block (&vhd, i, NULL);
  qcow2_image_free (&image);
  qcow2_image_init (&image, 3, 16, size, 0);
  set_below (vhd.bytes, vhd.size, "vpc");
  memset (bits, 0x55, sizeof bits);
  states_add_bitmap (states, &image, "b", 9, bits, sizeof bits);
  states_finish (states, &image);
  source = source_faulty (source_memory ("disk.qcow2", image.bytes,
                                         image.size), SIZE_MAX);
  vdisk = try_source (source, &error);
  ck_assert_msg (vdisk != NULL, "%s", error.message);
  view = open_view (vdisk, "bitmap/b");
  ck_assert_msg (vdisk_extents (view, 0, size, count_data, &count,
                                &error) == 0, "%s", error.message);
  ck_assert_uint_eq (count, size / 512 / 2);
  ck_assert_uint_lt (source_faulty_count (source), 4000);
  vdisk_close (view);
  vdisk_close (vdisk);
  vhd_image_free (&vhd);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("difference");
  TCase *tcase = tcase_create ("difference");

  tcase_add_checked_fixture (tcase, views_setup, views_teardown);
  tcase_set_timeout (tcase, 60);
  tcase_add_test (tcase, what_has_changed);
  tcase_add_test (tcase, dots);
  tcase_add_test (tcase, copied_bit_alone);
  tcase_add_test (tcase, hole_of_raw_disk);
  tcase_add_test (tcase, two_images);
  tcase_add_test (tcase, differences_of_differences);
  tcase_add_test (tcase, any_order);
  tcase_add_test (tcase, nth_read_fails);
  tcase_add_test (tcase, threads);
  tcase_add_test (tcase, shared_tables);
  tcase_add_test (tcase, tables_again_and_again);
  tcase_add_test (tcase, data_again_and_again);
  tcase_add_test (tcase, fine_bitmap_over_vhd);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
