/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening QCOW2 images: every rule of the header, its extensions, and what
 * they refer to.  Maps and compressed clusters have their own suites.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "map-model.h"
#include "qcow2-image.h"
#include "source/memory.h"
#include "support.h"
#include "util/zstd-codec.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])

#define MB (UINT64_C (1) << 20)
#define CLUSTER 65536

/* The size of most disks here: one L2 table maps 512 MB. */
#define DISK (5 * MB + 513)

static struct layer *
open_image (const struct qcow2_image *image, struct vdisk_error *error)
{
  return open_layer_bytes (&format_qcow2, "disk.qcow2", image->bytes,
                           image->size, NULL, error);
}

/* Open, and check the outcome: a NULL message means that it works.  Others
 * come after the name of the file. */
static void
check_open (const struct qcow2_image *image, int errnum,
            const char *message)
{
  struct vdisk_error error = { 0 };
  struct layer *layer = open_image (image, &error);
  char wanted[1024] = "";

  if (message)
    snprintf (wanted, sizeof wanted, "disk.qcow2: %s", message);
  ck_assert_str_eq (error.message, wanted);
  ck_assert_int_eq (error.errnum, message ? errnum : 0);
  ck_assert_int_eq (layer == NULL, message != NULL);
  layer_close (layer);
}

static struct layer *
open_good (const struct qcow2_image *image)
{
  struct vdisk_error error = { 0 };
  struct layer *layer = open_image (image, &error);

  ck_assert_msg (layer != NULL, "%s", error.message);
  ck_assert_str_eq (error.message, "");
  return layer;
}

START_TEST (test_geometry)
{
  struct qcow2_image image;
  struct layer *layer;
  unsigned version, bits;

  for (version = 2; version <= 3; ++version)
    for (bits = 9; bits <= 21; ++bits) {
      qcow2_image_init (&image, version, bits, DISK, 0);
      layer = open_good (&image);
      ck_assert_uint_eq (layer->size, DISK);
      ck_assert_uint_eq (layer->cluster_size, 1u << bits);
      ck_assert_uint_eq (layer->granularity, layer->cluster_size);
      ck_assert (!layer->is_raw);
      ck_assert_ptr_null (layer->backing.role);
      ck_assert_ptr_null (layer->data_file.role);
      ck_assert_str_eq (last_warning (), "");
      layer_close (layer);
      qcow2_image_free (&image);
    }
}
END_TEST

/* One field that lies. */

struct lie {
  size_t offset;
  unsigned width;
  uint64_t value;
  int errnum;
  const char *message;          /* NULL: it may say so */
};

#define FIELD(field) offsetof (struct qcow2_header, field), \
  sizeof ((struct qcow2_header *) 0)->field

static void
tell (const struct qcow2_image *image, size_t offset, unsigned width,
      uint64_t value)
{
  while (width > 0) {
    image->bytes[offset + --width] = value;
    value >>= 8;
  }
}

static void
check_lie (unsigned version, uint64_t features, const struct lie *lie)
{
  struct qcow2_image image;

  qcow2_image_init (&image, version, 16, DISK, features);
  tell (&image, lie->offset, lie->width, lie->value);
  check_open (&image, lie->errnum, lie->message);
  qcow2_image_free (&image);
}

#define HEADER_LENGTH(n) "header: header_length " n ", must be a multiple " \
  "of 8 from 104 to the cluster size 65536"
#define L1_OUTSIDE(offset) "L1 table: 1 entries at offset " offset \
  " reach beyond the end of the file (131072 bytes)"

