/* SPDX-License-Identifier: BSD-3-Clause */
/* Maps of QCOW2 images that are less common: with extended L2 entries, and
 * with an external data file.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "map-model.h"
#include "qcow2-check.h"
#include "qcow2-image.h"
#include "random.h"
#include "support.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])

#define NONE VDISK_NO_HOST_OFFSET
#define COPIED QCOW2_COPIED
#define ZERO QCOW2_ZERO

#define C UINT64_C (65536)      /* the size of most clusters here */

/* Where the first data cluster of such images is. */
#define DATA (3 * C)

#define RESERVED "has reserved bits set"
#define UNALIGNED "has an offset that is not cluster-aligned"

/* Open the image, map the range, and compare that with the text. */
static void
check_map (const struct qcow2_image *image, uint64_t offset, uint64_t count,
           const char *map)
{
  struct layer *layer = qcow2_open (image);

  ck_assert_str_eq (map_text (layer, offset, count), map);
  layer_close (layer);
}

static void
check_error (const struct qcow2_image *image, uint64_t offset,
             uint64_t count, const char *map, const char *message)
{
  struct layer *layer = qcow2_open (image);

  map_check_error (layer, offset, count, map, message);
  layer_close (layer);
}

/* Extended L2 entries. */

/* One cluster with a bitmap, between two holes: as a whole, and from and
 * to odd places. */
static void
check_bitmap (struct qcow2_image *image, uint64_t host, uint64_t bitmap,
              struct random *random)
{
  struct map_model model = { 0 };
  struct layer *layer;
  unsigned i;

  qcow2_image_set_extended (image, C, host == NONE ? 0 : host | COPIED,
                            bitmap);
  map_model_add (&model, VDISK_HOLE, C, NONE);
  qcow2_add_subclusters (&model, C, host, bitmap);
  map_model_add (&model, VDISK_HOLE, C, NONE);
  layer = qcow2_open (image);
  map_model_check (&model, layer, 0, 3 * C);
  for (i = 0; i < 4; ++i) {
    uint64_t offset = C + random_below (random, C);

    map_model_check (&model, layer, offset,
                     1 + random_below (random, 2 * C - offset));
  }
  layer_close (layer);
  map_model_free (&model);
}

START_TEST (test_bitmaps)
{
  struct qcow2_image image;
  struct random random = { 1 };
  uint64_t host, bitmap;
  unsigned i;

  qcow2_image_init (&image, 3, 16, 3 * C, QCOW2_EXTENDED_L2);
  qcow2_image_l2 (&image, 0);
  host = qcow2_image_append (&image, C);
  for (i = 0; i < 64; ++i)
    check_bitmap (&image, host, UINT64_C (1) << i, &random);
  check_bitmap (&image, host, 0, &random);
  check_bitmap (&image, host, UINT32_MAX, &random);
  check_bitmap (&image, host, (uint64_t) UINT32_MAX << 32, &random);
  check_bitmap (&image, host, 0xaaaaaaaa55555555, &random);
  for (i = 0; i < 500; ++i) {
    bitmap = qcow2_random_bitmap (&random);
    check_bitmap (&image, host, bitmap, &random);
    /* Without a cluster there is nothing allocated. */
    check_bitmap (&image, NONE, bitmap & ~(uint64_t) UINT32_MAX, &random);
  }
  qcow2_image_free (&image);
}
END_TEST

START_TEST (test_subclusters)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 3 * C, QCOW2_EXTENDED_L2);
  ck_assert_uint_eq (qcow2_image_add_data (&image, C), DATA);
  qcow2_image_set_extended (&image, C, DATA | COPIED, 0x8000000400000003);
  check_map (&image, 0, 3 * C, "hole 0+65536, data 65536+4096@196608, "
             "zero 69632+2048@200704, hole 71680+57344@202752, "
             "zero 129024+2048@260096, hole 131072+65536");
  qcow2_image_free (&image);
}
END_TEST

/* The cluster starts in the file, though not all of its subclusters do. */
START_TEST (test_cut_subclusters)
{
  struct qcow2_image image;
  struct random random = { 2 };
  unsigned i;

  qcow2_image_init (&image, 3, 16, 3 * C, QCOW2_EXTENDED_L2);
  ck_assert_uint_eq (qcow2_image_add_data (&image, C), DATA);
  for (i = 0; i < 200; ++i) {
    image.size = DATA + 1 + random_below (&random, C - 1);
    check_bitmap (&image, DATA, qcow2_random_bitmap (&random), &random);
  }
  qcow2_image_free (&image);
}
END_TEST

struct bad_extended {
  uint64_t entry, bitmap;
  const char *rule;
};

#define BOTH "has a subcluster that is both allocated and zero"
#define NO_CLUSTER "has allocated subclusters, but no cluster"

