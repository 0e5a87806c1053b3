/* SPDX-License-Identifier: BSD-3-Clause */
/* The QED driver: every rule of the header, every kind of entry, and
 * random maps against a naive model.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "map-model.h"
#include "qed-image.h"
#include "random.h"
#include "source/memory.h"
#include "support.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])

#define MB (UINT64_C (1) << 20)
#define NONE VDISK_NO_HOST_OFFSET

#define C UINT64_C (65536)      /* the size of most clusters here */

/* Of an image with tables of 4 clusters, so that a table maps 2 GiB. */
#define DISK (5 * MB + 512)
#define L1_TABLE C
#define L2_TABLE (5 * C)
#define DATA (9 * C)

static struct layer *
open_image (const struct qed_image *image, struct vdisk_error *error)
{
  return open_layer_bytes (&format_qed, "disk.qed", image->bytes,
                           image->size, NULL, error);
}

static struct layer *
open_good (const struct qed_image *image)
{
  struct vdisk_error error = { 0 };
  struct layer *layer = open_image (image, &error);

  ck_assert_msg (layer != NULL, "%s", error.message);
  ck_assert_str_eq (error.message, "");
  return layer;
}

/* Open, and check the outcome: a NULL message means that it works.  Others
 * come after the name of the file. */
static void
check_open (const struct qed_image *image, int errnum, const char *message)
{
  struct vdisk_error error = { 0 };
  struct layer *layer = open_image (image, &error);
  char wanted[1024] = "";

  if (message)
    snprintf (wanted, sizeof wanted, "disk.qed: %s", message);
  ck_assert_str_eq (error.message, wanted);
  ck_assert_int_eq (error.errnum, message ? errnum : 0);
  ck_assert_int_eq (layer == NULL, message != NULL);
  layer_close (layer);
}