static const struct lie lies[] = {
  { FIELD (magic), 0x514649fa, EINVAL,
    "header: magic 0x514649fa, expected 0x514649fb" },
  { FIELD (magic), 0, EINVAL,
    "header: magic 0x00000000, expected 0x514649fb" },
  { FIELD (version), 0, ENOTSUP, "header: version 0, must be 2 or 3" },
  { FIELD (version), 1, ENOTSUP, "header: version 1, must be 2 or 3: this "
    "is a QCOW image, and not read (convert it first, as with qemu-img "
    "convert)" },
  { FIELD (version), 4, ENOTSUP, "header: version 4, must be 2 or 3" },
  { FIELD (version), 0x80000003, ENOTSUP,
    "header: version 2147483651, must be 2 or 3" },
  { FIELD (cluster_bits), 0, EINVAL,
    "header: cluster_bits 0, must be 9 to 21" },
  { FIELD (cluster_bits), 8, EINVAL,
    "header: cluster_bits 8, must be 9 to 21" },
  { FIELD (cluster_bits), 22, EINVAL,
    "header: cluster_bits 22, must be 9 to 21" },
  { FIELD (cluster_bits), 0x10000010, EINVAL,
    "header: cluster_bits 268435472, must be 9 to 21" },
  { FIELD (size), 0, 0, NULL },
  { FIELD (size), 512 * MB, 0, NULL },
  { FIELD (size), 512 * MB + 1, EINVAL,
    "header: l1_size 1, a disk of 536870913 bytes needs 2 entries" },
  { FIELD (size), INT64_MAX, EINVAL, "header: l1_size 1, a disk of "
    "9223372036854775807 bytes needs 17179869184 entries" },
  { FIELD (size), UINT64_C (1) << 63, EINVAL,
    "header: size 9223372036854775808, must be less than 2^63" },
  { FIELD (size), UINT64_MAX, EINVAL,
    "header: size 18446744073709551615, must be less than 2^63" },
  { FIELD (crypt_method), 1, ENOTSUP, "header: the image is encrypted with "
    "AES-CBC (method 1, legacy), which is not supported" },
  { FIELD (crypt_method), 2, ENOTSUP, "header: the image is encrypted with "
    "LUKS (method 2), which is not supported" },
  { FIELD (crypt_method), 3, EINVAL,
    "header: crypt_method 3, must be 0 to 2" },
  { FIELD (crypt_method), UINT32_MAX, EINVAL,
    "header: crypt_method 4294967295, must be 0 to 2" },
  { FIELD (l1_size), 0, EINVAL,
    "header: l1_size 0, a disk of 5243393 bytes needs 1 entries" },
  { FIELD (l1_size), 2, 0, NULL },
  { FIELD (l1_size), 4194304, 0, NULL },
  { FIELD (l1_size), 4194305, EINVAL,
    "header: l1_size 4194305, must be at most 4194304 entries" },
  { FIELD (l1_size), UINT32_MAX, EINVAL,
    "header: l1_size 4294967295, must be at most 4194304 entries" },
  { FIELD (l1_table_offset), 65537, EINVAL,
    "L1 table: offset 0x10001 is not cluster-aligned" },
  { FIELD (l1_table_offset), 66048, EINVAL,
    "L1 table: offset 0x10200 is not cluster-aligned" },
  { FIELD (l1_table_offset), 131072, EINVAL, L1_OUTSIDE ("0x20000") },
  { FIELD (l1_table_offset), UINT64_C (0xffffffffffff0000), EINVAL,
    L1_OUTSIDE ("0xffffffffffff0000") },
  { FIELD (backing_file_size), UINT32_MAX, 0, NULL },
  { FIELD (refcount_table_offset), UINT64_MAX, 0, NULL },
  { FIELD (refcount_table_clusters), UINT32_MAX, 0, NULL },
  { FIELD (nb_snapshots), UINT32_MAX, 0, NULL },
  { FIELD (snapshots_offset), UINT64_MAX, 0, NULL },
};

static const struct lie version_3_lies[] = {
  { FIELD (header_length), 0, EINVAL, HEADER_LENGTH ("0") },
  { FIELD (header_length), 72, EINVAL, HEADER_LENGTH ("72") },
  { FIELD (header_length), 96, EINVAL, HEADER_LENGTH ("96") },
  { FIELD (header_length), 103, EINVAL, HEADER_LENGTH ("103") },
  { FIELD (header_length), 104, 0, NULL },
  { FIELD (header_length), 108, EINVAL, HEADER_LENGTH ("108") },
  { FIELD (header_length), 113, EINVAL, HEADER_LENGTH ("113") },
  { FIELD (header_length), 120, 0, NULL },
  { FIELD (header_length), 65528, 0, NULL },
  { FIELD (header_length), 65536, 0, NULL },
  { FIELD (header_length), 65544, EINVAL, HEADER_LENGTH ("65544") },
  { FIELD (header_length), UINT32_MAX - 7, EINVAL,
    HEADER_LENGTH ("4294967288") },
  { FIELD (refcount_order), 0, 0, NULL },
  { FIELD (refcount_order), 6, 0, NULL },
  { FIELD (refcount_order), 7, EINVAL,
    "header: refcount_order 7, must be at most 6" },
  { FIELD (refcount_order), UINT32_MAX, EINVAL,
    "header: refcount_order 4294967295, must be at most 6" },
  { FIELD (compatible_features), UINT64_MAX, 0, NULL },
  { FIELD (autoclear_features), ~QCOW2_DATA_FILE_RAW, 0, NULL },
  { FIELD (incompatible_features), 1 << 0, 0, NULL },
  { FIELD (incompatible_features), 1 << 4, 0, NULL },
  { FIELD (incompatible_features), 1 << 2, EINVAL, "header: the name of "
    "the external data file has 0 bytes, must be 1 to 1023" },
  { FIELD (incompatible_features), 1 << 3, EINVAL, "header: "
    "compression_type 0 with incompatible feature bit 3 set" },
  { FIELD (incompatible_features), 1 << 5, ENOTSUP, "header: incompatible "
    "feature bit 5 (not in the feature name table) is not supported" },
  { FIELD (incompatible_features), UINT64_C (1) << 63, ENOTSUP,
    "header: incompatible feature bit 63 (not in the feature name table) "
    "is not supported" },
  { FIELD (incompatible_features), UINT64_C (0xff00000000000000), ENOTSUP,
    "header: incompatible feature bit 56 (not in the feature name table) "
    "is not supported" },
  { FIELD (compression_type), 1, EINVAL, "header: compression_type 1 with "
    "incompatible feature bit 3 clear" },
  { FIELD (compression_type), 2, ENOTSUP,
    "header: compression_type 2, must be 0 (zlib) or 1 (zstd)" },
  { FIELD (compression_type), 255, ENOTSUP,
    "header: compression_type 255, must be 0 (zlib) or 1 (zstd)" },
};

