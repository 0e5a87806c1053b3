/* SPDX-License-Identifier: BSD-3-Clause */
/* From L1 and L2 entries of QCOW2 images to intervals: each kind of entry
 * and each rule that one can break.  Extended entries, external data files
 * and random maps have their own suites.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "map-model.h"
#include "qcow2-check.h"
#include "qcow2-image.h"
#include "support.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])

#define MB (UINT64_C (1) << 20)
#define NONE VDISK_NO_HOST_OFFSET
#define COPIED QCOW2_COPIED
#define ZERO QCOW2_ZERO

#define C UINT64_C (65536)      /* the size of most clusters here */

/* Where the first L2 table and the first data cluster of such images are. */
#define L2_TABLE (2 * C)
#define DATA (3 * C)

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

START_TEST (test_unallocated)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 600 * MB, 0);
  check_map (&image, 0, 600 * MB, "hole 0+629145600");
  check_map (&image, 1, 512 * MB, "hole 1+536870912");
  qcow2_image_set (&image, 513 * MB, 0);        /* an empty L2 table */
  check_map (&image, 0, 600 * MB, "hole 0+629145600");
  check_map (&image, 600 * MB - 1, 1, "hole 629145599+1");
  check_map (&image, 600 * MB, 0, "");
  qcow2_image_free (&image);
}
END_TEST

START_TEST (test_data)
{
  struct qcow2_image image;
  unsigned version;

  for (version = 2; version <= 3; ++version) {
    qcow2_image_init (&image, version, 16, 10 * C, 0);
    ck_assert_uint_eq (qcow2_image_add_data (&image, 2 * C), DATA);
    check_map (&image, 0, 10 * C, "hole 0+131072, data 131072+65536@196608, "
               "hole 196608+458752");
    check_map (&image, 2 * C + 1, C, "data 131073+65535@196609, "
               "hole 196608+1");
    check_map (&image, 3 * C - 1, 1, "data 196607+1@262143");
    /* COPIED says nothing of the data. */
    qcow2_image_set (&image, 2 * C, DATA);
    check_map (&image, 2 * C, C, "data 131072+65536@196608");
    qcow2_image_free (&image);
  }
}
END_TEST

/* Host clusters that follow each other make one interval, others don't. */
START_TEST (test_merging)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 10 * C, 0);
  qcow2_image_set (&image, 0, (DATA + 0 * C) | COPIED);
  qcow2_image_set (&image, 1 * C, DATA + 1 * C);
  qcow2_image_set (&image, 2 * C, (DATA + 2 * C) | COPIED);
  qcow2_image_set (&image, 3 * C, DATA + 4 * C);
  qcow2_image_set (&image, 4 * C, DATA + 3 * C);
  qcow2_image_set (&image, 5 * C, DATA + 3 * C);
  qcow2_image_append (&image, 5 * C);
  check_map (&image, 0, 10 * C, "data 0+196608@196608, "
             "data 196608+65536@458752, data 262144+65536@393216, "
             "data 327680+65536@393216, hole 393216+262144");
  qcow2_image_free (&image);
}
END_TEST

/* COPIED without an offset is no cluster, and nothing goes on from it. */
START_TEST (test_copied_alone)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 10 * C, 0);
  qcow2_image_set (&image, 0, COPIED);
  qcow2_image_set (&image, C, C | COPIED);
  qcow2_image_set (&image, 2 * C, (2 * C) | COPIED);
  qcow2_image_set (&image, 3 * C, COPIED);
  check_map (&image, 0, 5 * C, "hole 0+65536, data 65536+131072@65536, "
             "hole 196608+131072");
  qcow2_image_free (&image);
}
END_TEST

