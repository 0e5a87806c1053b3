/* SPDX-License-Identifier: BSD-3-Clause */
/* The check of QCOW2 images: a right image, one lie, what is found.  And
 * that it does not matter how much of the file is looked at at a time.
 */

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check-report.h"
#include "format/format.h"
#include "format/qcow2/refcount.h"
#include "format/qcow2/driver.h"
#include "qcow2-image.h"
#include "random.h"
#include "source/memory.h"
#include "support.h"

#define ZERO_ENTRY UINT64_C (1)

/* --- What is found ----------------------------------------------------- */

#define FINDINGS_MAX 4096

struct found {
  size_t count;
  char *texts[FINDINGS_MAX];
  struct vdisk_check check;
  uint64_t done, total;         /* of the last progress */
  unsigned stop_after;          /* reports of progress; 0: never */
  unsigned reports;
};

static void
take_finding (void *opaque, enum vdisk_finding finding, const char *message)
{
  static const char *const names[] = { "error", "leak", "warning" };
  struct found *found = opaque;
  char *text;

  ck_assert_uint_lt (found->count, FINDINGS_MAX);
  ck_assert_int_ne (asprintf (&text, "%s: %s", names[finding], message),
                    -1);
  found->texts[found->count++] = text;
}

static int
take_progress (void *opaque, uint64_t done, uint64_t total)
{
  struct found *found = opaque;

  ck_assert_uint_le (done, total);
  if (found->reports++ > 0)
    ck_assert ((double) done / total >=
               (double) found->done / found->total);
  found->done = done;
  found->total = total;
  return found->reports == found->stop_after;
}

static struct check_report
start_finder (struct found *found)
{
  return (struct check_report) {
    .check = &found->check, .finding_callback = take_finding,
    .progress_callback = take_progress, .opaque = found,
  };
}

static void
free_found (struct found *found)
{
  size_t i;

  for (i = 0; i < found->count; ++i)
    free (found->texts[i]);
  found->count = 0;
}

static struct layer *
open_image (const struct qcow2_image *image)
{
  struct vdisk_error error = { 0 };
  struct layer *layer = open_layer_bytes (&format_qcow2, "a.qcow2",
                                          image->bytes, image->size, NULL,
                                          &error);

  ck_assert_msg (layer != NULL, "%s", error.message);
  return layer;
}

static void
check_in_windows (const struct qcow2_image *image, unsigned window_bits,
                  size_t l2_list_max, struct found *found)
{
  struct layer *layer = open_image (image);
  struct check_report report = start_finder (found);
  struct vdisk_error error = { 0 };

  ck_assert_msg (qcow2_check_in_windows (layer, &report, window_bits,
                                         l2_list_max, &error) == 0,
                 "%s", error.message);
  layer_close (layer);
}

static void
check_image (const struct qcow2_image *image, struct found *found)
{
  struct layer *layer = open_image (image);
  struct check_report report = start_finder (found);
  struct vdisk_error error = { 0 };

  memset (found, 0, sizeof *found);
  ck_assert_msg (layer->format->check (layer, &report, &error) == 0,
                 "%s", error.message);
  ck_assert_uint_eq (found->done, found->total);
  layer_close (layer);
}

/* --- Images with refcounts --------------------------------------------- */

/* Where add_refcounts has put the one block. */
static uint64_t
block_offset (const struct qcow2_image *image)
{
  const struct qcow2_header *header = qcow2_image_header (image);
  be64 entry;

  memcpy (&entry, image->bytes + get_be64 (header->refcount_table_offset),
          sizeof entry);
  return get_be64 (entry) & ~UINT64_C (0x1ff);
}

static unsigned
refcount_order (const struct qcow2_image *image)
{
  const struct qcow2_header *header = qcow2_image_header (image);

  return get_be32 (header->version) < 3 ? 4
    : get_be32 (header->refcount_order);
}

static void
set_refcount (const struct qcow2_image *image, uint64_t cluster,
              uint64_t refcount)
{
  const unsigned bits = 1 << refcount_order (image);
  uint8_t *block = image->bytes + block_offset (image);
  unsigned i;

  for (i = 0; i < bits; ++i) {
    /* Bit i of the number: numbers of some bytes are big-endian. */
    const uint64_t at = bits < 8 ? cluster * bits + i
      : cluster * bits + (bits - 8 - i / 8 * 8) + i % 8;

    block[at / 8] &= ~(1 << at % 8);
    block[at / 8] |= (refcount >> i & 1) << at % 8;
  }
}

/* Add a refcount table and a block, last of all, in which every cluster
 * has one reference. */
static void
add_refcounts (struct qcow2_image *image)
{
  struct qcow2_header *header = qcow2_image_header (image);
  const uint64_t table = qcow2_image_append (image, image->cluster_size);
  const uint64_t block = qcow2_image_append (image, image->cluster_size);
  const be64 entry = to_be64 (block);
  uint64_t cluster;

  ck_assert_uint_le (image->size / image->cluster_size << refcount_order
                     (image), image->cluster_size * 8);
  header->refcount_table_offset = to_be64 (table);
  header->refcount_table_clusters = to_be32 (1);
  memcpy (image->bytes + table, &entry, sizeof entry);
  for (cluster = 0; cluster < image->size / image->cluster_size; ++cluster)
    set_refcount (image, cluster, 1);
}

/* The image that the lies are told in: clusters of 4 KiB; header, L1 table,
 * L2 table at 0x2000, data at 0x3000 to 0x5000, a zero cluster with an
 * offset at 0x6000, two compressed clusters in 0x7000, refcount table at
 * 0x8000 and block at 0x9000. */