static const struct lie zstd_lies[] = {
  { FIELD (compression_type), 1, 0, NULL },
  { FIELD (compression_type), 0, EINVAL, "header: compression_type 0 with "
    "incompatible feature bit 3 set" },
  { FIELD (compression_type), 2, ENOTSUP,
    "header: compression_type 2, must be 0 (zlib) or 1 (zstd)" },
  /* Then the field is not there, whatever the byte says. */
  { FIELD (header_length), 104, EINVAL, "header: compression_type 0 with "
    "incompatible feature bit 3 set" },
};

START_TEST (test_lie)
{
  check_lie (3, 0, &lies[_i]);
  check_lie (2, 0, &lies[_i]);
}
END_TEST

START_TEST (test_version_3_lie)
{
  check_lie (3, 0, &version_3_lies[_i]);
}
END_TEST

START_TEST (test_zstd_lie)
{
  check_lie (3, QCOW2_COMPRESSION_TYPE, &zstd_lies[_i]);
}
END_TEST

/* Version 2 ends before all that.  Only the extensions that it may have in
 * that place must not be garbage. */
START_TEST (test_version_2)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 2, 16, DISK, 0);
  tell (&image, 72, 8, 0);              /* no extensions */
  memset (image.bytes + 80, 0xff, 1000);
  check_open (&image, 0, NULL);
  qcow2_image_free (&image);
}
END_TEST

START_TEST (test_extended_small_clusters)
{
  char message[100];
  struct qcow2_image image;
  unsigned bits;

  for (bits = 9; bits <= 21; ++bits) {
    qcow2_image_init (&image, 3, bits, DISK, QCOW2_EXTENDED_L2);
    snprintf (message, sizeof message, "header: cluster_bits %u, must be "
              "at least 14 with extended L2 entries", bits);
    check_open (&image, EINVAL, bits < 14 ? message : NULL);
    qcow2_image_free (&image);
  }
}
END_TEST

/* With extended entries a table maps half as much. */
START_TEST (test_extended_l1_size)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 256 * MB, QCOW2_EXTENDED_L2);
  check_open (&image, 0, NULL);
  tell (&image, FIELD (size), 256 * MB + 1);
  check_open (&image, EINVAL, "header: l1_size 1, a disk of 268435457 "
              "bytes needs 2 entries");
  qcow2_image_free (&image);
}
END_TEST

/* Only the part of the L1 table that the disk needs has to be there. */
START_TEST (test_l1_at_end)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 9, 160 * 32768, 0);
  tell (&image, FIELD (l1_size), 1000);
  image.size = 512 + 160 * 8;
  check_open (&image, 0, NULL);
  image.size--;
  check_open (&image, EINVAL, "L1 table: 160 entries at offset 0x200 reach "
              "beyond the end of the file (1791 bytes)");
  qcow2_image_free (&image);
}
END_TEST

/* A disk of no bytes has no L1 table. */
START_TEST (test_empty_disk)
{
  struct qcow2_image image;
  struct layer *layer;

  qcow2_image_init (&image, 3, 16, 0, 0);
  layer = open_good (&image);
  ck_assert_uint_eq (layer->size, 0);
  ck_assert_str_eq (map_text (layer, 0, 0), "");
  layer_close (layer);
  qcow2_image_free (&image);
}
END_TEST

/* The largest disks the formats' limits allow. */
START_TEST (test_large_disks)
{
  const uint64_t largest = UINT64_C (4194304) << 39;
  struct qcow2_image image;
  struct layer *layer;

  qcow2_image_init (&image, 3, 16, 64 * MB * MB, 0);
  layer = open_good (&image);
  ck_assert_uint_eq (layer->size, 64 * MB * MB);
  layer_close (layer);
  qcow2_image_free (&image);

  qcow2_image_init (&image, 3, 21, largest, 0);
  layer = open_good (&image);
  ck_assert_uint_eq (layer->size, largest);
  ck_assert_str_eq (map_text (layer, largest - 512, 512),
                    "hole 2305843009213693440+512");
  layer_close (layer);
  qcow2_image_free (&image);
}
END_TEST

