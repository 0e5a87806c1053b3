/* SPDX-License-Identifier: BSD-3-Clause */
/* Describing QCOW2 images that say too much: bitmaps and snapshots with
 * numbers that nobody writes.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "qcow2-check.h"
#include "qcow2-image.h"
#include "support.h"

#define C 4096

static void
init_image (struct qcow2_image *image)
{
  qcow2_image_init (image, 3, 12, 1 << 20, 0);
}

/* A directory of one bitmap, which is told to have 'count'. */
static struct qcow2_bitmap *
add_bitmap (struct qcow2_image *image, uint32_t count)
{
  const uint64_t directory = qcow2_image_append (image, C);
  const struct qcow2_bitmaps_extension extension = {
    .bitmap_count = to_be32 (count), .directory_size = to_be64 (24),
    .directory_offset = to_be64 (directory),
  };

  qcow2_image_add_extension (image, QCOW2_EXTENSION_BITMAPS, &extension,
                             sizeof extension);
  qcow2_image_header (image)->autoclear_features =
    to_be64 (QCOW2_BITMAPS_VALID);
  return (struct qcow2_bitmap *) (image->bytes + directory);
}

static struct qcow2_snapshot *
add_snapshot (struct qcow2_image *image, uint32_t count)
{
  const uint64_t table = qcow2_image_append (image, C);

  qcow2_image_header (image)->nb_snapshots = to_be32 (count);
  qcow2_image_header (image)->snapshots_offset = to_be64 (table);
  return (struct qcow2_snapshot *) (image->bytes + table);
}

/* Describe and free the image.  NULL, and the message, on error. */
static json_t *
describe (struct qcow2_image *image, struct vdisk_error *error)
{
  struct layer *layer = qcow2_open (image);
  char *text = layer_describe (layer, error);
  json_t *document = text ? json_loads (text, 0, NULL) : NULL;

  ck_assert (text == NULL || document != NULL);
  free (text);
  layer_close (layer);
  qcow2_image_free (image);
  return document;
}

static void
check_refused (struct qcow2_image *image, int errnum, const char *message)
{
  struct vdisk_error error = { 0 };

  ck_assert_ptr_null (describe (image, &error));
  ck_assert_str_eq (error.message, message);
  ck_assert_int_eq (error.errnum, errnum);
}

/* Every number of bits that a byte holds. */
START_TEST (granularity)
{
  struct vdisk_error error = { 0 };
  struct qcow2_image image;
  json_t *document, *value;

  init_image (&image);
  add_bitmap (&image, 1)->granularity_bits = _i;
  document = describe (&image, &error);
  ck_assert_msg (document != NULL, "%s", error.message);
  value = json_object_get
    (json_array_get
     (json_object_get
      (json_object_get (json_object_get (document, "format-specific"),
                        "data"), "bitmaps"), 0), "granularity");
  if (_i < 63)
    ck_assert_int_eq (json_integer_value (value), INT64_C (1) << _i);
  else
    ck_assert (json_is_null (value));
  json_decref (document);
}
END_TEST

START_TEST (too_many)
{
  struct qcow2_image image;

  init_image (&image);
  add_bitmap (&image, 65536);
  check_refused (&image, EINVAL, "disk.qcow2: bitmaps extension: 65536 "
                 "bitmaps, must be at most 65535");
  init_image (&image);
  add_snapshot (&image, 65537);
  check_refused (&image, EINVAL, "disk.qcow2: header: nb_snapshots 65537, "
                 "must be at most 65536");
}
END_TEST

START_TEST (beyond_the_end)
{
  struct qcow2_image image;

  init_image (&image);
  add_bitmap (&image, 1)->name_size = to_be16 (5000);
  image.size = 2 * C + sizeof (struct qcow2_bitmap);
  check_refused (&image, EIO, "disk.qcow2: 1023 bytes at offset 8216 "
                 "reach beyond the end of the file (8216 bytes)");
  init_image (&image);
  add_snapshot (&image, 1)->name_size = to_be16 (5000);
  image.size = 2 * C + sizeof (struct qcow2_snapshot);
  check_refused (&image, EIO, "disk.qcow2: 1023 bytes at offset 8232 "
                 "reach beyond the end of the file (8232 bytes)");
}
END_TEST

#define TOO_MUCH "more than 16777216 bytes are too many"

/* Lists that would take gigabytes of memory to tell. */
START_TEST (too_long)
{
  struct qcow2_image image;
  struct qcow2_snapshot *snapshot;
  struct qcow2_bitmap *bitmap;
  size_t i;

  init_image (&image);
  bitmap = add_bitmap (&image, 65535);
  for (i = 0; i < 20000; ++i, bitmap += 2 + 1000 / 24)
    bitmap->name_size = to_be16 (43 * 24 - 24);
  image.size += 20000 * 43 * 24;
  check_refused (&image, EINVAL, "disk.qcow2: bitmap directory: " TOO_MUCH);

  init_image (&image);
  add_bitmap (&image, 2)->extra_data_size = to_be32 (UINT32_MAX);
  check_refused (&image, EIO, "disk.qcow2: 0 bytes at offset 4294975511 "
                 "reach beyond the end of the file (12288 bytes)");

  init_image (&image);
  snapshot = add_snapshot (&image, 65536);
  for (i = 0; i < 20000; ++i, snapshot += 26)
    snapshot->name_size = to_be16 (1000);
  image.size += 20000 * 26 * 40;
  check_refused (&image, EINVAL, "disk.qcow2: snapshot table: " TOO_MUCH);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("qcow2-describe");
  TCase *tcase = tcase_create ("qcow2-describe");

  tcase_add_loop_test (tcase, granularity, 0, 256);
  tcase_add_test (tcase, too_many);
  tcase_add_test (tcase, beyond_the_end);
  tcase_add_test (tcase, too_long);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