#define L1 0x1000
#define L2 0x2000
#define DATA 0x3000
#define RESERVED_ZERO 0x6000
#define PACKED 0x7000
#define REFCOUNT_TABLE 0x8000
#define REFCOUNT_BLOCK 0x9000

static void
make_plain (struct qcow2_image *image, unsigned version)
{
  uint64_t packed;
  unsigned i;

  qcow2_image_init (image, version, 12, 64 << 12, 0);
  for (i = 0; i < 3; ++i)
    qcow2_image_add_data (image, i << 12);
  if (version >= 3) {
    const uint64_t zero = qcow2_image_append (image, image->cluster_size);

    qcow2_image_set (image, 3 << 12, zero | QCOW2_COPIED | ZERO_ENTRY);
    qcow2_image_set (image, 4 << 12, ZERO_ENTRY);
  }
  packed = qcow2_image_append (image, image->cluster_size);
  qcow2_image_set (image, 5 << 12,
                   qcow2_image_packed (image, packed, 700));
  qcow2_image_set (image, 6 << 12,
                   qcow2_image_packed (image, packed + 700, 800));
  add_refcounts (image);
  set_refcount (image, packed / image->cluster_size, 2);
}

static void
put (const struct qcow2_image *image, uint64_t at, uint64_t value)
{
  const be64 disk = to_be64 (value);

  memcpy (image->bytes + at, &disk, sizeof disk);
}

static uint64_t
get (const struct qcow2_image *image, uint64_t at)
{
  be64 disk;

  memcpy (&disk, image->bytes + at, sizeof disk);
  return get_be64 (disk);
}

START_TEST (right_images)
{
  const unsigned version = _i;
  struct qcow2_image image;
  struct found found;

  make_plain (&image, version);
  check_image (&image, &found);
  ck_assert_uint_eq (found.count, 0);
  ck_assert_uint_eq (found.check.errors, 0);
  ck_assert_uint_eq (found.check.leaks, 0);
  ck_assert_uint_eq (found.check.total_clusters, 64);
  ck_assert_uint_eq (found.check.allocated_clusters, version >= 3 ? 6 : 5);
  ck_assert_uint_eq (found.check.compressed_clusters, 2);
  ck_assert_uint_eq (found.check.fragmented_clusters, 2);
  ck_assert_uint_eq (found.check.image_end_offset, image.size);
  qcow2_image_free (&image);
}
END_TEST

START_TEST (empty_disk)
{
  struct qcow2_image image;
  struct found found;

  qcow2_image_init (&image, 3, 16, 0, 0);
  add_refcounts (&image);
  check_image (&image, &found);
  ck_assert_uint_eq (found.count, 0);
  ck_assert_uint_eq (found.check.total_clusters, 0);
  qcow2_image_free (&image);
}
END_TEST

/* Every width of refcounts, at clusters that share bytes. */
START_TEST (refcount_widths)
{
  const unsigned order = _i;
  const uint64_t max = UINT64_MAX >> (64 - (1 << order));
  struct qcow2_image image;
  struct found found;
  char text[200];

  qcow2_image_init (&image, 3, 12, 64 << 12, 0);
  qcow2_image_header (&image)->refcount_order = to_be32 (order);
  qcow2_image_add_data (&image, 0);
  qcow2_image_append (&image, 9 * image.cluster_size);
  add_refcounts (&image);
  set_refcount (&image, 3, 0);
  set_refcount (&image, 4, max);
  set_refcount (&image, 5, 0);
  set_refcount (&image, 6, max / 2 + 1);
  set_refcount (&image, 7, 0);
  set_refcount (&image, 8, 0);
  set_refcount (&image, 9, max);
  set_refcount (&image, 10, max);
  set_refcount (&image, 11, 0);
  set_refcount (&image, 12, 0);
  check_image (&image, &found);

  ck_assert_uint_eq (found.check.errors, 2);
  ck_assert_uint_eq (found.check.leaks, 4);
  ck_assert_uint_eq (found.count, 5);
  ck_assert_str_eq (found.texts[0], "error: L2 table at 0x2000: entry 0 for "
                    "guest offset 0 is 0x8000000000003000: COPIED is set, "
                    "but the refcount of the cluster at 0x3000 is 0");
  ck_assert_str_eq (found.texts[1], "error: host cluster 3 (0x3000 to "
                    "0x3fff): refcount 0, but 1 reference");
  snprintf (text, sizeof text, "leak: host cluster 4 (0x4000 to 0x4fff): "
            "refcount %" PRIu64 ", but 0 references", max);
  ck_assert_str_eq (found.texts[2], text);
  snprintf (text, sizeof text, "leak: host cluster 6 (0x6000 to 0x6fff): "
            "refcount %" PRIu64 ", but 0 references", max / 2 + 1);
  ck_assert_str_eq (found.texts[3], text);
  snprintf (text, sizeof text, "leak: host clusters 9 to 10 (0x9000 to "
            "0xafff): refcount %" PRIu64 ", but 0 references", max);
  ck_assert_str_eq (found.texts[4], text);
  free_found (&found);
  qcow2_image_free (&image);
}
END_TEST

/* --- Lies -------------------------------------------------------------- */

struct lie {
  unsigned version;
  void (*tell) (struct qcow2_image *image);
  const char *findings[4];
  unsigned errors, leaks;       /* if not one for each finding */
};

static void
say_l1_misaligned (struct qcow2_image *image)
{
  put (image, L1, get (image, L1) | 0x200);
  /* Zeros, so that nothing is found in it. */
  memset (image->bytes + L2, 0, 0x1000);
  memset (image->bytes + DATA, 0, 0x1000);
}

static void
say_l1_reserved (struct qcow2_image *image)
{
  put (image, L1, get (image, L1) | 4 | UINT64_C (1) << 56);
}

static void
say_l1_flags_only (struct qcow2_image *image)
{
  put (image, L1, QCOW2_COPIED);
}