/* Files that end early.  The disk has no bytes, so the header is all that
 * is needed. */
START_TEST (test_short_file)
{
  char message[100];
  struct qcow2_image image;
  size_t size;

  qcow2_image_init (&image, 2, 16, 0, 0);
  for (size = 0; size < 72; ++size) {
    image.size = size;
    snprintf (message, sizeof message,
              "header: the file has only %zu bytes", size);
    check_open (&image, EINVAL, message);
  }
  for (; size < 130; ++size) {
    image.size = size;
    check_open (&image, 0, NULL);
  }
  qcow2_image_free (&image);

  /* The number of bytes that is cut off matters, but not how it is told. */
  qcow2_image_init (&image, 3, 16, 0, 0);
  for (size = 72; size < 104; ++size) {
    struct vdisk_error error = { 0 };

    image.size = size;
    ck_assert_ptr_null (open_image (&image, &error));
    ck_assert_int_eq (error.errnum, EINVAL);
    ck_assert_int_eq (strncmp (error.message, "disk.qcow2: header: ", 20),
                      0);
  }
  tell (&image, FIELD (header_length), 104);
  for (; size < 130; ++size) {
    image.size = size;
    check_open (&image, 0, NULL);
  }
  qcow2_image_free (&image);
}
END_TEST

START_TEST (test_warnings)
{
  static const char corrupt[] = "disk.qcow2: the image is marked corrupt; "
    "what can be read of it is read";
  struct qcow2_image image;
  unsigned bits;

  for (bits = 0; bits < 4; ++bits) {
    qcow2_image_init (&image, 3, 16, DISK, bits);
    layer_close (open_good (&image));
    ck_assert_str_eq (last_warning (),
                      bits & QCOW2_CORRUPT ? corrupt : "");
    qcow2_image_free (&image);
  }
}
END_TEST

/* Backing files. */

struct backing {
  uint64_t offset;
  uint32_t size;
  int errnum;
  const char *message;
};

#define BACKING_SIZE(n) "header: backing_file_size " n \
  ", must be at most 1023"
#define BACKING_OUTSIDE(size, offset) "header: backing file name of " size \
  " bytes at offset " offset ", must lie in the first cluster (65536 bytes)"

static const struct backing backings[] = {
  { 1024, 0, 0, NULL },
  { 65536, 0, 0, NULL },
  { 65537, 0, EINVAL, BACKING_OUTSIDE ("0", "65537") },
  { 1024, 1, 0, NULL },
  { 1024, 1023, 0, NULL },
  { 1024, 1024, EINVAL, BACKING_SIZE ("1024") },
  { 1024, UINT32_MAX, EINVAL, BACKING_SIZE ("4294967295") },
  { 65535, 1, 0, NULL },
  { 65536 - 1023, 1023, 0, NULL },
  { 65535, 2, EINVAL, BACKING_OUTSIDE ("2", "65535") },
  { 65536, 1, EINVAL, BACKING_OUTSIDE ("1", "65536") },
  { 65536 - 1022, 1023, EINVAL, BACKING_OUTSIDE ("1023", "64514") },
  { UINT64_MAX, 1, EINVAL, BACKING_OUTSIDE ("1", "18446744073709551615") },
  { UINT64_MAX - 9, 100, EINVAL,
    BACKING_OUTSIDE ("100", "18446744073709551606") },
};

START_TEST (test_backing)
{
  const struct backing *row = &backings[_i];
  struct qcow2_image image;
  unsigned version;

  for (version = 2; version <= 3; ++version) {
    qcow2_image_init (&image, version, 16, DISK, 0);
    memset (image.bytes + 1024, 'x', 65536 - 1024);
    tell (&image, FIELD (backing_file_offset), row->offset);
    tell (&image, FIELD (backing_file_size), row->size);
    check_open (&image, row->errnum, row->message);
    if (row->message == NULL) {
      struct layer *layer = open_good (&image);

      if (row->size == 0)
        ck_assert_ptr_null (layer->backing.role);
      else {
        ck_assert_str_eq (layer->backing.role, "backing file");
        ck_assert_uint_eq (layer->backing.name_count, 1);
        ck_assert_uint_eq (strlen (layer->backing.names[0]), row->size);
      }
      ck_assert_ptr_null (layer->backing.format);
      ck_assert_ptr_null (layer->data_file.role);
      layer_close (layer);
    }
    qcow2_image_free (&image);
  }
}
END_TEST

