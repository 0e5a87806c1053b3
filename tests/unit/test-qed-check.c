/* SPDX-License-Identifier: BSD-3-Clause */
/* The check of QED images: a right image, one lie, what is found. */

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check-report.h"
#include "format/format.h"
#include "format/qed/disk.h"
#include "source/memory.h"
#include "support.h"

/* Clusters of 4 KiB; two of header, L1 and L2 tables of one cluster (512
 * entries, so an L2 table maps 2 MiB). */
#define CLUSTER 0x1000
#define L1 0x2000
#define L2 0x3000
#define DATA 0x4000             /* and 0x5000, 0x6000 */
#define SECOND_L2 0x7000
#define SECOND_DATA 0x8000
#define SIZE 0x9000
#define DISK_SIZE (5 << 20)

static uint8_t image[SIZE + CLUSTER];
static size_t image_size;

static void
put (uint64_t at, uint64_t value)
{
  const le64 disk = to_le64 (value);

  memcpy (image + at, &disk, sizeof disk);
}

static void
make_image (void)
{
  const struct qed_header header = {
    .magic = to_le32 (QED_MAGIC),
    .cluster_size = to_le32 (CLUSTER),
    .table_size = to_le32 (1),
    .header_size = to_le32 (2),
    .l1_table_offset = to_le64 (L1),
    .image_size = to_le64 (DISK_SIZE),
  };

  memset (image, 0, sizeof image);
  memcpy (image, &header, sizeof header);
  put (L1, L2);
  put (L1 + 16, SECOND_L2);
  put (L2, DATA);
  put (L2 + 8, DATA + CLUSTER);
  put (L2 + 16, QED_OFFSET_ZERO);
  put (L2 + 24, DATA + 2 * CLUSTER);
  put (SECOND_L2, SECOND_DATA);
  image_size = SIZE;
}

static char found[2048];

static void
take_finding (void *opaque, enum vdisk_finding finding, const char *message)
{
  static const char *const names[] = { "error", "leak", "warning" };
  const size_t used = strlen (found);

  (void) opaque;
  snprintf (found + used, sizeof found - used, "%s: %s\n", names[finding],
            message);
}

static struct layer *
open_image (size_t fail_at)
{
  struct vdisk_error error = { 0 };
  struct source *source = source_memory ("a.qed", image, image_size);
  struct layer *layer;

  source = source_faulty (source, fail_at);
  layer = open_layer (&format_qed, source, NULL, &error);
  ck_assert_msg (layer != NULL, "%s", error.message);
  return layer;
}

static struct vdisk_check
check_image (void)
{
  struct vdisk_check check = { 0 };
  struct check_report report = {
    .check = &check, .finding_callback = take_finding,
  };
  struct vdisk_error error = { 0 };
  struct layer *layer = open_image (SIZE_MAX);

  found[0] = '\0';
  ck_assert_msg (layer->format->check (layer, &report, &error) == 0,
                 "%s", error.message);
  layer_close (layer);
  return check;
}

START_TEST (right_image)
{
  struct vdisk_check check;

  make_image ();
  check = check_image ();
  ck_assert_str_eq (found, "");
  ck_assert_uint_eq (check.errors + check.leaks + check.warnings, 0);
  ck_assert_uint_eq (check.total_clusters, DISK_SIZE / CLUSTER);
  ck_assert_uint_eq (check.allocated_clusters, 4);
  ck_assert_uint_eq (check.fragmented_clusters, 0);
  ck_assert_uint_eq (check.image_end_offset, SIZE);
}
END_TEST

START_TEST (fragments)
{
  struct vdisk_check check;

  make_image ();
  put (L2, DATA + CLUSTER);
  put (L2 + 8, DATA);
  check = check_image ();
  ck_assert_str_eq (found, "");
  ck_assert_uint_eq (check.fragmented_clusters, 2);
}
END_TEST