static void
say_l1_not_copied (struct qcow2_image *image)
{
  put (image, L1, L2);
}

static void
say_l1_outside (struct qcow2_image *image)
{
  put (image, L1, 0x20000 | QCOW2_COPIED);
}

static void
say_entry_misaligned (struct qcow2_image *image)
{
  put (image, L2, (DATA + 0x200) | QCOW2_COPIED);
}

static void
say_entry_reserved (struct qcow2_image *image)
{
  put (image, L2, DATA | QCOW2_COPIED | 2);
}

static void
say_entry_outside (struct qcow2_image *image)
{
  put (image, L2, 0x20000);
}

static void
say_entry_beyond_all (struct qcow2_image *image)
{
  put (image, L2, UINT64_C (0x00fffffffffff000) | QCOW2_COPIED);
}

static void
say_entry_twice (struct qcow2_image *image)
{
  put (image, L2 + 8, DATA | QCOW2_COPIED);
}

static void
say_entry_is_l1 (struct qcow2_image *image)
{
  put (image, L2, L1 | QCOW2_COPIED);
}

static void
say_entry_is_metadata_by_the_book (struct qcow2_image *image)
{
  put (image, L2, L1);
  set_refcount (image, L1 >> 12, 2);
  set_refcount (image, DATA >> 12, 0);
}

static void
say_entry_not_copied (struct qcow2_image *image)
{
  put (image, L2, DATA);
}

static void
say_entry_copied (struct qcow2_image *image)
{
  set_refcount (image, DATA >> 12, 2);
}

static void
say_zero_copied (struct qcow2_image *image)
{
  put (image, L2 + 3 * 8, RESERVED_ZERO | ZERO_ENTRY);
}

static void
say_zero_in_version_2 (struct qcow2_image *image)
{
  put (image, L2, DATA | QCOW2_COPIED | ZERO_ENTRY);
}

static void
say_packed_copied (struct qcow2_image *image)
{
  put (image, L2 + 5 * 8, get (image, L2 + 5 * 8) | QCOW2_COPIED);
}

static void
say_packed_into_next (struct qcow2_image *image)
{
  put (image, L2 + 5 * 8,
       qcow2_image_packed (image, PACKED + 0xff0, 700));
}

static void
say_packed_outside (struct qcow2_image *image)
{
  put (image, L2 + 5 * 8, qcow2_image_packed (image, 0x20000, 700));
}

static void
say_no_refcounts (struct qcow2_image *image)
{
  qcow2_image_header (image)->refcount_table_clusters = to_be32 (0);
  memset (image->bytes + L1, 0, 8);
}

static void
say_refcount_table_misaligned (struct qcow2_image *image)
{
  qcow2_image_header (image)->refcount_table_offset = to_be64 (0x8200);
}

static void
say_refcount_table_large (struct qcow2_image *image)
{
  qcow2_image_header (image)->refcount_table_clusters = to_be32 (2049);
}

static void
say_block_reserved (struct qcow2_image *image)
{
  put (image, REFCOUNT_TABLE, REFCOUNT_BLOCK | 1);
}

static void
say_block_misaligned (struct qcow2_image *image)
{
  put (image, REFCOUNT_TABLE, REFCOUNT_BLOCK | 0x200);
}

static void
say_block_unreadable (struct qcow2_image *image)
{
  put (image, REFCOUNT_TABLE, UINT64_C (1) << 63);
}

static void
say_block_twice (struct qcow2_image *image)
{
  put (image, REFCOUNT_TABLE + 8, REFCOUNT_BLOCK);
}

static void
say_dirty (struct qcow2_image *image)
{
  qcow2_image_header (image)->incompatible_features =
    to_be64 (QCOW2_DIRTY | QCOW2_CORRUPT);
}

static void
say_cut_short (struct qcow2_image *image)
{
  const uint64_t data = qcow2_image_add_data (image, 7 << 12);

  set_refcount (image, data >> 12, 1);
  image->size -= 0xfff;
}

/* The L2 table moves to the end of the file, which then lacks a byte. */
static void
say_l2_cut_short (struct qcow2_image *image)
{
  const uint64_t l2 = qcow2_image_append (image, 0x1000);

  memcpy (image->bytes + l2, image->bytes + L2, 0x1000);
  *qcow2_image_l1 (image, 0) = to_be64 (l2 | QCOW2_COPIED);
  set_refcount (image, L2 >> 12, 0);
  set_refcount (image, l2 >> 12, 1);
  image->size--;
}