static const struct bad_extended bad_extendeds[] = {
  { DATA, 0x0000000100000001, BOTH },
  { DATA, 0x8000000080000000, BOTH },
  { DATA, UINT64_MAX, BOTH },
  { 0, 1, NO_CLUSTER },
  { 0, 0x0000000180000000, NO_CLUSTER },
  { COPIED, UINT32_MAX, NO_CLUSTER },
  { ZERO, 0, RESERVED },
  { DATA | ZERO, 0, RESERVED },
  { DATA | ZERO, 1, RESERVED },
  { DATA | 4, UINT32_MAX, RESERVED },
  { DATA | UINT64_C (1) << 60, UINT32_MAX, RESERVED },
  { DATA | 4096, UINT32_MAX, UNALIGNED },
  { QCOW2_COMPRESSED | DATA, 1, "is compressed and has subclusters" },
  { QCOW2_COMPRESSED | DATA, UINT64_C (1) << 63,
    "is compressed and has subclusters" },
};

START_TEST (test_bad_extended)
{
  const struct bad_extended *row = &bad_extendeds[_i];
  struct qcow2_image image;
  char message[200];

  qcow2_image_init (&image, 3, 16, 4 * C, QCOW2_EXTENDED_L2);
  qcow2_image_add_data (&image, 0);
  qcow2_image_set_extended (&image, C, row->entry, row->bitmap);
  snprintf (message, sizeof message, "disk.qcow2: L2 table: entry 0x%016"
            PRIx64 " for guest offset 65536 %s", row->entry, row->rule);
  check_error (&image, 0, 4 * C, "data 0+65536@196608", message);
  check_error (&image, 2 * C - 1, 1, "", message);
  qcow2_image_free (&image);
}
END_TEST

START_TEST (test_extended_packed)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 3 * C, QCOW2_EXTENDED_L2);
  qcow2_image_set_extended (&image, C, QCOW2_COMPRESSED |
                            UINT64_C (1) << 54 | 0x30001, 0);
  check_map (&image, 0, 3 * C, "hole 0+65536, "
             "packed 65536+65536@196609/1023, hole 131072+65536");
  check_map (&image, C + 2048, 1, "packed 67584+1@196609/1023");
  qcow2_image_free (&image);
}
END_TEST

/* External data files: guest offset and host offset are the same, and 0 is
 * an offset like any other. */

static void
check_external (const struct qcow2_image *image, uint64_t data_size,
                uint64_t offset, uint64_t count, const char *map)
{
  struct layer *layer = qcow2_open_external (image, data_size);

  ck_assert_str_eq (map_text (layer, offset, count), map);
  layer_close (layer);
}

START_TEST (test_external)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 6 * C, QCOW2_EXTERNAL_DATA);
  qcow2_image_set (&image, 0, COPIED);
  qcow2_image_set (&image, C, C | COPIED);
  qcow2_image_set (&image, 3 * C, 3 * C);
  qcow2_image_set (&image, 4 * C, ZERO);
  check_external (&image, 6 * C, 0, 6 * C, "data 0+131072@0, "
                  "hole 131072+65536, data 196608+65536@196608, "
                  "zero 262144+65536, hole 327680+65536");
  check_external (&image, 3 * C + 99, 0, 6 * C, "data 0+131072@0, "
                  "hole 131072+65536, data 196608+65536@196608, "
                  "zero 262144+65536, hole 327680+65536");
  qcow2_image_free (&image);
}
END_TEST

START_TEST (test_external_zero_with_space)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 6 * C, QCOW2_EXTERNAL_DATA);
  qcow2_image_set (&image, 0, ZERO | COPIED);
  qcow2_image_set (&image, C, C | ZERO | COPIED);
  check_external (&image, 6 * C, 0, 3 * C,
                  "zero 0+65536, zero 65536+65536@65536, "
                  "hole 131072+65536");
  qcow2_image_free (&image);
}
END_TEST

/* Without an offset it is nowhere, whatever COPIED says: found by comparing
 * with QEMU. */
START_TEST (test_external_zero_nowhere)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 6 * C, QCOW2_EXTERNAL_DATA);
  qcow2_image_set (&image, C, C | COPIED);
  qcow2_image_set (&image, 2 * C, ZERO | COPIED);
  check_external (&image, 6 * C, C, 2 * C,
                  "data 65536+65536@65536, zero 131072+65536");
  qcow2_image_free (&image);
}
END_TEST