static const struct {
  uint64_t at, value;
  const char *found;
  unsigned errors, leaks;
} lies[] = {
  { L2 + 8, 0,
    "leak: host cluster 5 (0x5000 to 0x5fff): nothing uses it\n", 0, 1 },
  { L1, 0,
    "leak: host clusters 3 to 6 (0x3000 to 0x6fff): nothing uses them\n",
    0, 4 },
  { L1 + 16, 0,
    "leak: host clusters 7 to 8 (0x7000 to 0x8fff): nothing uses them\n",
    0, 2 },
  { L2 + 8, DATA,
    "error: L2 table at 0x3000: entry 1 for guest offset 4096 is "
    "0x0000000000004000: the cluster is used for something else as well\n"
    "leak: host cluster 5 (0x5000 to 0x5fff): nothing uses it\n", 1, 1 },
  { L2 + 8, SECOND_L2,
    "error: L1 table at 0x2000: entry 2 for guest offset 4194304 is "
    "0x0000000000007000: clusters of the L2 table are used for something "
    "else as well; it is not followed\n"
    "leak: host cluster 5 (0x5000 to 0x5fff): nothing uses it\n"
    "leak: host cluster 8 (0x8000 to 0x8fff): nothing uses it\n", 1, 2 },
  { SECOND_L2, DATA + 8,
    "error: L2 table at 0x7000: entry 0 for guest offset 4194304 is "
    "0x0000000000004008: the offset is not cluster-aligned\n"
    "leak: host cluster 8 (0x8000 to 0x8fff): nothing uses it\n", 1, 1 },
  { SECOND_L2, CLUSTER,
    "error: L2 table at 0x7000: entry 0 for guest offset 4194304 is "
    "0x0000000000001000: the offset is in the header\n"
    "leak: host cluster 8 (0x8000 to 0x8fff): nothing uses it\n", 1, 1 },
  { SECOND_L2, SIZE,
    "error: L2 table at 0x7000: entry 0 for guest offset 4194304 is "
    "0x0000000000009000: the offset is beyond the end of the file\n"
    "leak: host cluster 8 (0x8000 to 0x8fff): nothing uses it\n", 1, 1 },
  { SECOND_L2, -(uint64_t) CLUSTER,
    "error: L2 table at 0x7000: entry 0 for guest offset 4194304 is "
    "0xfffffffffffff000: the offset is beyond the end of the file\n"
    "leak: host cluster 8 (0x8000 to 0x8fff): nothing uses it\n", 1, 1 },
  { L1 + 16, 1,
    "error: L1 table at 0x2000: entry 2 for guest offset 4194304 is "
    "0x0000000000000001: the offset is not cluster-aligned\n"
    "leak: host clusters 7 to 8 (0x7000 to 0x8fff): nothing uses them\n",
    1, 2 },
  { L1 + 16, CLUSTER,
    "error: L1 table at 0x2000: entry 2 for guest offset 4194304 is "
    "0x0000000000001000: the offset is in the header\n"
    "leak: host clusters 7 to 8 (0x7000 to 0x8fff): nothing uses them\n",
    1, 2 },
  { L1 + 16, SIZE,
    "error: L1 table at 0x2000: entry 2 for guest offset 4194304 is "
    "0x0000000000009000: the offset is beyond the end of the file\n"
    "leak: host clusters 7 to 8 (0x7000 to 0x8fff): nothing uses them\n",
    1, 2 },
  { L1 + 16, L1,
    "error: L1 table at 0x2000: entry 2 for guest offset 4194304 is "
    "0x0000000000002000: clusters of the L2 table are used for something "
    "else as well; it is not followed\n"
    "leak: host clusters 7 to 8 (0x7000 to 0x8fff): nothing uses them\n",
    1, 2 },
  { 16, QED_F_NEED_CHECK,
    "warning: header: the image is marked as needing a check (feature bit "
    "1): it was not closed properly\n", 0, 0 },
};

START_TEST (single_lies)
{
  struct vdisk_check check;

  make_image ();
  put (lies[_i].at, lies[_i].value);
  check = check_image ();
  ck_assert_str_eq (found, lies[_i].found);
  ck_assert_uint_eq (check.errors, lies[_i].errors);
  ck_assert_uint_eq (check.leaks, lies[_i].leaks);
}
END_TEST

/* The file ends in the middle of a cluster: as with qemu-img, that is no
 * cluster, unless less than a sector is missing. */
START_TEST (cut_short)
{
  struct vdisk_check check;

  make_image ();
  image_size = SIZE - 511;
  check = check_image ();
  ck_assert_str_eq (found, "");

  image_size = SIZE - 512;
  check = check_image ();
  ck_assert_uint_eq (check.errors, 1);
  ck_assert_uint_eq (check.leaks, 0);

  image_size = SIZE + CLUSTER;
  check = check_image ();
  ck_assert_uint_eq (check.leaks, 1);
  ck_assert_uint_eq (check.image_end_offset, SIZE);
}
END_TEST

/* Nor is an L2 table of which less than a sector is missing: it cannot be
 * read.  (qemu-img takes what is missing for zeros.) */