static const struct lie lies[] = {
  { 3, say_l1_misaligned, {
    "error: L1 table at 0x1000: entry 0 is 0x8000000000002200: the offset "
    "is not cluster-aligned",
    "leak: host clusters 4 to 6 (0x4000 to 0x6fff): refcount 1, but 0 "
    "references",
    "leak: host cluster 7 (0x7000 to 0x7fff): refcount 2, but 0 references",
    }, 1, 4 },
  { 3, say_l1_reserved, {
    "error: L1 table at 0x1000: entry 0 is 0x8100000000002004: reserved "
    "bits are set" }, 0, 0 },
  { 3, say_l1_flags_only, {
    "error: L1 table at 0x1000: entry 0 is 0x8000000000000000: flags are "
    "set, but there is no offset",
    "leak: host clusters 2 to 6 (0x2000 to 0x6fff): refcount 1, but 0 "
    "references",
    "leak: host cluster 7 (0x7000 to 0x7fff): refcount 2, but 0 "
    "references" }, 1, 6 },
  { 3, say_l1_not_copied, {
    "error: L2 table at 0x2000 for guest offset 0: COPIED is not set, but "
    "the refcount of the cluster at 0x2000 is 1" }, 0, 0 },
  { 3, say_l1_outside, {
    "error: L2 table at 0x20000 for guest offset 0: 4096 bytes at 0x20000 "
    "reach beyond the end of the file (40960 bytes)",
    "error: L2 table at 0x20000 for guest offset 0: COPIED is set, but the "
    "refcount of the cluster at 0x20000 is 0",
    "leak: host clusters 2 to 6 (0x2000 to 0x6fff): refcount 1, but 0 "
    "references",
    "leak: host cluster 7 (0x7000 to 0x7fff): refcount 2, but 0 "
    "references" }, 2, 6 },
  { 3, say_entry_misaligned, {
    "error: L2 table at 0x2000: entry 0 for guest offset 0 is "
    "0x8000000000003200: the offset is not cluster-aligned",
    "error: host cluster 4 (0x4000 to 0x4fff): refcount 1, but 2 "
    "references" }, 0, 0 },
  { 3, say_entry_reserved, {
    "error: L2 table at 0x2000: entry 0 for guest offset 0 is "
    "0x8000000000003002: reserved bits are set" }, 0, 0 },
  { 3, say_entry_outside, {
    "error: L2 table at 0x2000: entry 0 for guest offset 0 is "
    "0x0000000000020000: 4096 bytes at 0x20000 reach beyond the end of the "
    "file (40960 bytes)",
    "leak: host cluster 3 (0x3000 to 0x3fff): refcount 1, but 0 "
    "references" }, 0, 0 },
  { 3, say_entry_beyond_all, {
    "error: L2 table at 0x2000: entry 0 for guest offset 0 is "
    "0x80fffffffffff000: 4096 bytes at 0xfffffffffff000 reach beyond the "
    "end of the file (40960 bytes)",
    "error: L2 table at 0x2000: entry 0 for guest offset 0 is "
    "0x80fffffffffff000: COPIED is set, but the refcount of the cluster at "
    "0xfffffffffff000 is 0",
    "leak: host cluster 3 (0x3000 to 0x3fff): refcount 1, but 0 "
    "references" }, 0, 0 },
  { 3, say_entry_twice, {
    "error: host cluster 3 (0x3000 to 0x3fff): refcount 1, but 2 "
    "references",
    "leak: host cluster 4 (0x4000 to 0x4fff): refcount 1, but 0 "
    "references" }, 0, 0 },
  { 3, say_entry_is_l1, {
    "error: L2 table at 0x2000: entry 0 for guest offset 0 is "
    "0x8000000000001000: the cluster at 0x1000 holds other metadata",
    "leak: host cluster 3 (0x3000 to 0x3fff): refcount 1, but 0 "
    "references" }, 0, 0 },
  { 3, say_entry_is_metadata_by_the_book, {
    "error: L2 table at 0x2000: entry 0 for guest offset 0 is "
    "0x0000000000001000: the cluster at 0x1000 holds other metadata",
    }, 0, 0 },
  { 3, say_entry_not_copied, {
    "error: L2 table at 0x2000: entry 0 for guest offset 0 is "
    "0x0000000000003000: COPIED is not set, but the refcount of the cluster "
    "at 0x3000 is 1" }, 0, 0 },
  { 3, say_entry_copied, {
    "error: L2 table at 0x2000: entry 0 for guest offset 0 is "
    "0x8000000000003000: COPIED is set, but the refcount of the cluster at "
    "0x3000 is 2",
    "leak: host cluster 3 (0x3000 to 0x3fff): refcount 2, but 1 "
    "reference" }, 0, 0 },
  { 3, say_zero_copied, {
    "error: L2 table at 0x2000: entry 3 for guest offset 12288 is "
    "0x0000000000006001: COPIED is not set, but the refcount of the cluster "
    "at 0x6000 is 1" }, 0, 0 },
  { 2, say_zero_in_version_2, {
    "error: L2 table at 0x2000: entry 0 for guest offset 0 is "
    "0x8000000000003001: the zero flag is set in a version 2 image",
    }, 0, 0 },
  { 3, say_packed_copied, {
    "error: L2 table at 0x2000: entry 5 for guest offset 20480 is "
    "0xc400000000007000: COPIED is set for a compressed cluster" }, 0, 0 },
  { 3, say_packed_into_next, {
    "error: L2 table at 0x2000: entry 5 for guest offset 20480 is "
    "0x4800000000007ff0: the cluster at 0x8000 holds other metadata",
    }, 0, 0 },
  { 3, say_packed_outside, {
    "error: L2 table at 0x2000: entry 5 for guest offset 20480 is "
    "0x4400000000020000: 1024 bytes at 0x20000 reach beyond the end of the "
    "file (40960 bytes)",
    "leak: host cluster 7 (0x7000 to 0x7fff): refcount 2, but 1 "
    "reference" }, 0, 0 },
  { 3, say_no_refcounts, {
    "warning: header: there is no refcount table, so all refcounts are 0",
    "error: host clusters 0 to 1 (0x0 to 0x1fff): refcount 0, but 1 "
    "reference" }, 2, 0 },
  { 3, say_refcount_table_misaligned, {
    "error: refcount table at 0x8200: the offset is not cluster-aligned",
    }, 0, 0 },
  { 3, say_refcount_table_large, {
    "error: refcount table at 0x8000: 2049 clusters are 8392704 bytes, must "
    "be at most 8388608" }, 0, 0 },
  { 3, say_block_reserved, {
    "error: refcount table at 0x8000: entry 0 is 0x0000000000009001: "
    "reserved bits are set",
    "leak: host cluster 9 (0x9000 to 0x9fff): refcount 1, but 0 "
    "references" }, 0, 0 },
  { 3, say_block_misaligned, {
    "error: refcount table at 0x8000: entry 0 is 0x0000000000009200: the "
    "offset is not cluster-aligned" }, 0, 0 },
  { 3, say_block_unreadable, {
    "error: refcount table at 0x8000: entry 0 is 0x8000000000000000: the "
    "offset is beyond the end of the file" }, 0, 0 },
  { 3, say_block_twice, {
    "error: refcount table at 0x8000: entry 1 is 0x0000000000009000: the "
    "refcount block has 2 references, must have only this one",
    "error: host cluster 9 (0x9000 to 0x9fff): refcount 1, but 2 "
    "references" }, 0, 0 },
  { 3, say_dirty, {
    "warning: header: the image is marked dirty (incompatible feature bit "
    "0): its refcounts may be out of date",
    "warning: header: the image is marked corrupt (incompatible feature "
    "bit 1)" }, 0, 0 },
  { 3, say_cut_short, { NULL }, 0, 0 },
  { 3, say_l2_cut_short, {
    "error: L2 table at 0xa000 for guest offset 0: the table is cut short "
    "by the end of the file (45055 bytes)" }, 0, 0 },
};