/* Across L2 tables too. */
START_TEST (test_merging_across_tables)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 9, 3 * 32768, 0);
  qcow2_image_l2 (&image, 0);
  qcow2_image_l2 (&image, 32768);
  ck_assert_uint_eq (qcow2_image_add_data (&image, 32768 - 512), 2048);
  ck_assert_uint_eq (qcow2_image_add_data (&image, 32768), 2560);
  check_map (&image, 0, 3 * 32768, "hole 0+32256, data 32256+1024@2048, "
             "hole 33280+65024");
  qcow2_image_free (&image);
}
END_TEST

/* A zero cluster may have space, of which the map then knows. */
START_TEST (test_zero)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 10 * C, 0);
  qcow2_image_set (&image, 1 * C, ZERO);
  qcow2_image_set (&image, 2 * C, ZERO);
  check_map (&image, 0, 10 * C, "hole 0+65536, zero 65536+131072, "
             "hole 196608+458752");
  check_map (&image, 2 * C - 1, 2, "zero 131071+2");
  qcow2_image_free (&image);
}
END_TEST

START_TEST (test_zero_with_space)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 10 * C, 0);
  qcow2_image_set (&image, 1 * C, ZERO);
  qcow2_image_set (&image, 2 * C, DATA | ZERO | COPIED);
  qcow2_image_set (&image, 3 * C, (DATA + C) | ZERO);
  qcow2_image_set (&image, 4 * C, (DATA + 3 * C) | ZERO);
  qcow2_image_append (&image, 4 * C);
  check_map (&image, 0, 6 * C, "hole 0+65536, zero 65536+65536, "
             "zero 131072+131072@196608, zero 262144+65536@393216, "
             "hole 327680+65536");
  check_map (&image, 3 * C - 5, 7, "zero 196603+7@262139");
  qcow2_image_free (&image);
}
END_TEST

/* Nothing is read there, so it does not matter whether it exists. */
START_TEST (test_zero_beyond_end)
{
  struct qcow2_image image;
  struct layer *layer;
  struct interval_list list = { 0 };

  qcow2_image_init (&image, 3, 16, C, 0);
  qcow2_image_set (&image, 0, (C << 20) | ZERO | COPIED);
  layer = qcow2_open (&image);
  ck_assert_int_eq (layer->format->map (layer, 0, C, &list, NULL), 0);
  ck_assert_uint_eq (list.count, 1);
  ck_assert_int_eq (list.at[0].kind, VDISK_ZERO);
  interval_list_free (&list);
  layer_close (layer);
  qcow2_image_free (&image);
}
END_TEST

/* Compressed clusters: the descriptor's offset has 62 - (cluster_bits - 8)
 * bits, its sectors come on top of the one the offset is in. */

struct packed {
  unsigned cluster_bits;
  uint64_t descriptor;          /* without bit 62 */
  const char *map;              /* after "packed 0+SIZE" */
};

static const struct packed packeds[] = {
  { 9, 0x600, "@1536/512" },
  { 9, 0x601, "@1537/511" },
  { 9, 0x7ff, "@2047/1" },
  { 9, UINT64_C (1) << 61 | 0x600, "@1536/1024" },
  { 9, UINT64_C (1) << 61 | 0x7ff, "@2047/513" },
  { 10, UINT64_C (3) << 60 | 0xabc, "@2748/1860" },
  { 12, UINT64_C (1) << 58 | 0x3000, "@12288/1024" },
  { 12, UINT64_C (15) << 58 | 0x31ff, "@12799/7681" },
  { 13, UINT64_C (31) << 57 | 0x6000, "@24576/16384" },
  { 14, UINT64_C (63) << 56 | UINT64_C (0xffffffffffffff),
    "@72057594037927935/32257" },
  { 16, 0x30000, "@196608/512" },
  { 16, UINT64_C (2) << 54 | 0x30123, "@196899/1245" },
  { 16, UINT64_C (255) << 54 | UINT64_C (0x3fffffffffffff),
    "@18014398509481983/130561" },
  { 18, UINT64_C (1023) << 52 | 0xc0001, "@786433/524287" },
  { 21, UINT64_C (8191) << 49 | 0x600000, "@6291456/4194304" },
  { 21, UINT64_C (1) << 49 | UINT64_C (0x1ffffffffffff),
    "@562949953421311/513" },
};