/* The name ends at a NUL byte. */
START_TEST (test_backing_nul)
{
  static const char name[] = "base.qcow";
  struct qcow2_image image;
  struct layer *layer;
  size_t length;

  qcow2_image_init (&image, 3, 16, DISK, 0);
  for (length = 1; length < strlen (name); ++length) {
    qcow2_image_set_backing (&image, name);
    image.bytes[65536 - strlen (name) + length] = '\0';
    layer = open_good (&image);
    ck_assert_uint_eq (layer->backing.name_count, 1);
    ck_assert_uint_eq (strlen (layer->backing.names[0]), length);
    ck_assert_mem_eq (layer->backing.names[0], name, length);
    layer_close (layer);
  }
  qcow2_image_free (&image);
}
END_TEST

/* An empty one is none, whatever its format is said to be. */
START_TEST (test_backing_empty)
{
  struct qcow2_image image;
  struct layer *layer;

  qcow2_image_init (&image, 3, 16, DISK, 0);
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_BACKING_FORMAT, "none",
                             4);
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_END, "", 0);
  qcow2_image_set_backing (&image, "base");
  check_open (&image, ENOTSUP, "header: the backing file's format 'none' is "
              "not supported");
  image.bytes[65536 - 4] = '\0';
  layer = open_good (&image);
  ck_assert_ptr_null (layer->backing.role);
  layer_close (layer);
  qcow2_image_free (&image);
}
END_TEST

/* A file that ends before the name does. */
START_TEST (test_backing_beyond_file)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 0, 0);
  qcow2_image_set_backing (&image, "base");
  check_open (&image, 0, NULL);
  image.size = 65535;
  check_open (&image, EINVAL, "header: backing file name of 4 bytes at "
              "offset 65532 reaches beyond the end of the file "
              "(65535 bytes)");
  image.size = 200;
  check_open (&image, EINVAL, "header: backing file name of 4 bytes at "
              "offset 65532 reaches beyond the end of the file "
              "(200 bytes)");
  qcow2_image_free (&image);
}
END_TEST

struct backing_format {
  const char *name;
  const struct format *format;
  int errnum;
  const char *message;
};

#define FORMAT_LONG(n) "header extension 0xe2792aca (backing format): " \
  "length " n ", must be at most 15"
#define FORMAT_UNKNOWN(name) "header: the backing file's format '" name \
  "' is not supported"

static const struct backing_format backing_formats[] = {
  { "qcow2", &format_qcow2, 0, NULL },
  { "raw", &format_raw, 0, NULL },
  { "vpc", &format_vhd, 0, NULL },
  { "qed", &format_qed, 0, NULL },
  { "", NULL, 0, NULL },
  { "q", NULL, ENOTSUP, FORMAT_UNKNOWN ("q") },
  { "vmdk", NULL, ENOTSUP, FORMAT_UNKNOWN ("vmdk") },
  { "qcow2\n", NULL, ENOTSUP, FORMAT_UNKNOWN ("qcow2\\x0a") },
  { "fifteen letters", NULL, ENOTSUP, FORMAT_UNKNOWN ("fifteen letters") },
  { "sixteen letters!", NULL, EINVAL, FORMAT_LONG ("16") },
};

START_TEST (test_backing_format)
{
  const struct backing_format *row = &backing_formats[_i];
  struct qcow2_image image;
  unsigned version;

  for (version = 2; version <= 3; ++version) {
    qcow2_image_init (&image, version, 16, DISK, 0);
    qcow2_image_set_backing (&image, "base");
    qcow2_image_add_extension (&image, QCOW2_EXTENSION_BACKING_FORMAT,
                               row->name, strlen (row->name));
    check_open (&image, row->errnum, row->message);
    if (row->message == NULL) {
      struct layer *layer = open_good (&image);

      ck_assert_str_eq (layer->backing.names[0], "base");
      ck_assert_ptr_eq (layer->backing.format, row->format);
      layer_close (layer);
    }
    qcow2_image_free (&image);
  }
}
END_TEST

/* Without a backing file its format says nothing. */
START_TEST (test_format_of_no_backing)
{
  struct qcow2_image image;
  struct layer *layer;

  qcow2_image_init (&image, 3, 16, DISK, 0);
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_BACKING_FORMAT,
                             "vmdk", 4);
  layer = open_good (&image);
  ck_assert_ptr_null (layer->backing.role);
  layer_close (layer);
  qcow2_image_free (&image);
}
END_TEST

/* Extensions. */

/* Extensions of types nobody knows, some without data, some with odd
 * lengths; what comes after them is found. */
START_TEST (test_unknown_extensions)
{
  struct qcow2_image image;
  struct layer *layer;
  unsigned length;

  qcow2_image_init (&image, 2, 16, DISK, 0);
  qcow2_image_set_backing (&image, "base");
  for (length = 0; length < 30; ++length)
    qcow2_image_add_extension (&image, 0xfeed0000 + length,
                               "some bytes of an extension......", length);
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_BACKING_FORMAT,
                             "raw", 3);
  layer = open_good (&image);
  ck_assert_ptr_eq (layer->backing.format, &format_raw);
  layer_close (layer);
  qcow2_image_free (&image);
}
END_TEST