START_TEST (single_lies)
{
  const struct lie *lie = &lies[_i];
  struct qcow2_image image;
  struct found found;
  unsigned errors = 0, leaks = 0;
  size_t i;

  make_plain (&image, lie->version);
  lie->tell (&image);
  check_image (&image, &found);
  for (i = 0; i < found.count; ++i) {
    ck_assert_msg (i < 4 && lie->findings[i] != NULL, "also found: %s",
                   found.texts[i]);
    ck_assert_str_eq (found.texts[i], lie->findings[i]);
    errors += found.texts[i][0] == 'e';
    leaks += found.texts[i][0] == 'l';
  }
  ck_assert_msg (i == 4 || lie->findings[i] == NULL, "not found: %s",
                 lie->findings[i]);
  if (lie->errors + lie->leaks > 0) {
    errors = lie->errors;
    leaks = lie->leaks;
  }
  ck_assert_uint_eq (found.check.errors, errors);
  ck_assert_uint_eq (found.check.leaks, leaks);
  free_found (&found);
  qcow2_image_free (&image);
}
END_TEST

/* Of a table said to be large, memory is for what the file has of it. */
START_TEST (refcount_table_beyond_the_end)
{
  static uint8_t bytes[4096 + 13];
  struct source *source = source_memory ("a", bytes, sizeof bytes);
  struct qcow2_refcounts refcounts;
  uint64_t offset;

  bytes[4096 + 6] = 2;                  /* entry 0: a block at 512 */
  bytes[4096 + 8] = 1;                  /* entry 1, cut short: at 2^56 */
  ck_assert_int_eq (qcow2_refcounts_open (&refcounts, source, 9, 4, 4096,
                                          1 << 20, NULL), 0);
  ck_assert_uint_eq (refcounts.entries, 2);
  ck_assert_int_eq (qcow2_refcounts_block (&refcounts, 0, &offset),
                    QCOW2_BLOCK_FINE);
  ck_assert_uint_eq (offset, 512);
  ck_assert_int_eq (qcow2_refcounts_block (&refcounts, 1, &offset),
                    QCOW2_BLOCK_OUTSIDE);
  ck_assert_int_eq (qcow2_refcounts_block (&refcounts, 2, &offset),
                    QCOW2_BLOCK_NONE);
  qcow2_refcounts_close (&refcounts);
  source_close (source);
}
END_TEST

/* --- Features ---------------------------------------------------------- */

START_TEST (extended_entries)
{
  struct qcow2_image image;
  struct found found;

  qcow2_image_init (&image, 3, 14, 64 << 14, QCOW2_EXTENDED_L2);
  qcow2_image_add_data (&image, 0);
  qcow2_image_add_data (&image, 1 << 14);
  qcow2_image_set_extended (&image, 2 << 14, 0, UINT64_C (5) << 32);
  add_refcounts (&image);
  check_image (&image, &found);
  ck_assert_uint_eq (found.count, 0);
  ck_assert_uint_eq (found.check.allocated_clusters, 2);

  qcow2_image_l2 (&image, 0)[1] = to_be64 (UINT64_C (0x300000002));
  qcow2_image_set_extended (&image, 2 << 14, 0, 0x80);
  qcow2_image_set_extended (&image, 3 << 14,
                            qcow2_image_packed (&image, 0xc000, 100), 1);
  qcow2_image_set_extended (&image, 1 << 14, 0x10000 | QCOW2_COPIED | 1, 1);
  check_image (&image, &found);
  ck_assert_uint_eq (found.count, 4);
  ck_assert_str_eq (found.texts[0], "error: L2 table at 0x8000: entry 0 for "
                    "guest offset 0 is 0x800000000000c000: subclusters are "
                    "both allocated and zero (0x0000000300000002)");
  ck_assert_str_eq (found.texts[1], "error: L2 table at 0x8000: entry 1 for "
                    "guest offset 16384 is 0x8000000000010001: the zero "
                    "flag is set in an extended entry");
  ck_assert_str_eq (found.texts[2], "error: L2 table at 0x8000: entry 2 for "
                    "guest offset 32768 is 0x0000000000000000: subclusters "
                    "are allocated (0x0000000000000080), but there is no "
                    "cluster");
  ck_assert_str_eq (found.texts[3], "error: L2 table at 0x8000: entry 3 for "
                    "guest offset 49152 is 0x400000000000c000: the cluster "
                    "is compressed, but has subclusters "
                    "(0x0000000000000001)");
  free_found (&found);
  qcow2_image_free (&image);
}
END_TEST