START_TEST (test_packed)
{
  const struct packed *row = &packeds[_i];
  struct qcow2_image image;
  char map[100];
  unsigned version;

  for (version = 2; version <= 3; ++version) {
    qcow2_image_init (&image, version, row->cluster_bits,
                      UINT64_C (4) << row->cluster_bits, 0);
    qcow2_image_set (&image, 0, QCOW2_COMPRESSED | row->descriptor);
    qcow2_image_append (&image, 4 * image.cluster_size);
    snprintf (map, sizeof map, "packed 0+%" PRIu64 "%s",
              image.cluster_size, row->map);
    check_map (&image, 0, image.cluster_size, map);
    /* A part of it has the whole stream. */
    snprintf (map, sizeof map, "packed 100+200%s", row->map);
    check_map (&image, 100, 200, map);
    qcow2_image_free (&image);
  }
}
END_TEST

/* Clusters up to 8 KiB leave room for offsets of more than 56 bits, which
 * must not be used. */
START_TEST (test_packed_high_offset)
{
  struct qcow2_image image;
  char message[200];
  unsigned bits, high;

  for (bits = 9; bits < 14; ++bits)
    for (high = 56; high < 62 - (bits - 8); ++high) {
      uint64_t entry = QCOW2_COMPRESSED | UINT64_C (1) << high | 0x4000;

      qcow2_image_init (&image, 3, bits, UINT64_C (1) << bits, 0);
      qcow2_image_set (&image, 0, entry);
      snprintf (message, sizeof message, "disk.qcow2: L2 table: entry "
                "0x%016" PRIx64 " for guest offset 0 has reserved bits set",
                entry);
      check_error (&image, 0, UINT64_C (1) << bits, "", message);
      qcow2_image_free (&image);
    }
}
END_TEST

/* Compressed clusters never merge, not even if two are the same stream:
 * each is a cluster of its own. */
START_TEST (test_packed_neighbours)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 4 * C, 0);
  qcow2_image_set (&image, 0, QCOW2_COMPRESSED | 0x30000);
  qcow2_image_set (&image, C, QCOW2_COMPRESSED | 0x30200);
  qcow2_image_append (&image, C);
  check_map (&image, 0, 4 * C, "packed 0+65536@196608/512, "
             "packed 65536+65536@197120/512, hole 131072+131072");
  qcow2_image_free (&image);
}
END_TEST

START_TEST (test_packed_twice)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 4 * C, 0);
  qcow2_image_set (&image, 0, QCOW2_COMPRESSED | 0x30000);
  qcow2_image_set (&image, C, QCOW2_COMPRESSED | 0x30000);
  qcow2_image_append (&image, C);
  check_map (&image, 0, 4 * C, "packed 0+65536@196608/512, "
             "packed 65536+65536@196608/512, hole 131072+131072");
  qcow2_image_free (&image);
}
END_TEST

/* Entries that break a rule: everything before them is mapped. */

struct bad_entry {
  uint64_t entry;
  const char *rule;
};

#define RESERVED "has reserved bits set"
#define UNALIGNED "has an offset that is not cluster-aligned"

static const struct bad_entry bad_entries[] = {
  { DATA | 1 << 1, RESERVED },
  { DATA | 1 << 8, RESERVED },
  { 1 << 4, RESERVED },
  { ZERO | 1 << 3, RESERVED },
  { DATA | UINT64_C (1) << 56, RESERVED },
  { DATA | UINT64_C (1) << 61, RESERVED },
  { COPIED | UINT64_C (1) << 58, RESERVED },
  { DATA | 0x3f00000000000000, RESERVED },
  { DATA | 512, UNALIGNED },
  { DATA | 32768, UNALIGNED },
  { DATA | 0x8000000000004000, UNALIGNED },
  { DATA | 1024 | ZERO, UNALIGNED },
};