/* Those of bitmaps and of encryption are not for us, whatever they say. */
START_TEST (test_other_extensions)
{
  static const uint8_t garbage[24] = { 0xff, 1, 2, 3 };
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, DISK, 0);
  qcow2_image_add_extension (&image, 0x23852875, garbage, sizeof garbage);
  qcow2_image_add_extension (&image, 0x0537be77, garbage, 16);
  qcow2_image_add_extension (&image, 0x0537be77, garbage, 0);
  check_open (&image, 0, NULL);
  qcow2_image_free (&image);
}
END_TEST

/* Nothing is read after the end of extensions. */
START_TEST (test_end_of_extensions)
{
  struct qcow2_image image;
  struct layer *layer;

  qcow2_image_init (&image, 3, 16, DISK, 0);
  qcow2_image_set_backing (&image, "base");
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_END, "", 0);
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_BACKING_FORMAT,
                             "raw", 3);
  tell (&image, image.extension + 4, 4, UINT32_MAX);
  layer = open_good (&image);
  ck_assert_ptr_null (layer->backing.format);
  layer_close (layer);
  qcow2_image_free (&image);
}
END_TEST

/* Extensions come after a header of any length. */
START_TEST (test_extension_after_long_header)
{
  static const unsigned lengths[] = { 104, 112, 120, 4096, 65536 - 16 };
  struct qcow2_image image;
  struct layer *layer;
  size_t i;

  for (i = 0; i < LEN (lengths); ++i) {
    qcow2_image_init (&image, 3, 16, DISK, 0);
    memset (image.bytes + 112, 0xee, 65536 - 112);
    tell (&image, FIELD (header_length), lengths[i]);
    tell (&image, FIELD (backing_file_offset), 200);
    tell (&image, FIELD (backing_file_size), 1);
    if (lengths[i] > 200)
      tell (&image, FIELD (backing_file_offset), 65535);
    image.extension = lengths[i];
    qcow2_image_add_extension (&image, QCOW2_EXTENSION_BACKING_FORMAT,
                               "raw", 3);
    if (image.extension < 65536)
      qcow2_image_add_extension (&image, QCOW2_EXTENSION_END, "", 0);
    /* The last byte is the name's, or padding. */
    layer = open_good (&image);
    ck_assert_ptr_eq (layer->backing.format, &format_raw);
    layer_close (layer);
    qcow2_image_free (&image);
  }
}
END_TEST

/* The place for extensions ends with the cluster, the file, or where the
 * name of the backing file is. */

struct overrun {
  uint64_t end;
  bool by_name;                 /* else by the end of the file */
  uint32_t length;
  int errnum;
  const char *message;
};

#define OVERRUN(length, left) "header extension 0xfeedbeef: length " length \
  ", only " left " bytes are left for it"

/* The extension's data starts at 120. */
static const struct overrun overruns[] = {
  { 65536, false, 65536 - 120, 0, NULL },
  { 65536, false, 65536 - 121, 0, NULL },
  { 65536, false, 65536 - 119, EINVAL, OVERRUN ("65417", "65416") },
  { 65536, false, UINT32_MAX, EINVAL, OVERRUN ("4294967295", "65416") },
  { 220, false, 100, 0, NULL },
  { 220, false, 101, EINVAL, OVERRUN ("101", "100") },
  { 120, false, 0, 0, NULL },
  { 120, false, 1, EINVAL, OVERRUN ("1", "0") },
  { 119, false, 1, 0, NULL },           /* no place for an extension */
  { 220, true, 100, 0, NULL },
  { 220, true, 101, EINVAL, OVERRUN ("101", "100") },
  { 65535, true, 65415, 0, NULL },
  { 65535, true, 65416, EINVAL, OVERRUN ("65416", "65415") },
  { 119, true, 1, 0, NULL },
  { 112, true, 1, 0, NULL },
};

START_TEST (test_overrun)
{
  const struct overrun *row = &overruns[_i];
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 0, 0);
  tell (&image, 112, 4, 0xfeedbeef);
  tell (&image, 116, 4, row->length);
  if (row->by_name) {
    image.bytes[row->end] = 'x';
    tell (&image, FIELD (backing_file_offset), row->end);
    tell (&image, FIELD (backing_file_size), 1);
  }
  else
    image.size = row->end;
  check_open (&image, row->errnum, row->message);
  qcow2_image_free (&image);
}
END_TEST