START_TEST (table_cut_short)
{
  struct vdisk_check check;

  make_image ();
  put (L1 + 24, SIZE);
  image_size = SIZE + CLUSTER;
  check = check_image ();
  ck_assert_str_eq (found, "");

  image_size--;
  check = check_image ();
  ck_assert_str_eq (found, "error: L1 table at 0x2000: entry 3 for guest "
                    "offset 6291456 is 0x0000000000009000: the table is cut "
                    "short by the end of the file\n"
                    "leak: host cluster 9 (0x9000 to 0x9fff): nothing uses "
                    "it\n");
  ck_assert_uint_eq (check.errors, 1);
}
END_TEST

/* A hole in the file is as good as zeros. */
START_TEST (holes)
{
  static const uint64_t hole[1][2] = { { L2, DATA } };
  struct vdisk_check check = { 0 };
  struct check_report report = { .check = &check };
  struct vdisk_error error = { 0 };
  struct layer *layer;

  make_image ();
  /* So that it is seen that it is not read. */
  layer = open_layer (&format_qed,
                      source_holey (source_memory ("a.qed", image,
                                                   image_size), hole, 1),
                      NULL, &error);
  ck_assert_ptr_nonnull (layer);
  ck_assert_int_eq (layer->format->check (layer, &report, &error), 0);
  ck_assert_uint_eq (check.leaks, 3);
  ck_assert_uint_eq (check.errors, 0);
  layer_close (layer);
}
END_TEST

START_TEST (reads_fail)
{
  size_t fail_at;
  int r;

  make_image ();
  for (fail_at = 1, r = -1; r == -1; ++fail_at) {
    struct vdisk_check check = { 0 };
    struct check_report report = { .check = &check };
    struct vdisk_error error = { 0 };
    struct layer *layer = open_image (fail_at);

    r = layer->format->check (layer, &report, &error);
    if (r == -1)
      ck_assert_str_eq (error.message, "injected");
    layer_close (layer);
  }
  /* The L1 table, and two L2 tables. */
  ck_assert_uint_eq (fail_at, 5);
}
END_TEST

static int
stop (void *opaque, uint64_t done, uint64_t total)
{
  (void) opaque;
  ck_assert_uint_le (done, total);
  return 1;
}

START_TEST (progress_stops)
{
  struct vdisk_check check = { 0 };
  struct check_report report = { .check = &check, .progress_callback = stop };
  struct vdisk_error error = { 0 };
  struct layer *layer;

  make_image ();
  layer = open_image (SIZE_MAX);
  ck_assert_int_eq (layer->format->check (layer, &report, &error), -1);
  ck_assert_int_eq (error.errnum, ECANCELED);
  layer_close (layer);
}
END_TEST

static int
go_on (void *opaque, uint64_t done, uint64_t total)
{
  uint64_t *last = opaque;

  ck_assert_uint_le (done, total);
  ck_assert_uint_le (*last, done);
  *last = done == total ? 0 : done;
  return 0;
}

/* L1 entries beyond the end of the disk are looked at as well. */
START_TEST (progress_ends)
{
  uint64_t last = 0;
  struct vdisk_check check = { 0 };
  struct check_report report = {
    .check = &check, .progress_callback = go_on, .opaque = &last,
  };
  struct vdisk_error error = { 0 };
  struct layer *layer;

  make_image ();
  put (L1 + 8 * 100, SECOND_L2);
  layer = open_image (SIZE_MAX);
  ck_assert_int_eq (layer->format->check (layer, &report, &error), 0);
  ck_assert_uint_eq (last, 0);
  layer_close (layer);
}
END_TEST

START_TEST (too_many_clusters)
{
  struct vdisk_check check = { 0 };
  struct check_report report = { .check = &check };
  struct vdisk_error error = { 0 };
  struct layer *layer;

  make_image ();
  layer = open_image (SIZE_MAX);
  layer->source->size = (UINT64_C (1) << 42) + CLUSTER;
  ck_assert_int_eq (layer->format->check (layer, &report, &error), -1);
  ck_assert_int_eq (error.errnum, ENOTSUP);
  ck_assert_str_eq (error.message, "a.qed: the file has 1073741825 "
                    "clusters, more than 1073741824 cannot be checked");
  layer_close (layer);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("qed-check");
  TCase *tcase = tcase_create ("qed-check");

  tcase_add_test (tcase, right_image);
  tcase_add_test (tcase, fragments);
  tcase_add_loop_test (tcase, single_lies, 0,
                       sizeof lies / sizeof lies[0]);
  tcase_add_test (tcase, cut_short);
  tcase_add_test (tcase, table_cut_short);
  tcase_add_test (tcase, holes);
  tcase_add_test (tcase, reads_fail);
  tcase_add_test (tcase, progress_stops);
  tcase_add_test (tcase, progress_ends);
  tcase_add_test (tcase, too_many_clusters);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
