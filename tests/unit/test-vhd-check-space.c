/* SPDX-License-Identifier: BSD-3-Clause */
/* Which space of a VHD's file blocks take: random images, checked in
 * windows of any size, against what is found by looking at each sector.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "findings.h"
#include "format/vhd/check/check.h"
#include "random.h"
#include "support.h"
#include "vhd-image.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])

/* Small blocks: 8 sectors, 9 with the bitmap. */
#define SMALL 4096
#define SECTORS 9
#define IN_FILE (SECTORS * 512)

struct model {
  uint64_t errors, leaks;
  uint8_t taken[1024];          /* sectors of the file */
};

/* The sectors that are no block's. */
static void
start_model (struct model *model, const struct vhd_image *image,
             unsigned entries)
{
  const size_t bat_end = VHD_IMAGE_BAT + entries * sizeof (be32);

  memset (model, 0, sizeof *model);
  memset (model->taken, 1, (bat_end + 511) / 512);
  model->taken[image->size / 512 - 1] = 1;
}

static bool
range_has (const uint8_t *taken, size_t first, size_t count, uint8_t value)
{
  return memchr (taken + first, value, count) != NULL;
}

/* Take the blocks in the order of the BAT. */
static void
make_model (struct model *model, const struct vhd_image *image,
            unsigned entries)
{
  const size_t sectors = image->size / 512;
  uint8_t areas[1024];
  unsigned i;

  start_model (model, image, entries);
  memcpy (areas, model->taken, sizeof areas);
  for (i = 0; i < entries; ++i) {
    const uint32_t sector = get_be32 (vhd_image_bat (image)[i]);

    if (sector == VHD_BAT_UNUSED)
      continue;
    if (sector > sectors - SECTORS) {
      model->errors++;
      continue;
    }
    if (range_has (areas, sector, SECTORS, 1)) {
      model->errors++;
      continue;
    }
    model->errors += range_has (model->taken, sector, SECTORS, 2);
    memset (model->taken + sector, 2, SECTORS);
  }
}

/* Runs of sectors that are free, but for the tail of the BAT's. */
static void
count_model_leaks (struct model *model, const struct vhd_image *image,
                   unsigned entries)
{
  const size_t bat_end = VHD_IMAGE_BAT + entries * sizeof (be32);
  size_t i, run = 0;

  for (i = 0; i < image->size / 512; ++i) {
    if (model->taken[i] == 0) {
      run++;
      continue;
    }
    if (run > 0 && i - run == (bat_end + 511) / 512)
      model->leaks += (run * 512 + -bat_end % 512) / IN_FILE;
    else
      model->leaks += run / SECTORS;
    run = 0;
  }
}

static void
make_random (struct vhd_image *image, struct random *random,
             unsigned entries, bool overlaps)
{
  unsigned i;

  vhd_image_init (image, VHD_DYNAMIC, entries * SMALL, SMALL);
  for (i = 0; i < entries; ++i) {
    if (random_below (random, 3) == 0)
      continue;
    vhd_image_append (image, random_below (random, 3) *
                      random_below (random, 12) * 512);
    vhd_image_add_block (image, i, NULL);
    if (random_below (random, 6) == 0)
      vhd_image_bat (image)[i] = to_be32 (VHD_BAT_UNUSED);
  }
  /* Swap some, so that they are in no order. */
  for (i = 0; i < entries; ++i) {
    be32 *bat = vhd_image_bat (image), entry = bat[i];
    const unsigned other = random_below (random, entries);

    bat[i] = bat[other];
    bat[other] = entry;
  }
  for (i = 0; overlaps && i < entries; ++i)
    if (random_below (random, 8) == 0)
      vhd_image_bat (image)[i] =
        to_be32 (random_below (random, image->size / 512 + 20));
}

static void
check_in_windows (struct layer *layer, uint64_t window,
                  struct findings *findings, struct vdisk_check *check)
{
  struct check_report report = findings_start (findings, check);
  struct vdisk_error error = { 0 };

  ck_assert_msg (vhd_check_in_windows (layer, window, &report, &error) == 0,
                 "%s", error.message);
}

/* In one window everything is as the model has it.  In several it may be
 * another of two blocks that is blamed, but the space is the same, and
 * without overlaps everything is. */
START_TEST (test_windows)
{
  struct random random = { _i };
  const unsigned entries = 1 + random_below (&random, 24);
  const bool overlaps = random_below (&random, 2);
  static struct findings findings;
  struct vdisk_check check;
  struct vhd_image image;
  struct model model;
  struct layer *layer;
  unsigned window;

  make_random (&image, &random, entries, overlaps);
  ck_assert_uint_lt (image.size / 512, LEN (model.taken));
  make_model (&model, &image, entries);
  count_model_leaks (&model, &image, entries);
  layer = vhd_image_open (&image, NULL);
  findings_check (&findings, layer, &check);
  ck_assert_msg (check.errors == model.errors && check.leaks == model.leaks,
                 "%d: %" PRIu64 " errors, %" PRIu64 " leaks, expected %"
                 PRIu64 ", %" PRIu64 ":\n%s", _i, check.errors, check.leaks,
                 model.errors, model.leaks, findings.text);
  for (window = 1; window < 30; ++window) {
    check_in_windows (layer, window, &findings, &check);
    ck_assert_uint_eq (check.leaks, model.leaks);
    ck_assert_int_eq (check.errors > 0, model.errors > 0);
    if (!overlaps)
      ck_assert_uint_eq (check.errors, 0);
  }
  layer_close (layer);
  vhd_image_free (&image);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("vhd-check-space");
  TCase *tc = tcase_create ("vhd-check-space");

  tcase_set_timeout (tc, 120);
  tcase_add_loop_test (tc, test_windows, 0, 500);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