/* An image whose cluster 0 is data and whose cluster 1 has this entry. */
static void
check_bad_entry (unsigned version, uint64_t entry, const char *rule)
{
  struct qcow2_image image;
  char message[200];

  qcow2_image_init (&image, version, 16, 4 * C, 0);
  qcow2_image_add_data (&image, 0);
  qcow2_image_set (&image, C, entry);
  snprintf (message, sizeof message, "disk.qcow2: L2 table: entry 0x%016"
            PRIx64 " for guest offset 65536 %s", entry, rule);
  check_error (&image, 100, 3 * C, "data 100+65436@196708", message);
  check_error (&image, C + 5, 1, "", message);
  check_map (&image, 2 * C, C, "hole 131072+65536");
  qcow2_image_free (&image);
}

START_TEST (test_bad_entry)
{
  check_bad_entry (3, bad_entries[_i].entry, bad_entries[_i].rule);
}
END_TEST

START_TEST (test_zero_in_version_2)
{
  check_bad_entry (2, ZERO, RESERVED);
  check_bad_entry (2, DATA | ZERO, RESERVED);
  check_bad_entry (2, DATA | COPIED | ZERO, RESERVED);
}
END_TEST

START_TEST (test_beyond_end)
{
  static const uint64_t offsets[] = {
    DATA + C, DATA + 2 * C, C << 20, 0x00ffffffffff0000,
  };
  struct qcow2_image image;
  char message[200];
  size_t i;

  for (i = 0; i < LEN (offsets); ++i) {
    qcow2_image_init (&image, 3, 16, 4 * C, 0);
    qcow2_image_add_data (&image, 0);
    qcow2_image_set (&image, C, offsets[i] | COPIED);
    snprintf (message, sizeof message, "disk.qcow2: L2 table: guest offset "
              "65536 is at offset %" PRIu64 ", beyond the end of the file "
              "(262144 bytes)", offsets[i]);
    check_error (&image, 0, 4 * C, "data 0+65536@196608", message);
    qcow2_image_free (&image);
  }
}
END_TEST

/* The last cluster of the file may be cut short, wherever a range in it
 * starts. */
START_TEST (test_cut_cluster)
{
  struct qcow2_image image;
  uint64_t present;

  for (present = 1; present < C; present = 3 * present + 7) {
    struct map_model model = { 0 };
    struct layer *layer;
    uint64_t offset;

    qcow2_image_init (&image, 3, 16, 4 * C, 0);
    qcow2_image_add_data (&image, C);
    image.size = DATA + present;
    map_model_add (&model, VDISK_HOLE, C, NONE);
    map_model_add (&model, VDISK_DATA, C, DATA);
    map_model_add (&model, VDISK_HOLE, 2 * C, NONE);
    layer = qcow2_open (&image);
    for (offset = 0; offset <= C + present; ++offset)
      if (offset % 4096 == 0 || offset + 2 > C + present)
        map_model_check (&model, layer, offset, 3 * C - offset);
    layer_close (layer);
    map_model_free (&model);
    qcow2_image_free (&image);
  }
}
END_TEST

START_TEST (test_tail_of_cut_cluster)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 4 * C, 0);
  qcow2_image_add_data (&image, C);
  image.size = DATA + 1000;
  check_map (&image, C + 1000, 1, "data 66536+1@197608");
  check_map (&image, C + 1001, C,
             "data 66537+64535@197609, hole 131072+1001");
  check_map (&image, 2 * C - 1, 1, "data 131071+1@262143");
  qcow2_image_free (&image);
}
END_TEST

/* L1 entries. */