START_TEST (test_external_subclusters)
{
  struct map_model model = { 0 };
  struct qcow2_image image;
  struct layer *layer;

  qcow2_image_init (&image, 3, 16, 3 * C,
                    QCOW2_EXTERNAL_DATA | QCOW2_EXTENDED_L2);
  qcow2_image_set_extended (&image, 0, COPIED, 0xff00000f00ff00f0);
  qcow2_image_set_extended (&image, C, C | COPIED, 0xffffffff);
  qcow2_image_set_extended (&image, 2 * C, 0, 0xf000000000000000);
  qcow2_add_subclusters (&model, C, 0, 0xff00000f00ff00f0);
  qcow2_add_subclusters (&model, C, C, 0xffffffff);
  qcow2_add_subclusters (&model, C, NONE, 0xf000000000000000);
  layer = qcow2_open_external (&image, 3 * C);
  map_model_check (&model, layer, 0, 3 * C);
  map_model_check (&model, layer, 5, 2 * C);
  layer_close (layer);
  map_model_free (&model);
  qcow2_image_free (&image);
}
END_TEST

static void
check_external_error (uint64_t features, uint64_t entry, uint64_t bitmap,
                      const char *rule)
{
  struct qcow2_image image;
  struct layer *layer;
  char message[200];

  qcow2_image_init (&image, 3, 16, 6 * C, QCOW2_EXTERNAL_DATA | features);
  if (features)
    qcow2_image_set_extended (&image, C, entry, bitmap);
  else
    qcow2_image_set (&image, C, entry);
  layer = qcow2_open_external (&image, 6 * C);
  snprintf (message, sizeof message, "disk.qcow2: L2 table: entry 0x%016"
            PRIx64 " for guest offset 65536 %s", entry, rule);
  map_check_error (layer, 0, 6 * C, "hole 0+65536", message);
  layer_close (layer);
  qcow2_image_free (&image);
}

START_TEST (test_external_errors)
{
  static const char compressed[] =
    "is compressed, but the data is in an external file";

  check_external_error (0, QCOW2_COMPRESSED | C, 0, compressed);
  check_external_error (QCOW2_EXTENDED_L2, QCOW2_COMPRESSED | C, 0,
                        compressed);
  check_external_error (0, C | COPIED | 2, 0, RESERVED);
  check_external_error (0, (C + 512) | COPIED, 0, UNALIGNED);
  check_external_error (QCOW2_EXTENDED_L2, 0, 1, NO_CLUSTER);
}
END_TEST

/* Anything else than the guest offset would be somebody else's data. */
START_TEST (test_external_elsewhere)
{
  static const char rule[] =
    "must have that offset in the external data file";
  static const uint64_t hosts[] = { 0, 2 * C, 5 * C, 0xffffffffff0000 };
  size_t i;

  for (i = 0; i < LEN (hosts); ++i) {
    const uint64_t entry = hosts[i] | COPIED;

    check_external_error (0, entry, 0, rule);
    if (hosts[i] != 0)
      check_external_error (0, entry | ZERO, 0, rule);
    check_external_error (QCOW2_EXTENDED_L2, entry, UINT32_MAX, rule);
    check_external_error (QCOW2_EXTENDED_L2, entry, 0, rule);
  }
}
END_TEST

START_TEST (test_external_beyond_end)
{
  struct qcow2_image image;
  struct layer *layer;

  qcow2_image_init (&image, 3, 16, 6 * C, QCOW2_EXTERNAL_DATA);
  qcow2_image_set (&image, C, C | COPIED);
  qcow2_image_set (&image, 2 * C, (2 * C) | COPIED);
  layer = qcow2_open_external (&image, 2 * C);
  map_check_error (layer, 0, 6 * C, "hole 0+65536, data 65536+65536@65536",
                   "disk.qcow2: L2 table: guest offset 131072 is at "
                   "offset 131072, beyond the end of data.raw "
                   "(131072 bytes)");
  layer_close (layer);
  qcow2_image_free (&image);
}
END_TEST

static void
add_extended_tests (Suite *suite)
{
  TCase *tcase = tcase_create ("extended");

  tcase_add_test (tcase, test_bitmaps);
  tcase_add_test (tcase, test_subclusters);
  tcase_add_test (tcase, test_cut_subclusters);
  tcase_add_loop_test (tcase, test_bad_extended, 0, LEN (bad_extendeds));
  tcase_add_test (tcase, test_extended_packed);
  suite_add_tcase (suite, tcase);
}

static void
add_external_tests (Suite *suite)
{
  TCase *tcase = tcase_create ("external");

  tcase_add_test (tcase, test_external);
  tcase_add_test (tcase, test_external_zero_with_space);
  tcase_add_test (tcase, test_external_zero_nowhere);
  tcase_add_test (tcase, test_external_subclusters);
  tcase_add_test (tcase, test_external_errors);
  tcase_add_test (tcase, test_external_elsewhere);
  tcase_add_test (tcase, test_external_beyond_end);
  suite_add_tcase (suite, tcase);
}

int
main (void)
{
  Suite *suite = suite_create ("qcow2-extended");

  add_extended_tests (suite);
  add_external_tests (suite);
  return run_suite (suite);
}