START_TEST (test_many_extensions)
{
  struct qcow2_image image;
  unsigned n;

  qcow2_image_init (&image, 3, 16, DISK, 0);
  for (n = 0; n < 256; ++n)
    qcow2_image_add_extension (&image, 0xfeedbeef, "", 0);
  check_open (&image, 0, NULL);
  qcow2_image_add_extension (&image, 0xfeedbeef, "", 0);
  check_open (&image, EINVAL, "header: more than 256 extensions");
  qcow2_image_free (&image);
}
END_TEST

/* The feature name table. */

#define UNKNOWN_BIT(bit, name) "header: incompatible feature bit " bit \
  " (" name ") is not supported"
#define NAME_46 "a name that fills all of its forty-six bytes.."

static const struct qcow2_feature_name feature_names[] = {
  { 1, 40, "compatible" },
  { 0, 41, "some other bit" },
  { 2, 40, "autoclear" },
  { 0, 40, "forty" },
  { 0, 40, "a second name" },
  { 0, 42, NAME_46 },
  { 0, 43, "" },
  { 0, 44, "line\nbreak" },
  { 0, 6, "the last" },
};

static void
check_feature_name (unsigned bit, uint32_t table_size, const char *message)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, DISK, UINT64_C (1) << bit | QCOW2_DIRTY);
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_FEATURE_NAMES,
                             feature_names, table_size);
  check_open (&image, ENOTSUP, message);
  qcow2_image_free (&image);
}

START_TEST (test_feature_names)
{
  const uint32_t size = sizeof feature_names;

  check_feature_name (40, size, UNKNOWN_BIT ("40", "forty"));
  check_feature_name (41, size, UNKNOWN_BIT ("41", "some other bit"));
  check_feature_name (42, size, UNKNOWN_BIT ("42", NAME_46));
  check_feature_name (43, size,
                      UNKNOWN_BIT ("43", "not in the feature name table"));
  check_feature_name (44, size, UNKNOWN_BIT ("44", "line\\x0abreak"));
  check_feature_name (45, size,
                      UNKNOWN_BIT ("45", "not in the feature name table"));
  check_feature_name (6, size, UNKNOWN_BIT ("6", "the last"));
  /* An entry that is not whole is none. */
  check_feature_name (6, size - 1,
                      UNKNOWN_BIT ("6", "not in the feature name table"));
  check_feature_name (6, 0,
                      UNKNOWN_BIT ("6", "not in the feature name table"));
}
END_TEST

/* A table that names what we know, and what is not set. */
START_TEST (test_harmless_feature_names)
{
  static const struct qcow2_feature_name names[] = {
    { 0, 0, "dirty bit" }, { 0, 40, "forty" }, { 9, 99, "nonsense" },
  };
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, DISK, QCOW2_DIRTY);
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_FEATURE_NAMES,
                             names, sizeof names);
  check_open (&image, 0, NULL);
  qcow2_image_free (&image);
}
END_TEST

/* The external data file. */

static void
check_data_file (const char *name, uint32_t length, const char *message)
{
  struct qcow2_image image;
  struct layer *layer;

  qcow2_image_init (&image, 3, 16, DISK, 0);
  tell (&image, FIELD (incompatible_features), QCOW2_EXTERNAL_DATA);
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_DATA_FILE, name,
                             length);
  check_open (&image, EINVAL, message);
  if (message == NULL) {
    layer = open_good (&image);
    ck_assert_str_eq (layer->data_file.role, "data file");
    ck_assert_uint_eq (layer->data_file.name_count, 1);
    ck_assert_uint_eq (strlen (layer->data_file.names[0]),
                       strnlen (name, length));
    ck_assert_int_eq (strncmp (layer->data_file.names[0], name, length), 0);
    ck_assert_ptr_null (layer->backing.role);
    layer_close (layer);
  }
  qcow2_image_free (&image);
}

START_TEST (test_data_file)
{
  static char name[1024];

  memset (name, 'd', sizeof name);
  check_data_file ("data.raw", 8, NULL);
  check_data_file (name, 1, NULL);
  check_data_file (name, 1023, NULL);
  check_data_file ("", 0, "header: the name of the external data file has "
                   "0 bytes, must be 1 to 1023");
  check_data_file (name, 1024, "header: the name of the external data file "
                   "has 1024 bytes, must be 1 to 1023");
  check_data_file ("data.raw", 9, NULL);
  check_data_file ("data\0raw", 8, NULL);
  check_data_file ("\0data", 5, "header: the name of the external data file "
                   "is empty");
}
END_TEST

/* The bit says something of a file that there is not. */
START_TEST (test_raw_data_alone)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, DISK, 0);
  tell (&image, FIELD (autoclear_features), QCOW2_DATA_FILE_RAW);
  check_open (&image, EINVAL, "header: the external data is marked raw "
              "(autoclear feature bit 1), but there is none (incompatible "
              "feature bit 2 is clear)");
  /* Version 2 has no such bits. */
  tell (&image, FIELD (version), 2);
  check_open (&image, 0, NULL);
  qcow2_image_free (&image);
}
END_TEST