START_TEST (external_data)
{
  struct qcow2_image image;
  struct found found;

  qcow2_image_init (&image, 3, 12, 64 << 12, QCOW2_EXTERNAL_DATA);
  qcow2_image_set (&image, 0, QCOW2_COPIED);
  qcow2_image_set (&image, 1 << 12, QCOW2_COPIED | 1 << 12);
  qcow2_image_set (&image, 2 << 12, QCOW2_COPIED | ZERO_ENTRY);
  qcow2_image_set (&image, 63 << 12, QCOW2_COPIED | 63 << 12);
  add_refcounts (&image);
  check_image (&image, &found);
  ck_assert_uint_eq (found.count, 0);
  ck_assert_uint_eq (found.check.allocated_clusters, 3);
  ck_assert_uint_eq (found.check.fragmented_clusters, 1);

  qcow2_image_set (&image, 1 << 12, QCOW2_COPIED | 5 << 12);
  qcow2_image_set (&image, 2 << 12, 2 << 12);
  qcow2_image_set (&image, 3 << 12, QCOW2_COMPRESSED);
  check_image (&image, &found);
  ck_assert_uint_eq (found.count, 3);
  ck_assert_str_eq (found.texts[0], "error: L2 table at 0x2000: entry 1 for "
                    "guest offset 4096 is 0x8000000000005000: the offset in "
                    "the external data file must be the guest offset");
  ck_assert_str_eq (found.texts[1], "error: L2 table at 0x2000: entry 2 for "
                    "guest offset 8192 is 0x0000000000002000: COPIED is not "
                    "set, as it must be with an external data file");
  ck_assert_str_eq (found.texts[2], "error: L2 table at 0x2000: entry 3 for "
                    "guest offset 12288 is 0x4000000000000000: the cluster "
                    "is compressed, but the data is in an external file");
  free_found (&found);
  qcow2_image_free (&image);
}
END_TEST

/* Add a snapshot that has the active L1 table's entries, without COPIED,
 * in one of its own.  Returns the offset of its L1 table. */
static uint64_t
add_snapshots (struct qcow2_image *image, unsigned count)
{
  struct qcow2_header *header = qcow2_image_header (image);
  const uint32_t l1_size = get_be32 (header->l1_size);
  const uint64_t table = qcow2_image_append (image, image->cluster_size);
  const uint64_t l1 = qcow2_image_append (image,
                                          count * image->cluster_size);
  struct qcow2_snapshot *snapshot;
  uint32_t i, entry;

  header->nb_snapshots = to_be32 (count);
  header->snapshots_offset = to_be64 (table);
  for (i = 0; i < count; ++i) {
    snapshot = (struct qcow2_snapshot *) (image->bytes + table + i * 64);
    snapshot->l1_table_offset = to_be64 (l1 + i * image->cluster_size);
    snapshot->l1_size = to_be32 (l1_size);
    snapshot->extra_data_size = to_be32 (24);
    for (entry = 0; entry < l1_size; ++entry)
      put (image, l1 + i * image->cluster_size + entry * 8,
           get_be64 (*qcow2_image_l1 (image, entry)) & ~QCOW2_COPIED);
  }
  return l1;
}

START_TEST (shared_tables)
{
  struct qcow2_image image;
  struct found found;
  uint64_t l1, entry;

  qcow2_image_init (&image, 3, 12, 64 << 12, 0);
  qcow2_image_add_data (&image, 0);
  l1 = add_snapshots (&image, 3);
  add_refcounts (&image);
  /* L2 table and data are shared by all four. */
  *qcow2_image_l1 (&image, 0) = to_be64 (L2);
  put (&image, L2, DATA);
  set_refcount (&image, L2 >> 12, 4);
  set_refcount (&image, DATA >> 12, 4);
  check_image (&image, &found);
  ck_assert_uint_eq (found.count, 0);
  ck_assert_uint_eq (found.check.allocated_clusters, 1);

  /* What is wrong in it counts for each. */
  put (&image, L2, DATA | 2);
  check_image (&image, &found);
  ck_assert_uint_eq (found.count, 1);
  ck_assert_uint_eq (found.check.errors, 4);
  ck_assert_str_eq (found.texts[0], "error: L2 table at 0x2000: entry 0 for "
                    "guest offset 0 is 0x0000000000003002: reserved bits "
                    "are set (counts 4 times, as the table is shared)");
  free_found (&found);
  put (&image, L2, DATA);

  /* The same L1 table for two snapshots. */
  entry = get_be64 (qcow2_image_header (&image)->snapshots_offset);
  put (&image, entry, l1 + image.cluster_size);
  set_refcount (&image, l1 >> 12, 0);
  set_refcount (&image, (l1 >> 12) + 1, 2);
  check_image (&image, &found);
  ck_assert_uint_eq (found.count, 0);

  /* A table of snapshots alone. */
  *qcow2_image_l1 (&image, 0) = to_be64 (0);
  set_refcount (&image, L2 >> 12, 3);
  set_refcount (&image, DATA >> 12, 3);
  put (&image, L2 + 8, 0x123456000);
  check_image (&image, &found);
  ck_assert_uint_eq (found.count, 1);
  ck_assert_uint_eq (found.check.errors, 3);
  ck_assert_uint_eq (found.check.allocated_clusters, 0);
  ck_assert_str_eq (found.texts[0], "error: L2 table of a snapshot at "
                    "0x2000: entry 1 is 0x0000000123456000: 4096 bytes at "
                    "0x123456000 reach beyond the end of the file (40960 "
                    "bytes) (counts 3 times, as the table is shared)");
  free_found (&found);
  qcow2_image_free (&image);
}
END_TEST