static void
check_bad_l1 (uint64_t entry, const char *rule)
{
  struct qcow2_image image;
  char message[200];

  qcow2_image_init (&image, 3, 16, 1600 * MB, 0);
  *qcow2_image_l1 (&image, 1) = to_be64 (entry);
  snprintf (message, sizeof message, "disk.qcow2: L1 table: entry 1: %s",
            rule);
  check_error (&image, 4096, 1024 * MB, "hole 4096+536866816", message);
  check_error (&image, 512 * MB, 1, "", message);
  check_error (&image, 1024 * MB - 1, 1, "", message);
  check_map (&image, 1024 * MB, MB, "hole 1073741824+1048576");
  check_map (&image, 512 * MB - 1, 1, "hole 536870911+1");
  qcow2_image_free (&image);
}

START_TEST (test_bad_l1_entry)
{
  char rule[100];
  unsigned bit;

  for (bit = 0; bit < 63; ++bit) {
    uint64_t entry = UINT64_C (0x20000) | UINT64_C (1) << bit;

    if (bit >= 9 && bit < 16)
      snprintf (rule, sizeof rule, "offset 0x%" PRIx64
                " is not cluster-aligned", entry);
    else if (bit < 9 || bit >= 56)
      snprintf (rule, sizeof rule, "0x%016" PRIx64
                " has reserved bits set", entry);
    else
      continue;
    check_bad_l1 (entry, rule);
  }
  check_bad_l1 (1, "0x0000000000000001 has reserved bits set");
}
END_TEST

/* A table that is not in the file, or not as a whole: what is there of it
 * is used. */

#define NO_ENTRY(guest, at, size) "disk.qcow2: L2 table: entry for guest " \
  "offset " guest " is at offset " at ", beyond the end of the file (" size \
  " bytes)"

START_TEST (test_table_beyond_end)
{
  static const char message[] = NO_ENTRY ("536870912", "68719476736",
                                          "131072");
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, 1024 * MB, 0);
  *qcow2_image_l1 (&image, 1) = to_be64 (C << 20 | COPIED);
  check_error (&image, 0, 600 * MB, "hole 0+536870912", message);
  check_error (&image, 512 * MB, C, "", message);
  qcow2_image_free (&image);
}
END_TEST

START_TEST (test_cut_table)
{
  struct qcow2_image image;
  unsigned present;

  for (present = 0; present <= 16 * 8; ++present) {
    const unsigned entries = present / 8;
    char map[100] = "", message[200];

    qcow2_image_init (&image, 3, 16, 16 * C, 0);
    qcow2_image_set (&image, 0, ZERO);
    image.size = L2_TABLE + present;
    snprintf (map, sizeof map, "zero 0+65536%.*s", entries > 1 ? 50 : 0,
              ", hole 65536+");
    if (entries > 1)
      sprintf (map + strlen (map), "%u", (entries - 1) * (unsigned) C);
    snprintf (message, sizeof message, NO_ENTRY ("%u", "%u", "%u"),
              entries * (unsigned) C, (unsigned) L2_TABLE + entries * 8,
              (unsigned) L2_TABLE + present);
    if (entries < 16)
      check_error (&image, 0, 16 * C, entries ? map : "", message);
    else
      check_map (&image, 0, 16 * C, map);
    qcow2_image_free (&image);
  }
}
END_TEST

/* Disks that end within a cluster, and within a sector. */
START_TEST (test_odd_sizes)
{
  static const uint64_t sizes[] = { 1, 511, 513, C - 1, C + 1, 2 * C - 1 };
  struct qcow2_image image;
  size_t i;

  for (i = 0; i < LEN (sizes); ++i) {
    struct map_model model = { 0 };
    struct layer *layer;

    qcow2_image_init (&image, 3, 16, sizes[i], 0);
    qcow2_image_add_data (&image, 0);
    qcow2_image_set (&image, C, QCOW2_COMPRESSED | 0x30000);
    layer = qcow2_open (&image);
    ck_assert_uint_eq (layer->size, sizes[i]);
    map_model_add (&model, VDISK_DATA, C, DATA);
    map_model_add_packed (&model, C, 0x30000, 512);
    map_model_check (&model, layer, 0, sizes[i]);
    map_model_check (&model, layer, sizes[i] - 1, 1);
    map_model_free (&model);
    layer_close (layer);
    qcow2_image_free (&image);
  }
}
END_TEST

