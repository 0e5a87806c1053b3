/* SPDX-License-Identifier: BSD-3-Clause */
/* What is told of each layer of an open image: what its file says, also of
 * files that are not looked for.
 */

#include <stdlib.h>
#include <string.h>

#include "qcow2-image.h"
#include "scratch.h"
#include "support.h"
#include "vhd-image.h"

#define UUID "00010203-0405-0607-0809-0a0b0c0d0e0f"

/* What is expected of a layer. */
struct facts {
  uint64_t size;
  uint32_t cluster, subcluster;
  const char *backing_name, *backing_format;
  const char *uuid, *parent_uuid;
  int64_t time_stamp;
  int has_data_file;
};

static void
check_layer (const struct vdisk *vdisk, unsigned depth,
             const struct facts *facts)
{
  ck_assert_uint_eq (vdisk_layer_size (vdisk, depth), facts->size);
  ck_assert_uint_eq (vdisk_layer_cluster_size (vdisk, depth),
                     facts->cluster);
  ck_assert_uint_eq (vdisk_layer_subcluster_size (vdisk, depth),
                     facts->subcluster);
  ck_assert_pstr_eq (vdisk_layer_backing_name (vdisk, depth),
                  facts->backing_name);
  ck_assert_pstr_eq (vdisk_layer_backing_format (vdisk, depth),
                  facts->backing_format);
  ck_assert_pstr_eq (vdisk_layer_uuid (vdisk, depth), facts->uuid);
  ck_assert_pstr_eq (vdisk_layer_parent_uuid (vdisk, depth),
                  facts->parent_uuid);
  ck_assert_int_eq (vdisk_layer_time_stamp (vdisk, depth),
                    facts->time_stamp);
  ck_assert_int_eq (vdisk_layer_has_data_file (vdisk, depth),
                    facts->has_data_file);
}

static void
check_nothing (const struct vdisk *vdisk, unsigned depth)
{
  check_layer (vdisk, depth, &(struct facts) { .time_stamp = -1 });
}

static struct vdisk *
open_with (struct vdisk *(*how) (const char *, const struct vdisk_options *,
                                 struct vdisk_error *), const char *path)
{
  struct vdisk_error error;
  struct vdisk *vdisk = how (path, NULL, &error);

  ck_assert_msg (vdisk != NULL, "%s", error.message);
  return vdisk;
}

/* --- QCOW2 -------------------------------------------------------------- */

static const char *
write_qcow2 (const char *name, unsigned bits, uint64_t size,
             uint64_t features, const char *backing, const char *format)
{
  struct qcow2_image image;
  const char *path;

  qcow2_image_init (&image, 3, bits, size, features);
  if (format) {
    qcow2_image_add_extension (&image, QCOW2_EXTENSION_BACKING_FORMAT,
                               format, strlen (format));
    qcow2_image_add_extension (&image, QCOW2_EXTENSION_END, "", 0);
  }
  if (backing)
    qcow2_image_set_backing (&image, backing);
  path = scratch_write (name, image.bytes, image.size);
  qcow2_image_free (&image);
  return path;
}

/* Names that are no plain text are as they are. */
#define ODD "odd\n\xff"

static const char *
write_chain (void)
{
  static const char base[3 * 512];

  scratch_write (ODD, base, sizeof base);
  write_qcow2 ("middle", 14, 10000, QCOW2_EXTENDED_L2, ODD, "raw");
  return write_qcow2 ("top", 16, 200000, 0, "./middle", NULL);
}

START_TEST (qcow2)
{
  const char *path = write_chain ();
  struct vdisk *vdisk = open_with (vdisk_open, path);
  const struct facts top = {
    .size = 200000, .cluster = 65536, .subcluster = 65536,
    .backing_name = "./middle", .time_stamp = -1,
  }, middle = {
    .size = 10000, .cluster = 16384, .subcluster = 512,
    .backing_name = ODD, .backing_format = "raw", .time_stamp = -1,
  }, base = {
    .size = 1536, .cluster = 4096, .subcluster = 4096, .time_stamp = -1,
  };

  ck_assert_uint_eq (vdisk_layers (vdisk), 3);
  check_layer (vdisk, 0, &top);
  check_layer (vdisk, 1, &middle);
  check_layer (vdisk, 2, &base);
  check_nothing (vdisk, 3);
  check_nothing (vdisk, UINT32_MAX);
  vdisk_close (vdisk);
}
END_TEST