/* A bitmap, whose table says: all zeros, all ones, a cluster. */
static uint64_t
add_bitmap (struct qcow2_image *image)
{
  const uint64_t directory = qcow2_image_append (image, 32);
  const uint64_t table = qcow2_image_append (image, image->cluster_size);
  const uint64_t data = qcow2_image_append (image, image->cluster_size);
  struct qcow2_bitmap *bitmap =
    (struct qcow2_bitmap *) (image->bytes + directory);
  const struct qcow2_bitmaps_extension extension = {
    .bitmap_count = to_be32 (1),
    .directory_size = to_be64 (32),
    .directory_offset = to_be64 (directory),
  };

  *bitmap = (struct qcow2_bitmap) {
    .table_offset = to_be64 (table), .table_size = to_be32 (3), .type = 1,
    .granularity_bits = 16,
  };
  bitmap->name_size.b[1] = 1;
  image->bytes[directory + sizeof *bitmap] = 'b';
  put (image, table + 8, 1);
  put (image, table + 16, data);
  qcow2_image_add_extension (image, QCOW2_EXTENSION_BITMAPS, &extension,
                             sizeof extension);
  qcow2_image_header (image)->autoclear_features =
    to_be64 (QCOW2_BITMAPS_VALID);
  return table;
}

START_TEST (bitmaps)
{
  struct qcow2_image image;
  struct found found;
  uint64_t table;

  qcow2_image_init (&image, 3, 12, 64 << 12, 0);
  table = add_bitmap (&image);
  add_refcounts (&image);
  check_image (&image, &found);
  ck_assert_uint_eq (found.count, 0);

  put (&image, table, 2);
  put (&image, table + 8, L1);
  check_image (&image, &found);
  ck_assert_uint_eq (found.count, 2);
  ck_assert_str_eq (found.texts[0], "error: bitmap table at 0x3000: entry 0 "
                    "is 0x0000000000000002: reserved bits are set");
  ck_assert_str_eq (found.texts[1], "error: bitmap table at 0x3000: entry 1 "
                    "is 0x0000000000001000: the cluster at 0x1000 holds "
                    "other metadata");
  free_found (&found);

  /* When they are not valid they are not counted. */
  qcow2_image_header (&image)->autoclear_features = to_be64 (0);
  check_image (&image, &found);
  ck_assert_uint_eq (found.check.errors, 0);
  ck_assert_uint_eq (found.check.leaks, 3);
  ck_assert_uint_eq (found.check.warnings, 1);
  free_found (&found);
  qcow2_image_free (&image);
}
END_TEST

/* Counting stops at 65535, also where refcounts can be higher. */
START_TEST (many_references)
{
  const unsigned entries = 9 * 8192;
  struct qcow2_image image;
  struct found found;
  uint64_t data;
  unsigned i;

  qcow2_image_init (&image, 3, 16, (uint64_t) entries << 16, 0);
  qcow2_image_header (&image)->refcount_order = to_be32 (5);
  data = qcow2_image_append (&image, image.cluster_size);
  for (i = 0; i < entries; ++i)
    qcow2_image_set (&image, (uint64_t) i << 16, data);
  add_refcounts (&image);
  set_refcount (&image, data >> 16, entries);
  check_image (&image, &found);
  ck_assert_uint_eq (found.count, 0);
  ck_assert_uint_eq (found.check.allocated_clusters, entries);

  set_refcount (&image, data >> 16, 65534);
  check_image (&image, &found);
  ck_assert_uint_eq (found.count, 1);
  ck_assert_str_eq (found.texts[0], "error: host cluster 2 (0x20000 to "
                    "0x2ffff): refcount 65534, but 65535 references");
  free_found (&found);
  qcow2_image_free (&image);
}
END_TEST

/* --- Windows ----------------------------------------------------------- */

static void
damage_entry (struct qcow2_image *image, struct random *random, uint64_t at)
{
  const uint64_t clusters = image->size / image->cluster_size;
  const uint64_t old = get (image, at);

  switch (random_below (random, 8)) {
  case 0:
    put (image, at, old ^ QCOW2_COPIED);
    break;
  case 1:
    put (image, at, old ^ UINT64_C (1) << random_below (random, 64));
    break;
  case 2:
    put (image, at, random_below (random, image->size) & ~UINT64_C (0x1ff));
    break;
  case 3:
    put (image, at, 0);
    break;
  case 4:
    put (image, at,
         qcow2_image_packed (image, random_below (random, image->size),
                             1 + random_below (random, 600)));
    break;
  default:
    put (image, at, (old & ~QCOW2_OFFSET_MASK) |
         random_below (random, clusters + 2) * image->cluster_size);
    break;
  }
}

/* An image of clusters of 512 bytes with all there is in it, and some of
 * its metadata changed. */
static void
make_random (struct qcow2_image *image, struct random *random)
{
  const unsigned order = random_below (random, 7);
  unsigned i, changes = random_below (random, 12);
  uint64_t at, clusters;

  qcow2_image_init (image, 3, 9, 512 * 512, 0);
  for (i = 0; i < 100; ++i)
    qcow2_image_add_data (image, random_below (random, 512) * 512);
  if (order >= 2)
    add_snapshots (image, 2);
  add_bitmap (image);
  qcow2_image_header (image)->refcount_order = to_be32 (order);
  at = qcow2_image_append (image, 4 * 512);
  clusters = image->size / 512;
  qcow2_image_header (image)->refcount_table_offset = to_be64 (at);
  qcow2_image_header (image)->refcount_table_clusters = to_be32 (1);
  for (i = 0; i < 3; ++i)
    put (image, at + i * 8, at + 512 + i * 512);
  for (i = 0; i < clusters && i < 512u * 8 >> order; ++i)
    set_refcount (image, i, 1);
  for (i = 0; i < changes; ++i) {
    do
      at = random_below (random, image->size / 8) * 8;
    while (at < 512 || (get (image, at) == 0 && random_below (random, 64)));
    damage_entry (image, random, at);
  }
}