/* Without the feature there is no data file, only its name. */
START_TEST (test_data_file_name_alone)
{
  struct qcow2_image image;
  struct layer *layer;

  qcow2_image_init (&image, 3, 16, DISK, 0);
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_DATA_FILE, "data.raw",
                             8);
  layer = open_good (&image);
  ck_assert_ptr_null (layer->data_file.role);
  layer_close (layer);
  qcow2_image_free (&image);
}
END_TEST

/* Everything there is to read at open, each read failing in turn. */
START_TEST (test_faulty)
{
  struct map_model model = { 0 };
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, DISK, QCOW2_EXTERNAL_DATA);
  qcow2_image_set_backing (&image, "base");
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_FEATURE_NAMES,
                             feature_names, sizeof feature_names);
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_BACKING_FORMAT,
                             "raw", 3);
  map_model_add (&model, VDISK_HOLE, DISK, VDISK_NO_HOST_OFFSET);
  map_model_check_faults (&model, &format_qcow2, image.bytes, image.size);
  map_model_free (&model);
  qcow2_image_free (&image);
}
END_TEST

/* The same where the search for a feature's name is what fails. */
START_TEST (test_faulty_refusal)
{
  const char *message = "injected";
  struct qcow2_image image;
  size_t fail_at;

  qcow2_image_init (&image, 3, 16, DISK, UINT64_C (1) << 6);
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_FEATURE_NAMES,
                             feature_names, sizeof feature_names);
  for (fail_at = 0; strcmp (message, "injected") == 0; ++fail_at) {
    static struct vdisk_error error;
    struct source *source = source_memory ("disk.qcow2", image.bytes,
                                           image.size);

    ck_assert_ptr_null (open_layer (&format_qcow2,
                                    source_faulty (source, fail_at), NULL,
                                    &error));
    message = error.message;
  }
  ck_assert_str_eq (message, "disk.qcow2: " UNKNOWN_BIT ("6", "the last"));
  ck_assert_uint_gt (fail_at, 3);
  qcow2_image_free (&image);
}
END_TEST

static void
add_header_tests (Suite *suite)
{
  TCase *tcase = tcase_create ("header");

  tcase_add_test (tcase, test_geometry);
  tcase_add_loop_test (tcase, test_lie, 0, LEN (lies));
  tcase_add_loop_test (tcase, test_version_3_lie, 0, LEN (version_3_lies));
  /* The first is none. */
  tcase_add_loop_test (tcase, test_zstd_lie, zstd_is_built_in ? 0 : 1,
                       LEN (zstd_lies));
  tcase_add_test (tcase, test_version_2);
  tcase_add_test (tcase, test_extended_small_clusters);
  tcase_add_test (tcase, test_extended_l1_size);
  tcase_add_test (tcase, test_l1_at_end);
  tcase_add_test (tcase, test_empty_disk);
  tcase_add_test (tcase, test_large_disks);
  tcase_add_test (tcase, test_short_file);
  tcase_add_test (tcase, test_warnings);
  tcase_add_test (tcase, test_faulty);
  tcase_add_test (tcase, test_faulty_refusal);
  suite_add_tcase (suite, tcase);
}

static void
add_backing_tests (Suite *suite)
{
  TCase *tcase = tcase_create ("backing");

  tcase_add_loop_test (tcase, test_backing, 0, LEN (backings));
  tcase_add_test (tcase, test_backing_nul);
  tcase_add_test (tcase, test_backing_empty);
  tcase_add_test (tcase, test_backing_beyond_file);
  tcase_add_loop_test (tcase, test_backing_format, 0,
                       LEN (backing_formats));
  tcase_add_test (tcase, test_format_of_no_backing);
  suite_add_tcase (suite, tcase);
}

static void
add_extension_tests (Suite *suite)
{
  TCase *tcase = tcase_create ("extensions");

  tcase_add_test (tcase, test_unknown_extensions);
  tcase_add_test (tcase, test_other_extensions);
  tcase_add_test (tcase, test_end_of_extensions);
  tcase_add_test (tcase, test_extension_after_long_header);
  tcase_add_loop_test (tcase, test_overrun, 0, LEN (overruns));
  tcase_add_test (tcase, test_many_extensions);
  tcase_add_test (tcase, test_feature_names);
  tcase_add_test (tcase, test_harmless_feature_names);
  tcase_add_test (tcase, test_data_file);
  tcase_add_test (tcase, test_data_file_name_alone);
  tcase_add_test (tcase, test_raw_data_alone);
  suite_add_tcase (suite, tcase);
}

int
main (void)
{
  Suite *suite = suite_create ("qcow2");

  add_header_tests (suite);
  add_backing_tests (suite);
  add_extension_tests (suite);
  return run_suite (suite);
}