/* 160 tables, and so an L1 table of three clusters. */
START_TEST (test_l1_of_clusters)
{
  struct map_model model = { 0 };
  struct qcow2_image image;
  struct layer *layer;
  unsigned i;

  qcow2_image_init (&image, 3, 9, 160 * 32768 - 100, 0);
  for (i = 0; i < 160; i += 1 + i % 3) {
    map_model_add (&model, VDISK_HOLE,
                   32768 * i + 1024 * (i % 32) - model.end, NONE);
    map_model_add (&model, VDISK_DATA, 512,
                   qcow2_image_add_data (&image, model.end));
  }
  map_model_add (&model, VDISK_HOLE, 160 * 32768 - 512 - model.end, NONE);
  map_model_add (&model, VDISK_DATA, 512,
                 qcow2_image_add_data (&image, model.end));
  layer = qcow2_open (&image);
  map_model_check (&model, layer, 0, layer->size);
  map_model_check (&model, layer, 64 * 32768 - 3, 6);
  map_model_check (&model, layer, 128 * 32768 - 1, 32768);
  layer_close (layer);
  map_model_free (&model);
  qcow2_image_free (&image);
}
END_TEST

/* 64 TiB: the L1 table has 16 clusters. */
START_TEST (test_64_terabytes)
{
  const uint64_t size = 64 * MB * MB;
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 16, size, 0);
  qcow2_image_add_data (&image, size - C);
  check_map (&image, 0, size, "hole 0+70368744112128, "
             "data 70368744112128+65536@1179648");
  check_map (&image, size - 1, 1, "data 70368744177663+1@1245183");
  qcow2_image_free (&image);
}
END_TEST

static void
add_entry_tests (Suite *suite)
{
  TCase *tcase = tcase_create ("entries");

  tcase_add_test (tcase, test_unallocated);
  tcase_add_test (tcase, test_data);
  tcase_add_test (tcase, test_merging);
  tcase_add_test (tcase, test_copied_alone);
  tcase_add_test (tcase, test_merging_across_tables);
  tcase_add_test (tcase, test_zero);
  tcase_add_test (tcase, test_zero_with_space);
  tcase_add_test (tcase, test_zero_beyond_end);
  tcase_add_loop_test (tcase, test_packed, 0, LEN (packeds));
  tcase_add_test (tcase, test_packed_high_offset);
  tcase_add_test (tcase, test_packed_neighbours);
  tcase_add_test (tcase, test_packed_twice);
  tcase_add_loop_test (tcase, test_bad_entry, 0, LEN (bad_entries));
  tcase_add_test (tcase, test_zero_in_version_2);
  tcase_add_test (tcase, test_beyond_end);
  tcase_add_test (tcase, test_cut_cluster);
  tcase_add_test (tcase, test_tail_of_cut_cluster);
  suite_add_tcase (suite, tcase);
}

static void
add_table_tests (Suite *suite)
{
  TCase *tcase = tcase_create ("tables");

  tcase_add_test (tcase, test_bad_l1_entry);
  tcase_add_test (tcase, test_table_beyond_end);
  tcase_add_test (tcase, test_cut_table);
  tcase_add_test (tcase, test_odd_sizes);
  tcase_add_test (tcase, test_l1_of_clusters);
  tcase_add_test (tcase, test_64_terabytes);
  suite_add_tcase (suite, tcase);
}

int
main (void)
{
  Suite *suite = suite_create ("qcow2-map");

  add_entry_tests (suite);
  add_table_tests (suite);
  return run_suite (suite);
}