static int
compare_texts (const void *a, const void *b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

static void
assert_same (struct found *a, struct found *b)
{
  size_t i;

  qsort (a->texts, a->count, sizeof a->texts[0], compare_texts);
  qsort (b->texts, b->count, sizeof b->texts[0], compare_texts);
  for (i = 0; i < a->count && i < b->count; ++i)
    ck_assert_str_eq (a->texts[i], b->texts[i]);
  ck_assert_uint_eq (a->count, b->count);
  ck_assert_mem_eq (&a->check, &b->check, sizeof a->check);
}

START_TEST (windows_do_not_matter)
{
  struct random random = { .state = _i };
  static struct found whole, parts;
  struct qcow2_image image;
  unsigned bits;

  make_random (&image, &random);
  memset (&whole, 0, sizeof whole);
  check_in_windows (&image, 24, 1 << 16, &whole);
  for (bits = 0; bits < 10; bits += 1 + bits / 3) {
    memset (&parts, 0, sizeof parts);
    check_in_windows (&image, bits, 2 + random_below (&random, 12), &parts);
    assert_same (&whole, &parts);
    free_found (&parts);
  }
  free_found (&whole);
  qcow2_image_free (&image);
}
END_TEST

/* --- Failures ---------------------------------------------------------- */

START_TEST (reads_fail)
{
  struct random random = { .state = 7 };
  struct qcow2_image image;
  struct layer *layer;
  size_t fail_at;
  int r;

  make_random (&image, &random);
  for (fail_at = 0, r = -1; r == -1; ++fail_at) {
    struct found found = { 0 };
    struct check_report report = start_finder (&found);
    struct vdisk_error error = { 0 };
    struct source *source =
      source_faulty (source_memory ("a.qcow2", image.bytes, image.size),
                     SIZE_MAX);
    size_t opening;

    layer = open_layer (&format_qcow2, source, NULL, &error);
    ck_assert_ptr_nonnull (layer);
    opening = source_faulty_count (source);
    layer_close (layer);
    source = source_faulty (source_memory ("a.qcow2", image.bytes,
                                           image.size), opening + fail_at);
    layer = open_layer (&format_qcow2, source, NULL, &error);
    ck_assert_ptr_nonnull (layer);
    r = qcow2_check_in_windows (layer, &report, 6, 4, &error);
    if (r == -1) {
      ck_assert_int_eq (error.errnum, EIO);
      ck_assert_str_eq (error.message, "injected");
    }
    layer_close (layer);
    free_found (&found);
  }
  ck_assert_uint_gt (fail_at, 20);
  qcow2_image_free (&image);
}
END_TEST

START_TEST (progress_stops)
{
  struct qcow2_image image;
  struct found found = { .stop_after = 1 };
  struct check_report report = start_finder (&found);
  struct vdisk_error error = { 0 };
  struct layer *layer;

  make_plain (&image, 3);
  layer = open_image (&image);
  ck_assert_int_eq (qcow2_check (layer, &report, &error), -1);
  ck_assert_int_eq (error.errnum, ECANCELED);
  ck_assert_uint_eq (found.reports, 1);
  layer_close (layer);
  qcow2_image_free (&image);
}
END_TEST

START_TEST (callbacks_are_optional)
{
  struct vdisk_check check = { 0 };
  struct check_report report = { .check = &check };
  struct vdisk_error error = { 0 };
  struct qcow2_image image;
  struct layer *layer;

  make_plain (&image, 3);
  say_entry_twice (&image);
  layer = open_image (&image);
  ck_assert_int_eq (qcow2_check (layer, &report, &error), 0);
  ck_assert_uint_eq (check.errors, 1);
  ck_assert_uint_eq (check.leaks, 1);
  layer_close (layer);
  qcow2_image_free (&image);
}
END_TEST

/* A source that claims to be larger than can be checked. */
START_TEST (too_many_clusters)
{
  struct vdisk_check check = { 0 };
  struct check_report report = { .check = &check };
  struct vdisk_error error = { 0 };
  struct qcow2_image image;
  struct layer *layer;

  make_plain (&image, 3);
  layer = open_image (&image);
  layer->source->size = (UINT64_C (1) << 44) + 1;
  ck_assert_int_eq (qcow2_check (layer, &report, &error), -1);
  ck_assert_int_eq (error.errnum, ENOTSUP);
  ck_assert_str_eq (error.message, "a.qcow2: the file has 4294967297 "
                    "clusters, more than 4294967296 cannot be checked");
  layer_close (layer);
  qcow2_image_free (&image);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("qcow2-check");
  TCase *images = tcase_create ("images");
  TCase *windows = tcase_create ("windows");
  TCase *failures = tcase_create ("failures");

  tcase_add_loop_test (images, right_images, 2, 4);
  tcase_add_test (images, empty_disk);
  tcase_add_loop_test (images, refcount_widths, 0, 7);
  tcase_add_loop_test (images, single_lies, 0,
                       sizeof lies / sizeof lies[0]);
  tcase_add_test (images, refcount_table_beyond_the_end);
  tcase_add_test (images, extended_entries);
  tcase_add_test (images, external_data);
  tcase_add_test (images, shared_tables);
  tcase_add_test (images, bitmaps);
  tcase_add_test (images, many_references);
  suite_add_tcase (suite, images);

  tcase_set_timeout (windows, 60);
  tcase_add_loop_test (windows, windows_do_not_matter, 0, 100);
  suite_add_tcase (suite, windows);

  tcase_add_test (failures, reads_fail);
  tcase_add_test (failures, progress_stops);
  tcase_add_test (failures, callbacks_are_optional);
  tcase_add_test (failures, too_many_clusters);
  suite_add_tcase (suite, failures);
  return run_suite (suite);
}