/* What cannot be opened, or may not be, is told all the same. */
START_TEST (inspected)
{
  const char *path = write_qcow2 ("alone", 12, 4096, 0, "/no/such", "vpc");
  struct vdisk *vdisk = open_with (vdisk_inspect, path);
  const struct facts facts = {
    .size = 4096, .cluster = 4096, .subcluster = 4096,
    .backing_name = "/no/such", .backing_format = "vhd", .time_stamp = -1,
  };

  check_layer (vdisk, 0, &facts);
  vdisk_close (vdisk);
}
END_TEST

START_TEST (data_file)
{
  const char *path = write_qcow2 ("external", 12, 4096, QCOW2_EXTERNAL_DATA,
                                  NULL, NULL);
  struct vdisk *vdisk = open_with (vdisk_inspect, path);
  const struct facts facts = {
    .size = 4096, .cluster = 4096, .subcluster = 4096, .time_stamp = -1,
    .has_data_file = 1,
  };

  check_layer (vdisk, 0, &facts);
  vdisk_close (vdisk);
  scratch_write ("data.raw", "", 0);
  vdisk = open_with (vdisk_open, path);
  check_layer (vdisk, 0, &facts);
  vdisk_close (vdisk);
}
END_TEST

/* --- VHD ---------------------------------------------------------------- */

static void
stamp (struct vhd_image *image, uint32_t seconds)
{
  vhd_image_footer (image)->time_stamp = to_be32 (seconds);
  vhd_image_fix (image);
}

/* A child and its parent. */
static const char *
write_family (bool raw_parent)
{
  static const char raw[1 << 20];
  struct vhd_image parent, child;
  struct vhd_dynamic_header *header;
  const char *path;

  vhd_image_init (&parent, VHD_DYNAMIC, 1 << 20, 65536);
  stamp (&parent, 0);
  if (raw_parent)
    scratch_write ("parent", raw, sizeof raw);
  else
    scratch_write ("parent", parent.bytes, parent.size);

  vhd_image_init (&child, VHD_DIFFERENCING, 1 << 20, 2 << 20);
  vhd_image_add_path (&child, 0, VHD_LOCATOR_W2RU, ".\\parent");
  vhd_image_footer (&child)->uuid[0] = 0xab;
  header = vhd_image_header (&child);
  memset (header->parent_uuid, 0, sizeof header->parent_uuid);
  if (!raw_parent)
    memcpy (header->parent_uuid, vhd_image_footer (&parent)->uuid, 16);
  stamp (&child, UINT32_MAX);
  path = scratch_write ("child", child.bytes, child.size);
  vhd_image_free (&parent);
  vhd_image_free (&child);
  return path;
}

START_TEST (vhd)
{
  const bool raw_parent = _i;
  struct vdisk *vdisk = open_with (vdisk_open, write_family (raw_parent));
  const struct facts child = {
    .size = 1 << 20, .cluster = 2 << 20, .subcluster = 512,
    .backing_name = "parent", .backing_format = raw_parent ? "raw" : "vhd",
    .uuid = "ab010203-0405-0607-0809-0a0b0c0d0e0f",
    .parent_uuid = raw_parent ? NULL : UUID,
    .time_stamp = INT64_C (946684800) + UINT32_MAX,
  }, parent = {
    .size = 1 << 20, .cluster = 65536, .subcluster = 512, .uuid = UUID,
    .time_stamp = 946684800,
  };

  ck_assert_uint_eq (vdisk_layers (vdisk), 2);
  check_layer (vdisk, 0, &child);
  if (raw_parent)
    ck_assert_pstr_eq (vdisk_layer_uuid (vdisk, 1), NULL);
  else
    check_layer (vdisk, 1, &parent);
  vdisk_close (vdisk);
}
END_TEST

START_TEST (fixed_vhd)
{
  struct vhd_image image;
  struct vdisk *vdisk;
  const struct facts facts = {
    .size = 65536, .cluster = 4096, .subcluster = 4096, .uuid = UUID,
    .time_stamp = 946684801,
  };

  vhd_image_init (&image, VHD_FIXED, 65536, 0);
  stamp (&image, 1);
  vdisk = open_with (vdisk_open, scratch_write ("fixed", image.bytes,
                                                image.size));
  vhd_image_free (&image);
  check_layer (vdisk, 0, &facts);
  vdisk_close (vdisk);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("layers");
  TCase *tcase = tcase_create ("layers");

  tcase_add_unchecked_fixture (tcase, scratch_setup, scratch_teardown);
  tcase_add_test (tcase, qcow2);
  tcase_add_test (tcase, inspected);
  tcase_add_test (tcase, data_file);
  tcase_add_loop_test (tcase, vhd, 0, 2);
  tcase_add_test (tcase, fixed_vhd);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