START_TEST (test_geometry)
{
  struct qed_image image;
  struct layer *layer;
  uint32_t cluster_size, table_size;

  for (cluster_size = 4096; cluster_size <= 1 << 20; cluster_size *= 2)
    for (table_size = 1; table_size <= 16; table_size *= 2) {
      qed_image_init (&image, cluster_size, table_size, DISK);
      layer = open_good (&image);
      ck_assert_uint_eq (layer->size, DISK);
      ck_assert_uint_eq (layer->cluster_size, cluster_size);
      ck_assert_uint_eq (layer->granularity, cluster_size);
      ck_assert (!layer->is_raw);
      ck_assert_ptr_null (layer->backing.role);
      ck_assert_ptr_null (layer->data_file.role);
      ck_assert_str_eq (last_warning (), "");
      layer_close (layer);
      qed_image_free (&image);
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

#define FIELD(field) offsetof (struct qed_header, field), \
  sizeof ((struct qed_header *) 0)->field

static void
tell (const struct qed_image *image, size_t offset, unsigned width,
      uint64_t value)
{
  while (width-- > 0) {
    image->bytes[offset++] = value;
    value >>= 8;
  }
}

#define CLUSTER_SIZE(n) "header: cluster_size " n ", must be a power of " \
  "two from 4096 to 67108864"
#define TABLE_SIZE(n) "header: table_size " n ", must be a power of two " \
  "from 1 to 16"
#define FEATURE(n, bit) "header: features " n ", unknown feature bit " bit \
  " is not supported"
#define L1_OUTSIDE(offset) "L1 table: 262144 bytes at offset " offset \
  " reach beyond the end of the file (327680 bytes)"
/* A table has 32768 entries: 2^15 * 2^15 * 2^16. */
#define IMAGE_SIZE(n) "header: image_size " n ", must be a multiple of " \
  "512 and at most 70368744177664"

static const struct lie lies[] = {
  { FIELD (magic), 0x00444550, EINVAL,
    "header: magic 0x00444550, expected 0x00444551" },
  { FIELD (magic), 0x01444551, EINVAL,
    "header: magic 0x01444551, expected 0x00444551" },
  { FIELD (cluster_size), 0, EINVAL, CLUSTER_SIZE ("0") },
  { FIELD (cluster_size), 1, EINVAL, CLUSTER_SIZE ("1") },
  { FIELD (cluster_size), 2048, EINVAL, CLUSTER_SIZE ("2048") },
  { FIELD (cluster_size), 65537, EINVAL, CLUSTER_SIZE ("65537") },
  { FIELD (cluster_size), 98304, EINVAL, CLUSTER_SIZE ("98304") },
  { FIELD (cluster_size), 1 << 27, EINVAL, CLUSTER_SIZE ("134217728") },
  { FIELD (cluster_size), UINT32_MAX, EINVAL,
    CLUSTER_SIZE ("4294967295") },
  { FIELD (table_size), 0, EINVAL, TABLE_SIZE ("0") },
  { FIELD (table_size), 1, 0, NULL },
  { FIELD (table_size), 3, EINVAL, TABLE_SIZE ("3") },
  { FIELD (table_size), 17, EINVAL, TABLE_SIZE ("17") },
  { FIELD (table_size), 32, EINVAL, TABLE_SIZE ("32") },
  { FIELD (table_size), 0x80000000, EINVAL, TABLE_SIZE ("2147483648") },
  { FIELD (table_size), 16, EINVAL, "L1 table: 1048576 bytes at offset "
    "0x10000 reach beyond the end of the file (327680 bytes)" },
  { FIELD (header_size), 0, EINVAL,
    "header: header_size 0, must be at least 1" },
  { FIELD (features), 2, 0, NULL },
  { FIELD (features), 4, 0, NULL },
  { FIELD (features), 8, ENOTSUP, FEATURE ("0x8", "3") },
  { FIELD (features), 0xf8, ENOTSUP, FEATURE ("0xf8", "3") },
  { FIELD (features), UINT64_C (1) << 63, ENOTSUP,
    FEATURE ("0x8000000000000000", "63") },
  { FIELD (features), UINT64_C (1) << 32, ENOTSUP,
    FEATURE ("0x100000000", "32") },
  { FIELD (compat_features), UINT64_MAX, 0, NULL },
  { FIELD (autoclear_features), UINT64_MAX, 0, NULL },
  { FIELD (l1_table_offset), C + 512, EINVAL,
    "L1 table: offset 0x10200 is not cluster-aligned" },
  { FIELD (l1_table_offset), C + 1, EINVAL,
    "L1 table: offset 0x10001 is not cluster-aligned" },
  { FIELD (l1_table_offset), 2 * C, EINVAL, L1_OUTSIDE ("0x20000") },
  { FIELD (l1_table_offset), 5 * C, EINVAL, L1_OUTSIDE ("0x50000") },
  { FIELD (l1_table_offset), UINT64_C (0xffffffffffff0000), EINVAL,
    L1_OUTSIDE ("0xffffffffffff0000") },
  { FIELD (image_size), 0, 0, NULL },
  { FIELD (image_size), 511, EINVAL, IMAGE_SIZE ("511") },
  { FIELD (image_size), 512, 0, NULL },
  { FIELD (image_size), 513, EINVAL, IMAGE_SIZE ("513") },
  { FIELD (image_size), 64 * MB * MB, 0, NULL },
  { FIELD (image_size), 64 * MB * MB + 512, EINVAL,
    IMAGE_SIZE ("70368744178176") },
  { FIELD (image_size), UINT64_C (1) << 63, EINVAL,
    IMAGE_SIZE ("9223372036854775808") },
  { FIELD (image_size), UINT64_MAX - 511, EINVAL,
    IMAGE_SIZE ("18446744073709551104") },
  /* Without the feature these say nothing. */
  { FIELD (backing_filename_offset), UINT32_MAX, 0, NULL },
  { FIELD (backing_filename_size), UINT32_MAX, 0, NULL },
};

START_TEST (test_lie)
{
  const struct lie *lie = &lies[_i];
  struct qed_image image;

  qed_image_init (&image, C, 4, DISK);
  tell (&image, lie->offset, lie->width, lie->value);
  check_open (&image, lie->errnum, lie->message);
  qed_image_free (&image);
}
END_TEST

/* Regular clusters, tables among them, come after the header's. */
START_TEST (test_l1_in_header)
{
  static const uint64_t offsets[] = { 0, C, 2 * C };
  struct qed_image image;
  char message[200];
  size_t i;

  for (i = 0; i < LEN (offsets); ++i) {
    qed_image_init (&image, C, 4, DISK);
    qed_image_append (&image, 10);
    tell (&image, FIELD (header_size), 3);
    tell (&image, FIELD (l1_table_offset), offsets[i]);
    snprintf (message, sizeof message, "L1 table: offset 0x%" PRIx64
              " is in the header (196608 bytes)", offsets[i]);
    check_open (&image, EINVAL, message);
    tell (&image, FIELD (l1_table_offset), 3 * C);
    check_open (&image, 0, NULL);
    qed_image_free (&image);
  }
}
END_TEST

/* The header may be larger than one cluster, whatever follows it. */
START_TEST (test_header_size)
{
  struct qed_image image;

  qed_image_init (&image, C, 1, DISK);
  tell (&image, FIELD (header_size), 3);
  tell (&image, FIELD (l1_table_offset), 3 * C);
  image.size = 4 * C;
  check_open (&image, 0, NULL);
  qed_image_free (&image);
}
END_TEST

START_TEST (test_short_file)
{
  struct qed_image image;
  char message[100];
  size_t size;

  qed_image_init (&image, 4096, 1, 0);
  for (size = 0; size < 64; ++size) {
    image.size = size;
    snprintf (message, sizeof message,
              "header: the file has only %zu bytes", size);
    check_open (&image, EINVAL, message);
  }
  image.size = 64;
  check_open (&image, EINVAL, "L1 table: 4096 bytes at offset 0x1000 reach "
              "beyond the end of the file (64 bytes)");
  image.size = 8191;
  check_open (&image, EINVAL, "L1 table: 4096 bytes at offset 0x1000 reach "
              "beyond the end of the file (8191 bytes)");
  image.size = 8192;
  check_open (&image, 0, NULL);
  qed_image_free (&image);
}
END_TEST

/* The largest there can be: tables of 1 GiB, for 2^80 bytes, of which a
 * disk can have 2^63. */
START_TEST (test_largest)
{
  const uint64_t largest = INT64_MAX - 511, cluster = 1 << 26;
  struct vdisk_error error = { 0 };
  struct qed_image image;
  struct layer *layer;

  qed_image_init (&image, C, 1, largest);
  tell (&image, FIELD (cluster_size), cluster);
  tell (&image, FIELD (table_size), 16);
  tell (&image, FIELD (l1_table_offset), cluster);
  /* Only the first entries of the table are ever read. */
  image.size = 17 * cluster;
  layer = open_good (&image);
  ck_assert_uint_eq (layer->size, largest);
  ck_assert_uint_eq (layer->cluster_size, cluster);
  ck_assert_str_eq (map_text (layer, 0, largest),
                    "hole 0+9223372036854775296");
  layer_close (layer);

  image.size = 17 * cluster - 1;
  ck_assert_ptr_null (open_image (&image, &error));
  ck_assert_str_eq (error.message, "disk.qed: L1 table: 1073741824 bytes "
                    "at offset 0x4000000 reach beyond the end of the file "
                    "(1140850687 bytes)");
  image.size = 17 * cluster;
  tell (&image, FIELD (image_size), UINT64_C (1) << 63);
  check_open (&image, EINVAL, "header: image_size 9223372036854775808, "
              "must be a multiple of 512 and at most 9223372036854775807");
  qed_image_free (&image);
}
END_TEST

/* Tables for 2^63 bytes, which is one more than a disk can have. */
START_TEST (test_one_too_large)
{
  struct qed_image image;

  qed_image_init (&image, 2 * MB, 8, INT64_MAX - 511);
  check_open (&image, 0, NULL);
  tell (&image, FIELD (image_size), UINT64_C (1) << 63);
  check_open (&image, EINVAL, "header: image_size 9223372036854775808, "
              "must be a multiple of 512 and at most 9223372036854775807");
  qed_image_free (&image);
}
END_TEST

START_TEST (test_warnings)
{
  static const char need_check[] = "disk.qed: the image was not closed "
    "properly and needs a check; it is read as it is";
  struct qed_image image;
  unsigned features;

  for (features = 0; features < 8; ++features) {
    qed_image_init (&image, C, 4, DISK);
    qed_image_set_backing (&image, "base", 0);
    tell (&image, FIELD (features), features);
    layer_close (open_good (&image));
    ck_assert_str_eq (last_warning (),
                      features & QED_F_NEED_CHECK ? need_check : "");
    qed_image_free (&image);
  }
}
END_TEST

/* Backing files. */

struct backing {
  uint32_t header_size, offset, size;
  const char *message;
};

#define NAME_SIZE(n) "header: backing_filename_size " n \
  ", must be at most 4095"
#define NAME_OUTSIDE(size, offset, header) "header: backing file name of " \
  size " bytes at offset " offset ", must lie in the header's clusters (" \
  header " bytes)"

static const struct backing backings[] = {
  { 1, 64, 0, NULL },
  { 1, 4096, 0, NULL },
  { 1, 4097, 0, NAME_OUTSIDE ("0", "4097", "4096") },
  { 1, 64, 1, NULL },
  { 1, 64, 1024, NULL },
  { 2, 64, 4095, NULL },
  { 2, 64, 4096, NAME_SIZE ("4096") },
  { 1, 64, UINT32_MAX, NAME_SIZE ("4294967295") },
  { 1, 4095, 1, NULL },
  { 1, 4096 - 1024, 1024, NULL },
  { 1, 4095, 2, NAME_OUTSIDE ("2", "4095", "4096") },
  { 1, 4096, 1, NAME_OUTSIDE ("1", "4096", "4096") },
  { 1, UINT32_MAX, 1, NAME_OUTSIDE ("1", "4294967295", "4096") },
  { 1, UINT32_MAX - 9, 100, NAME_OUTSIDE ("100", "4294967286", "4096") },
  { 2, 4095, 2, NULL },
  { 2, 8191, 1, NULL },
  { 2, 8191, 2, NAME_OUTSIDE ("2", "8191", "8192") },
};

/* The L1 table comes after a header of two clusters. */
static void
init_two_clusters (struct qed_image *image)
{
  qed_image_init (image, 4096, 1, DISK / 4096 * 4096);
  memset (image->bytes + 64, 'x', 8192 - 64);
  tell (image, FIELD (l1_table_offset), 8192);
  tell (image, FIELD (features), QED_F_BACKING_FILE);
  image->size = 12288;
}

START_TEST (test_backing)
{
  const struct backing *row = &backings[_i];
  struct qed_image image;
  struct layer *layer;

  init_two_clusters (&image);
  tell (&image, FIELD (header_size), row->header_size);
  tell (&image, FIELD (backing_filename_offset), row->offset);
  tell (&image, FIELD (backing_filename_size), row->size);
  check_open (&image, EINVAL, row->message);
  if (row->message == NULL) {
    layer = open_good (&image);
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
  qed_image_free (&image);
}
END_TEST

START_TEST (test_backing_format)
{
  struct qed_image image;
  struct layer *layer;

  qed_image_init (&image, C, 4, DISK);
  qed_image_set_backing (&image, "dir/base.qed", 0);
  layer = open_good (&image);
  ck_assert_str_eq (layer->backing.names[0], "dir/base.qed");
  ck_assert_ptr_null (layer->backing.format);
  layer_close (layer);

  qed_image_set_backing (&image, "raw", QED_F_BACKING_FORMAT_NO_PROBE);
  layer = open_good (&image);
  ck_assert_str_eq (layer->backing.names[0], "raw");
  ck_assert_ptr_eq (layer->backing.format, &format_raw);
  layer_close (layer);

  /* Then nothing is to be probed. */
  tell (&image, FIELD (features), QED_F_BACKING_FORMAT_NO_PROBE);
  layer = open_good (&image);
  ck_assert_ptr_null (layer->backing.role);
  layer_close (layer);
  qed_image_free (&image);
}
END_TEST

/* The name ends at a NUL byte, and an empty one is none. */
START_TEST (test_backing_nul)
{
  struct qed_image image;
  struct layer *layer;
  size_t length;

  qed_image_init (&image, C, 4, DISK);
  for (length = 0; length < 4; ++length) {
    qed_image_set_backing (&image, "base", QED_F_BACKING_FORMAT_NO_PROBE);
    image.bytes[C - 4 + length] = '\0';
    layer = open_good (&image);
    ck_assert_uint_eq (layer->backing.name_count, length > 0);
    if (length == 0)
      ck_assert_ptr_null (layer->backing.role);
    else {
      ck_assert_uint_eq (strlen (layer->backing.names[0]), length);
      ck_assert_mem_eq (layer->backing.names[0], "base", length);
    }
    layer_close (layer);
  }
  qed_image_free (&image);
}
END_TEST

/* A header that claims more clusters than are in the file leaves no place
 * for the L1 table, so a name in them is in the file. */
START_TEST (test_backing_beyond_file)
{
  struct qed_image image;

  init_two_clusters (&image);
  tell (&image, FIELD (header_size), UINT32_MAX);
  check_open (&image, EINVAL, "L1 table: offset 0x2000 is in the header "
              "(17592186040320 bytes)");
  qed_image_free (&image);
}
END_TEST

/* Maps. */

static void
check_map (const struct qed_image *image, uint64_t offset, uint64_t count,
           const char *map)
{
  struct layer *layer = open_good (image);

  ck_assert_str_eq (map_text (layer, offset, count), map);
  layer_close (layer);
}

/* Map a range that cannot be mapped as a whole.  The message comes after
 * the name of the file. */
static void
check_error (const struct qed_image *image, uint64_t offset, uint64_t count,
             const char *map, const char *message)
{
  struct layer *layer = open_good (image);
  char wanted[1024];

  snprintf (wanted, sizeof wanted, "disk.qed: %s", message);
  map_check_error (layer, offset, count, map, wanted);
  layer_close (layer);
}

START_TEST (test_unallocated)
{
  struct qed_image image;

  qed_image_init (&image, C, 4, 5000 * MB);
  check_map (&image, 0, 5000 * MB, "hole 0+5242880000");
  qed_image_set (&image, 3000 * MB, 0);         /* an empty L2 table */
  check_map (&image, 0, 5000 * MB, "hole 0+5242880000");
  check_map (&image, 2048 * MB - 1, 2, "hole 2147483647+2");
  check_map (&image, 5000 * MB, 0, "");
  qed_image_free (&image);
}
END_TEST

START_TEST (test_kinds)
{
  struct qed_image image;

  qed_image_init (&image, C, 4, 10 * C);
  ck_assert_uint_eq (qed_image_add_data (&image, C), DATA);
  qed_image_set (&image, 2 * C, 1);
  qed_image_set (&image, 3 * C, 1);
  check_map (&image, 0, 10 * C, "hole 0+65536, data 65536+65536@589824, "
             "zero 131072+131072, hole 262144+393216");
  check_map (&image, C + 7, C, "data 65543+65529@589831, zero 131072+7");
  check_map (&image, 2 * C - 1, 1, "data 131071+1@655359");
  check_map (&image, 4 * C - 1, 2, "zero 262143+1, hole 262144+1");
  qed_image_free (&image);
}
END_TEST

/* Clusters that follow each other make one interval, others don't. */
START_TEST (test_merging)
{
  static const unsigned hosts[] = { 0, 1, 2, 4, 3, 3 };
  struct qed_image image;
  size_t i;

  qed_image_init (&image, C, 4, 10 * C);
  for (i = 0; i < LEN (hosts); ++i)
    qed_image_set (&image, i * C, DATA + hosts[i] * C);
  qed_image_append (&image, 5);
  check_map (&image, 0, 10 * C, "data 0+196608@589824, "
             "data 196608+65536@851968, data 262144+65536@786432, "
             "data 327680+65536@786432, hole 393216+262144");
  qed_image_free (&image);
}
END_TEST

/* 32 MiB are mapped by a table of 16 clusters of 4 KiB, 64 KiB long. */
START_TEST (test_large_tables)
{
  const uint64_t covers = 8192 * 4096;
  struct map_model model = { 0 };
  struct qed_image image;
  struct layer *layer;

  qed_image_init (&image, 4096, 16, 3 * covers + 4096 + 512);
  qed_image_l2 (&image, 0);
  qed_image_l2 (&image, covers);
  map_model_add (&model, VDISK_HOLE, covers - 4096, NONE);
  map_model_add (&model, VDISK_DATA, 4096,
                 qed_image_add_data (&image, covers - 4096));
  map_model_add (&model, VDISK_DATA, 4096,
                 qed_image_add_data (&image, covers));
  map_model_add (&model, VDISK_HOLE, 3 * covers - model.end, NONE);
  map_model_add (&model, VDISK_ZERO, 4096, NONE);
  qed_image_set (&image, 3 * covers, 1);
  map_model_add (&model, VDISK_DATA, 4096,
                 qed_image_add_data (&image, model.end));
  layer = open_good (&image);
  map_model_check (&model, layer, 0, layer->size);
  map_model_check (&model, layer, covers - 1, 2);
  map_model_check (&model, layer, covers + 4095, 2 * covers + 4096);
  map_model_check (&model, layer, layer->size - 513, 513);
  layer_close (layer);
  map_model_free (&model);
  qed_image_free (&image);
}
END_TEST

/* L2 entries that break a rule: everything before them is mapped. */

struct bad_entry {
  uint64_t entry;
  const char *message;
};

#define UNALIGNED(offset) "L2 table: offset " offset \
  " for guest offset 65536 is not cluster-aligned"
#define BEYOND(offset) "L2 table: guest offset 65536 is at offset " offset \
  ", beyond the end of the file (655360 bytes)"

static const struct bad_entry bad_entries[] = {
  { 2, UNALIGNED ("0x2") },
  { 3, UNALIGNED ("0x3") },
  { DATA | 1, UNALIGNED ("0x90001") },
  { DATA | 512, UNALIGNED ("0x90200") },
  { DATA | 32768, UNALIGNED ("0x98000") },
  { UINT64_MAX, UNALIGNED ("0xffffffffffffffff") },
  { UINT64_C (0xfffffffffffff000), UNALIGNED ("0xfffffffffffff000") },
  { DATA + C, BEYOND ("655360") },
  { DATA + 2 * C, BEYOND ("720896") },
  { UINT64_C (1) << 63, BEYOND ("9223372036854775808") },
  { UINT64_C (0xffffffffffff0000), BEYOND ("18446744073709486080") },
};

START_TEST (test_bad_entry)
{
  struct qed_image image;

  qed_image_init (&image, C, 4, 4 * C);
  qed_image_add_data (&image, 0);
  qed_image_set (&image, C, bad_entries[_i].entry);
  check_error (&image, 10, 4 * C - 10, "data 10+65526@589834",
               bad_entries[_i].message);
  check_error (&image, C, 1, "", bad_entries[_i].message);
  check_map (&image, 2 * C, 2 * C, "hole 131072+131072");
  qed_image_free (&image);
}
END_TEST

/* The header's clusters are no data either, nor tables. */
START_TEST (test_clusters_in_header)
{
  struct qed_image image;

  qed_image_init (&image, C, 1, 2000 * MB);
  tell (&image, FIELD (header_size), 2);
  tell (&image, FIELD (l1_table_offset), 2 * C);
  image.size = 3 * C;
  qed_image_set (&image, 2 * C, C);
  *qed_image_l1 (&image, 1) = to_le64 (C);
  check_error (&image, 0, 4 * C, "hole 0+131072", "L2 table: offset "
               "0x10000 for guest offset 131072 is in the header "
               "(131072 bytes)");
  check_error (&image, 3 * C, 1000 * MB, "hole 196608+536674304",
               "L1 table: entry 1: offset 0x10000 is in the header "
               "(131072 bytes)");
  qed_image_free (&image);
}
END_TEST

/* Data and a table may lie right after the header, before the L1 table. */
START_TEST (test_clusters_after_header)
{
  struct qed_image image;

  qed_image_init (&image, C, 1, 2000 * MB);
  tell (&image, FIELD (l1_table_offset), 3 * C);
  image.size = 4 * C;
  *qed_image_l1 (&image, 0) = to_le64 (C);
  qed_image_set (&image, 0, 2 * C);
  qed_image_set (&image, C, C);
  check_map (&image, 0, 3 * C, "data 0+65536@131072, "
             "data 65536+65536@65536, hole 131072+65536");
  qed_image_free (&image);
}
END_TEST

/* L1 entries.  The second table maps from 2 GiB on. */

#define L1_UNALIGNED(offset) "L1 table: entry 1: offset " offset \
  " is not cluster-aligned"
#define L1_BEYOND(offset) "L1 table: entry 1: L2 table at offset " offset \
  " reaches beyond the end of the file (589824 bytes)"

static const struct bad_entry bad_l1_entries[] = {
  { 1, L1_UNALIGNED ("0x1") },          /* means zeros in L2 tables only */
  { L2_TABLE + 8, L1_UNALIGNED ("0x50008") },
  { L2_TABLE + 4096, L1_UNALIGNED ("0x51000") },
  { UINT64_MAX, L1_UNALIGNED ("0xffffffffffffffff") },
  { 9 * C, L1_BEYOND ("0x90000") },
  { 6 * C, L1_BEYOND ("0x60000") },     /* its last cluster */
  { UINT64_C (1) << 63, L1_BEYOND ("0x8000000000000000") },
  { UINT64_C (0xfffffffffffc0000), L1_BEYOND ("0xfffffffffffc0000") },
  { UINT64_C (0xffffffffffff0000), L1_BEYOND ("0xffffffffffff0000") },
};

START_TEST (test_bad_l1_entry)
{
  const struct bad_entry *row = &bad_l1_entries[_i];
  struct qed_image image;

  qed_image_init (&image, C, 4, 5000 * MB);
  qed_image_set (&image, 0, 1);
  *qed_image_l1 (&image, 1) = to_le64 (row->entry);
  check_error (&image, 0, 5000 * MB, "zero 0+65536, hole 65536+2147418112",
               row->message);
  check_error (&image, 2048 * MB, 1, "", row->message);
  check_error (&image, 4096 * MB - 1, 2, "", row->message);
  check_map (&image, 4096 * MB, MB, "hole 4294967296+1048576");
  qed_image_free (&image);
}
END_TEST

/* The last cluster of the file may be cut short, wherever a range in it
 * starts. */
START_TEST (test_cut_cluster)
{
  struct qed_image image;
  uint64_t present;

  for (present = 1; present < C; present = 3 * present + 7) {
    struct map_model model = { 0 };
    struct layer *layer;
    uint64_t offset;

    qed_image_init (&image, C, 4, 4 * C);
    qed_image_add_data (&image, C);
    image.size = DATA + present;
    map_model_add (&model, VDISK_HOLE, C, NONE);
    map_model_add (&model, VDISK_DATA, C, DATA);
    map_model_add (&model, VDISK_HOLE, 2 * C, NONE);
    layer = open_good (&image);
    for (offset = 0; offset < 3 * C; offset += 4095)
      map_model_check (&model, layer, offset, 3 * C - offset);
    layer_close (layer);
    map_model_free (&model);
    qed_image_free (&image);
  }
}
END_TEST

/* Random maps. */

struct building {
  struct qed_image image;
  struct map_model model;
  struct random random;
  uint64_t data;                /* offset of 64 clusters for data */
  uint64_t last;                /* where the last data was */
};

#define DATA_CLUSTERS 64

static uint64_t
random_host (struct building *b)
{
  const uint64_t size = b->image.cluster_size;

  if (random_below (&b->random, 3) && b->last + size < b->image.size)
    b->last += size;
  else
    b->last = b->data + random_below (&b->random, DATA_CLUSTERS) * size;
  return b->last;
}

/* Add random clusters up to guest cluster 'end'. */
static void
add_clusters (struct building *b, uint64_t end)
{
  const uint64_t size = b->image.cluster_size;
  uint64_t host;

  while (b->model.end < end * size) {
    switch (random_below (&b->random, 6)) {
    case 0:
      map_model_add (&b->model, VDISK_HOLE, size, NONE);
      break;
    case 1:
      qed_image_set (&b->image, b->model.end, 1);
      map_model_add (&b->model, VDISK_ZERO, size, NONE);
      break;
    default:
      host = random_host (b);
      qed_image_set (&b->image, b->model.end, host);
      map_model_add (&b->model, VDISK_DATA, size, host);
    }
  }
}

/* Clusters of every kind where something could go wrong: at the start, at
 * the ends of the pieces in which tables are read, around the end of a
 * table, at the end of the disk. */
static void
build_random (struct building *b, uint64_t table, uint64_t clusters)
{
  const uint64_t middles[] = { 20, 512, 1024, table, clusters - 20 };
  const uint64_t size = b->image.cluster_size;
  uint64_t i;

  for (i = 0; i < clusters; i += table)
    qed_image_l2 (&b->image, i * size);
  b->data = b->last = qed_image_append (&b->image, DATA_CLUSTERS);
  /* The last one is cut. */
  b->image.size -= random_below (&b->random, size);
  for (i = 0; i < LEN (middles); ++i) {
    if (middles[i] * size > b->model.end + 20 * size)
      map_model_add (&b->model, VDISK_HOLE,
                     (middles[i] - 20) * size - b->model.end, NONE);
    add_clusters (b, middles[i] + 20);
  }
}

static void
check_random (uint32_t cluster_size, uint32_t table_size)
{
  const uint64_t table = (uint64_t) table_size * cluster_size / 8;
  const uint64_t clusters = table + table / 2 + 1100;
  struct building b = { .random = { cluster_size + table_size } };
  uint64_t disk = clusters * cluster_size;
  struct layer *layer;

  disk -= random_below (&b.random, cluster_size / 512) * 512;
  qed_image_init (&b.image, cluster_size, table_size, disk);
  build_random (&b, table, clusters);
  layer = open_good (&b.image);
  map_model_check (&b.model, layer, 0, disk);
  map_model_check_random (&b.model, layer, &b.random, 100);
  layer_close (layer);
  map_model_free (&b.model);
  qed_image_free (&b.image);
}

/* Cluster sizes from 4 KiB to 2 MiB. */
START_TEST (test_random)
{
  check_random (UINT32_C (1) << _i, 1);
  check_random (UINT32_C (1) << _i, 2);
  if (_i <= 16)
    check_random (UINT32_C (1) << _i, 16);
}
END_TEST

START_TEST (test_faulty)
{
  struct building b = { .random = { 5 } };

  qed_image_init (&b.image, 4096, 1, 3000 * 4096 + 512);
  qed_image_set_backing (&b.image, "base", 0);
  b.data = b.last = qed_image_append (&b.image, DATA_CLUSTERS);
  add_clusters (&b, 3001);
  map_model_check_faults (&b.model, &format_qed, b.image.bytes, b.image.size);
  map_model_free (&b.model);
  qed_image_free (&b.image);
}
END_TEST

static void
add_header_tests (Suite *suite)
{
  TCase *tcase = tcase_create ("header");

  tcase_add_test (tcase, test_geometry);
  tcase_add_loop_test (tcase, test_lie, 0, LEN (lies));
  tcase_add_test (tcase, test_l1_in_header);
  tcase_add_test (tcase, test_header_size);
  tcase_add_test (tcase, test_short_file);
  tcase_add_test (tcase, test_largest);
  tcase_add_test (tcase, test_one_too_large);
  tcase_add_test (tcase, test_warnings);
  tcase_add_loop_test (tcase, test_backing, 0, LEN (backings));
  tcase_add_test (tcase, test_backing_format);
  tcase_add_test (tcase, test_backing_nul);
  tcase_add_test (tcase, test_backing_beyond_file);
  suite_add_tcase (suite, tcase);
}

static void
add_map_tests (Suite *suite)
{
  TCase *tcase = tcase_create ("map");

  tcase_add_test (tcase, test_unallocated);
  tcase_add_test (tcase, test_kinds);
  tcase_add_test (tcase, test_merging);
  tcase_add_test (tcase, test_large_tables);
  tcase_add_loop_test (tcase, test_bad_entry, 0, LEN (bad_entries));
  tcase_add_test (tcase, test_clusters_in_header);
  tcase_add_test (tcase, test_clusters_after_header);
  tcase_add_loop_test (tcase, test_bad_l1_entry, 0, LEN (bad_l1_entries));
  tcase_add_test (tcase, test_cut_cluster);
  tcase_add_loop_test (tcase, test_random, 12, 22);
  tcase_add_test (tcase, test_faulty);
  suite_add_tcase (suite, tcase);
}

int
main (void)
{
  Suite *suite = suite_create ("qed");

  add_header_tests (suite);
  add_map_tests (suite);
  return run_suite (suite);
}
