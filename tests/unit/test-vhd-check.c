/* SPDX-License-Identifier: BSD-3-Clause */
/* The check of VHDs: a valid image, one lie, and exactly what is found. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"
#include "source/memory.h"
#include "support.h"
#include "vhd-image.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])

#define MB (UINT64_C (1) << 20)
#define BLOCK (2 * MB)

/* Small blocks: 8 sectors, 9 with the bitmap. */
#define SMALL 4096
#define SECTORS 9
#define IN_FILE (SECTORS * 512)

/* These are the findings, and so many errors, leaks and warnings. */
static void
check_findings_with (const struct vhd_image *image,
                     struct vdisk_options *options, const char *expected,
                     struct vdisk_check *check)
{
  static struct findings findings;
  struct layer *layer = vhd_image_open (image, options);

  findings.stop_at = 0;
  findings_check (&findings, layer, check);
  ck_assert_str_eq (findings.text, expected);
  layer_close (layer);
}

static void
check_findings (const struct vhd_image *image, const char *expected)
{
  struct vdisk_check check;

  check_findings_with (image, NULL, expected, &check);
}

/* A disk of 8 small blocks, 4 of them allocated, in no order:
 * 1 at sector 6, 0 at 15, 6 at 24, 3 at 33; the footer at 42. */
static void
init_small (struct vhd_image *image, enum vhd_type type)
{
  static const uint32_t order[] = { 1, 0, 6, 3 };
  size_t i;

  vhd_image_init (image, type, 8 * SMALL, SMALL);
  for (i = 0; i < LEN (order); ++i)
    vhd_image_add_block (image, order[i], NULL);
  if (type == VHD_DIFFERENCING)
    vhd_image_add_path (image, 0, VHD_LOCATOR_W2RU, "a.vhd");
  else
    ck_assert_uint_eq (image->size, 43 * 512);
}

START_TEST (test_good)
{
  struct vhd_image image;
  struct vdisk_check check;

  init_small (&image, VHD_DYNAMIC);
  check_findings_with (&image, NULL, "", &check);
  ck_assert_uint_eq (check.errors + check.leaks + check.warnings, 0);
  ck_assert_uint_eq (check.total_clusters, 8);
  ck_assert_uint_eq (check.allocated_clusters, 4);
  ck_assert_uint_eq (check.compressed_clusters, 0);
  /* 0 (15), 1 (6), 3 (33), 6 (24): none follows the one before. */
  ck_assert_uint_eq (check.fragmented_clusters, 3);
  ck_assert_uint_eq (check.image_end_offset, 42 * 512);
  vhd_image_free (&image);

  init_small (&image, VHD_DIFFERENCING);
  check_findings (&image, "");
  vhd_image_free (&image);

  vhd_image_init (&image, VHD_DYNAMIC, 3 * BLOCK + 512, BLOCK);
  check_findings_with (&image, NULL, "", &check);
  ck_assert_uint_eq (check.total_clusters, 4);
  ck_assert_uint_eq (check.allocated_clusters, 0);
  ck_assert_uint_eq (check.image_end_offset, 1536 + 16);
  vhd_image_free (&image);

  vhd_image_init (&image, VHD_DYNAMIC, 0, BLOCK);
  check_findings (&image, "");
  vhd_image_free (&image);
}
END_TEST

/* A gap of less than 4 KiB aligns data. */
START_TEST (test_fragmented)
{
  struct vhd_image image;
  struct vdisk_check check;
  unsigned i;

  vhd_image_init (&image, VHD_DYNAMIC, 4 * BLOCK, BLOCK);
  for (i = 0; i < 4; ++i) {
    vhd_image_add_block (&image, i, NULL);
    vhd_image_append (&image, i < 2 ? 7 * 512 : 8 * 512);
  }
  check_findings_with (&image, NULL, "", &check);
  ck_assert_uint_eq (check.fragmented_clusters, 1);
  vhd_image_free (&image);
}
END_TEST

START_TEST (test_fixed)
{
  struct vhd_image image;
  struct vdisk_check check;

  vhd_image_init (&image, VHD_FIXED, 4096, 0);
  check_findings_with (&image, NULL, "", &check);
  ck_assert_uint_eq (check.total_clusters, 0);
  ck_assert_uint_eq (check.image_end_offset, 4096);

  vhd_image_footer (&image)->current_size = to_be64 (3072);
  vhd_image_fix (&image);
  check_findings (&image, "warning: footer: current size 3072, but there "
                  "are 4096 bytes before the footer\n");
  vhd_image_footer (&image)->current_size = to_be64 (4095);
  vhd_image_fix (&image);
  image.size--;
  check_findings (&image, "warning: footer: current size 4095, not a "
                  "multiple of 512\n"
                  "warning: footer: current size 4095, but there are 4096 "
                  "bytes before the footer\n"
                  "warning: footer: only 511 bytes long, as very old tools "
                  "wrote it\n");
  image.size++;
  /* The disk is there by its geometry. */
  memcpy (vhd_image_footer (&image)->creator, "vpc ", 4);
  vhd_image_footer (&image)->current_size = to_be64 (4608);
  vhd_image_footer (&image)->cylinders = to_be16 (2);
  vhd_image_footer (&image)->heads = 1;
  vhd_image_footer (&image)->sectors = 4;
  vhd_image_fix (&image);
  check_findings (&image, "error: footer: current size 4608, but there are "
                  "only 4096 bytes before the footer\n");
  vhd_image_free (&image);
}
END_TEST

/* --- Lies ---------------------------------------------------------------
 *
 * Each is told of the small image, in its footers (before they are fixed),
 * header (likewise), BAT or anywhere.
 */

static void
no_lie (struct vhd_image *image)
{
  (void) image;
}

static void
geometry (struct vhd_image *image, unsigned cylinders, unsigned heads,
          unsigned sectors)
{
  vhd_image_footer (image)->cylinders = to_be16 (cylinders);
  vhd_image_footer (image)->heads = heads;
  vhd_image_footer (image)->sectors = sectors;
  vhd_image_fix (image);
}

/* The disk has 64 sectors, and a cylinder and a track 10. */
static void geometry_right (struct vhd_image *i) { geometry (i, 11, 1, 5); }
static void geometry_none (struct vhd_image *i) { geometry (i, 0, 1, 5); }
static void geometry_small (struct vhd_image *i) { geometry (i, 10, 1, 5); }
static void geometry_large (struct vhd_image *i) { geometry (i, 15, 1, 5); }

static void
short_footer (struct vhd_image *image)
{
  image->size--;
}

static void
bad_end (struct vhd_image *image)
{
  vhd_image_footer (image)->reserved[0]++;
}

static void
bad_copy (struct vhd_image *image)
{
  vhd_image_copy (image)->reserved[0]++;
}

static void
pad (struct vhd_image *image, size_t count)
{
  image->bytes = realloc (image->bytes, image->size + count);
  ck_assert_ptr_nonnull (image->bytes);
  memset (image->bytes + image->size, 0xa5, count);
  image->size += count;
}

static void pad_1 (struct vhd_image *image) { pad (image, 1); }
static void pad_large (struct vhd_image *image) { pad (image, 100000); }

/* A footer that is found, but isn't that of this disk. */
static void
pad_other (struct vhd_image *image)
{
  vhd_image_footer (image)->uuid[0]++;
  pad (image, 512);
}

/* What is between the blocks and the footer need not be known. */
static void
pad_after_gap (struct vhd_image *image, size_t gap)
{
  vhd_image_append (image, gap);
  pad (image, 512);
}

static void pad_near (struct vhd_image *i) { pad_after_gap (i, 65024); }
static void pad_far (struct vhd_image *i) { pad_after_gap (i, 65536); }

static void
cut (struct vhd_image *image)
{
  image->size -= 512;
}

static void
other_copy (struct vhd_image *image)
{
  uint8_t footer[512];

  memcpy (footer, vhd_image_footer (image), sizeof footer);
  vhd_image_footer (image)->time_stamp = to_be32 (1);
  vhd_image_footer (image)->uuid[3] = 7;
  vhd_image_footer (image)->hidden = 1;
  vhd_image_fix (image);
  memcpy (vhd_image_footer (image), footer, sizeof footer);
}

/* All that may differ. */
static void
quite_another_copy (struct vhd_image *image)
{
  uint8_t footer[512];

  memcpy (footer, vhd_image_footer (image), sizeof footer);
  memset (&vhd_image_footer (image)->features, 1, 504);
  vhd_image_footer (image)->type = to_be32 (VHD_DIFFERENCING);
  vhd_image_footer (image)->version = to_be32 (0x00010001);
  vhd_image_fix (image);
  memcpy (vhd_image_footer (image), footer, sizeof footer);
}

static void
more_entries (struct vhd_image *image, uint32_t entries)
{
  vhd_image_header (image)->max_table_entries = to_be32 (entries);
  vhd_image_fix (image);
}

static void bat_to_128 (struct vhd_image *i) { more_entries (i, 128); }
static void bat_on_block (struct vhd_image *i) { more_entries (i, 385); }
static void bat_huge (struct vhd_image *i) { more_entries (i, UINT32_MAX); }

static void
stray (struct vhd_image *image)
{
  vhd_image_bat (image)[8] = to_be32 (0);
  vhd_image_bat (image)[100] = to_be32 (0xfffffffe);
  more_entries (image, 128);
}

static void
bat_in_header (struct vhd_image *image)
{
  /* Eight entries of the reserved bytes, unused. */
  memset (vhd_image_header (image)->reserved2, 0xff, 32);
  vhd_image_header (image)->table_offset = to_be64 (512 + 768);
  vhd_image_fix (image);
}

static void
odd_size (struct vhd_image *image)
{
  vhd_image_footer (image)->current_size = to_be64 (8 * SMALL - 1);
  vhd_image_fix (image);
}

/* By its geometry the disk has 15 sectors, 2 blocks, but there are more. */
static void
vpc (struct vhd_image *image)
{
  memcpy (vhd_image_footer (image)->creator, "vpc ", 4);
  geometry (image, 3, 1, 5);
}

/* In the block that it ends in there is nothing beyond it. */
static void
vpc_block (struct vhd_image *image)
{
  vpc (image);
  image->bytes[6 * 512] = 0xfe;
}

/* Nor is there another block. */
static void
vpc_empty (struct vhd_image *image)
{
  vpc_block (image);
  vhd_image_bat (image)[3] = to_be32 (VHD_BAT_UNUSED);
  vhd_image_bat (image)[6] = to_be32 (VHD_BAT_UNUSED);
}

/* A disk of 6 blocks and a quarter, by its geometry. */
static void
vpc_bit (struct vhd_image *image)
{
  vpc (image);
  geometry (image, 50, 1, 1);
  image->bytes[24 * 512] = 0x20;
}

static void
vpc_no_bat (struct vhd_image *image)
{
  vpc (image);
  more_entries (image, 7);
}

static void
set_entry (struct vhd_image *image, unsigned number, uint32_t sector)
{
  vhd_image_bat (image)[number] = to_be32 (sector);
}

static void on_copy (struct vhd_image *i) { set_entry (i, 7, 0); }
static void on_bat (struct vhd_image *i) { set_entry (i, 7, 3); }
static void on_footer (struct vhd_image *i) { set_entry (i, 3, 34); }
static void beyond (struct vhd_image *i) { set_entry (i, 3, 35); }
static void far_beyond (struct vhd_image *i) { set_entry (i, 7, 0x7fffffff); }
static void same (struct vhd_image *i) { set_entry (i, 7, 15); }
static void same_first (struct vhd_image *i) { set_entry (i, 2, 33); }
static void upper (struct vhd_image *i) { set_entry (i, 7, 7); }
static void lower (struct vhd_image *i) { set_entry (i, 7, 32); }
static void unaligned (struct vhd_image *i) { set_entry (i, 3, 0); }

static void
zeroed_bat (struct vhd_image *image)
{
  memset (vhd_image_bat (image), 0, 6 * sizeof (be32));
}

static void
many_same (struct vhd_image *image)
{
  set_entry (image, 0, 24);
  set_entry (image, 3, 24);
  set_entry (image, 4, 24);
  set_entry (image, 5, 24);
}

static void
unused (struct vhd_image *image, unsigned number)
{
  set_entry (image, number, VHD_BAT_UNUSED);
}

static void leak_first (struct vhd_image *i) { unused (i, 1); }
static void leak_last (struct vhd_image *i) { unused (i, 3); }

static void
leak_two (struct vhd_image *image)
{
  unused (image, 0);
  unused (image, 6);
}

static void
leak_all (struct vhd_image *image)
{
  memset (vhd_image_bat (image), 0xff, 512);
}

/* A sector less than a block is no leak. */
static void
small_gap (struct vhd_image *image)
{
  vhd_image_append (image, 8 * 512);
}

static void
large_gap (struct vhd_image *image)
{
  vhd_image_append (image, IN_FILE + 511);
}

static void
empty_bitmap (struct vhd_image *image, uint32_t sector)
{
  image->bytes[sector * 512] = 0;
}

static void one_empty (struct vhd_image *i) { empty_bitmap (i, 24); }

static void
all_empty (struct vhd_image *image)
{
  empty_bitmap (image, 6);
  empty_bitmap (image, 15);
  empty_bitmap (image, 24);
  empty_bitmap (image, 33);
}

/* Bits that speak of no sector of the disk. */
static void
padding_only (struct vhd_image *image)
{
  all_empty (image);
  image->bytes[24 * 512 + 1] = 0xff;
}

/* The only bit of the last block's that counts. */
static void
last_block (struct vhd_image *image, uint8_t bits)
{
  vhd_image_footer (image)->current_size = to_be64 (6 * SMALL + 512);
  vhd_image_fix (image);
  image->bytes[24 * 512] = bits;
}

static void last_present (struct vhd_image *i) { last_block (i, 0x80); }
static void last_absent (struct vhd_image *i) { last_block (i, 0x7f); }

/* Only the first sector of some blocks is present by their bitmap: blocks 1
 * and 6 have more, block 3 has not. */
static void
lying (struct vhd_image *image)
{
  image->bytes[6 * 512] = image->bytes[24 * 512] =
    image->bytes[33 * 512] = 0x80;
  image->bytes[8 * 512 + 511] = 1;
  image->bytes[32 * 512] = 1;
  image->bytes[34 * 512 + 511] = 1;
}

static void
lying_xen (struct vhd_image *image)
{
  lying (image);
  memcpy (vhd_image_footer (image)->creator, "tap", 4);
  vhd_image_fix (image);
}

#define BAT_ENTRY(n, sector) "error: BAT: entry " n ": block at sector " \
  sector " "
#define OVERLAPS_ENTRY(n, sector) "overlaps that of entry " n " at sector " \
  sector "\n"
#define VPC "warning: footer: geometry 3/1/5 gives 7680 bytes, but the " \
  "current size is 32768: not all programs will see a disk of the same " \
  "size\n"
#define VPC_TOO(evidence, for) "warning: footer: geometry 3/1/5 gives 7680 " \
  "bytes, which is what creator \"vpc \" means, and the current size is " \
  "32768: " evidence ", which speaks for the " for "\n"
#define LYING(n, all, first) "warning: bitmaps: " n " of " all " blocks " \
  "looked at hold bytes in sectors that are absent by their bitmaps, and " \
  "read as zeros, the first is block " first ": if they are by a program " \
  "that does not keep bitmaps, sector-bitmaps=ignore shows them\n"
#define STRAYS(n, first) "warning: BAT: entries beyond the end of the disk " \
  "are in use: " n ", the first is entry " first "\n"
#define EMPTY(n, all, first) "warning: bitmaps: those of " n " of " all \
  " allocated blocks are empty, the first is that of block " first "\n"
#define LEAK(bytes, offset, blocks) "leak: " bytes " bytes at offset " \
  offset ": nothing uses them (room for blocks: " blocks ")\n"
#define ALL_EMPTY(n) "warning: bitmaps: those of all " n " allocated blocks " \
  "are empty, so the disk reads as zeros; if they are by a tool that never " \
  "sets bitmaps, sector-bitmaps=ignore shows what the blocks hold\n"

static const struct {
  void (*lie) (struct vhd_image *image);
  const char *expected;
} lies[] = {
  { no_lie, "" },

  /* Footers. */
  { geometry_right, "" },
  { geometry_none, "" },
  { geometry_small, "warning: footer: geometry 10/1/5 gives 25600 bytes, "
    "but the current size is 32768: not all programs will see a disk of the "
    "same size\n" },
  { geometry_large, "warning: footer: geometry 15/1/5 gives 38400 bytes, "
    "but the current size is 32768: not all programs will see a disk of the "
    "same size\n" },
  { short_footer, "warning: footer: only 511 bytes long, as very old tools "
    "wrote it\n" },
  { bad_end, "error: footer: checksum 0xfffff6d7, expected 0xfffff6d6\n" },
  { bad_copy,
    "error: footer copy: checksum 0xfffff6d7, expected 0xfffff6d6\n" },
  { pad_1, "warning: footer: at offset 21504, followed by 1 bytes: programs "
    "that look for it at the end of the file do not find it\n" },
  { pad_large, "warning: footer: at offset 21504, followed by 100000 bytes: "
    "programs that look for it at the end of the file do not find it\n" },
  { pad_near, "warning: footer: at offset 86528, followed by 512 bytes: "
    "programs that look for it at the end of the file do not find it\n" },
  { pad_far, "error: footer: no cookie \"conectix\"\n" },
  { pad_other, "error: footer: no cookie \"conectix\"\n" },
  { cut, "error: footer: no cookie \"conectix\"\n" },
  { other_copy, "error: footer copy: differs from the footer at the end of "
    "the file: time stamp, UUID, hidden flag\n" },
  { quite_another_copy, "error: footer copy: differs from the footer at the "
    "end of the file: features, version, header offset, time stamp, "
    "creator, creator version, creator host OS, original size, current "
    "size, cylinders, heads, sectors, type, UUID, saved state, hidden flag, "
    "reserved bytes\n" },
  { odd_size, "warning: footer: current size 32767, not a multiple of "
    "512\n" },

  /* The BAT as a whole. */
  { bat_to_128, "" },
  { bat_on_block, BAT_ENTRY ("1", "0x6") "overlaps BAT at offset 1536\n"
    STRAYS ("257", "128") },
  { bat_huge, "error: header: BAT of 4294967295 entries at offset 1536 "
    "reaches beyond the end of the file (22016 bytes)\n" },
  { stray, STRAYS ("2", "8") },
  { bat_in_header, "error: BAT at offset 1280 overlaps header at offset "
    "512\n" LEAK ("19968", "1536", "4") },
  { vpc, VPC_TOO ("the bitmap of block 1 has a sector at offset 7680 of the "
                  "disk", "current size") },
  { vpc_block, VPC_TOO ("BAT entry 3 has a block there", "current size") },
  { vpc_empty, VPC_TOO ("this file has nothing beyond the former", "geometry")
    LEAK ("9216", "12288", "2") },
  { vpc_bit, "warning: footer: geometry 50/1/1 gives 25600 bytes, which is "
    "what creator \"vpc \" means, and the current size is 32768: the bitmap "
    "of block 6 has a sector at offset 25600 of the disk, which speaks for "
    "the current size\n" },
  { vpc_no_bat, VPC "error: header: 7 BAT entries for blocks of 4096 bytes "
    "do not cover the current size (32768 bytes)\n" },

  /* Entries. */
  { on_copy, BAT_ENTRY ("7", "0x0") "overlaps footer copy at offset 0\n" },
  { unaligned, BAT_ENTRY ("3", "0x0") "overlaps footer copy at offset 0\n"
    LEAK ("4608", "16896", "1") },
  { on_bat, BAT_ENTRY ("7", "0x3") "overlaps BAT at offset 1536\n" },
  { on_footer,
    BAT_ENTRY ("3", "0x22") "overlaps footer at offset 21504\n"
    LEAK ("4608", "16896", "1") },
  { beyond, BAT_ENTRY ("3", "0x23") "reaches beyond the end of the file "
    "(22016 bytes)\n" LEAK ("4608", "16896", "1") },
  { far_beyond, BAT_ENTRY ("7", "0x7fffffff") "reaches beyond the end of "
    "the file (22016 bytes)\n" },
  { same, BAT_ENTRY ("7", "0xf") OVERLAPS_ENTRY ("0", "0xf") },
  { same_first, BAT_ENTRY ("3", "0x21") OVERLAPS_ENTRY ("2", "0x21") },
  /* Their bitmap is taken from the other block's zeros, and what is absent
   * by it has the other's bitmap. */
  { upper, LYING ("1", "1", "7") EMPTY ("1", "5", "7")
    BAT_ENTRY ("7", "0x7") OVERLAPS_ENTRY ("1", "0x6") },
  { lower, LYING ("1", "1", "7") EMPTY ("1", "5", "7")
    BAT_ENTRY ("7", "0x20") OVERLAPS_ENTRY ("3", "0x21") },
  { zeroed_bat, "error: BAT: entries 0 to 5: block at sector 0x0 overlaps "
    "footer copy at offset 0\n"
    LEAK ("10720", "1568", "2") LEAK ("4608", "16896", "1") },
  { many_same, "error: BAT: entries 3 to 6: block at sector 0x18 "
    OVERLAPS_ENTRY ("0", "0x18")
    LEAK ("4608", "7680", "1") LEAK ("4608", "16896", "1") },

  /* Space.  The first block begins 2048 bytes after the BAT. */
  { leak_first, LEAK ("6112", "1568", "1") },
  { leak_last, LEAK ("4608", "16896", "1") },
  { leak_two, LEAK ("9216", "7680", "2") },
  { leak_all, LEAK ("19936", "1568", "4") },
  { small_gap, "" },
  { large_gap, LEAK ("5119", "21504", "1") },

  /* Bitmaps. */
  { one_empty, EMPTY ("1", "4", "6") },
  { all_empty, ALL_EMPTY ("4") },
  { lying, LYING ("2", "3", "1") },
  { lying_xen, "" },
  { padding_only, ALL_EMPTY ("4") },
  { last_present, "" },
  { last_absent, EMPTY ("1", "4", "6") },
};

static uint64_t
count_lines (const char *text, const char *kind)
{
  uint64_t count = 0;

  for (; text; text = strchr (text, '\n')) {
    text += *text == '\n';
    count += strncmp (text, kind, strlen (kind)) == 0;
  }
  return count;
}

START_TEST (test_lie)
{
  const char *expected = lies[_i].expected;
  struct vhd_image image;
  struct vdisk_check check;

  init_small (&image, VHD_DYNAMIC);
  lies[_i].lie (&image);
  check_findings_with (&image, NULL, expected, &check);
  ck_assert_uint_eq (check.warnings, count_lines (expected, "warning"));
  ck_assert_uint_ge (check.errors, count_lines (expected, "error"));
  ck_assert_uint_ge (check.leaks, count_lines (expected, "leak"));
  vhd_image_free (&image);
}
END_TEST

/* Findings that stand for several are counted so. */
static void
check_counts (void (*lie) (struct vhd_image *image), uint64_t errors,
              uint64_t leaks, uint64_t allocated)
{
  static struct findings findings;
  struct vhd_image image;
  struct vdisk_check check;
  struct layer *layer;

  init_small (&image, VHD_DYNAMIC);
  lie (&image);
  layer = vhd_image_open (&image, NULL);
  findings_check (&findings, layer, &check);
  ck_assert_uint_eq (check.errors, errors);
  ck_assert_uint_eq (check.leaks, leaks);
  ck_assert_uint_eq (check.allocated_clusters, allocated);
  layer_close (layer);
  vhd_image_free (&image);
}

START_TEST (test_counts)
{
  check_counts (zeroed_bat, 6, 3, 7);
  check_counts (many_same, 4, 2, 6);
  check_counts (far_beyond, 1, 0, 5);
  check_counts (leak_two, 0, 2, 2);
  check_counts (leak_all, 0, 4, 0);
  check_counts (large_gap, 0, 1, 4);
  check_counts (vpc, 0, 0, 4);
  /* Of the two blocks that the geometry leaves. */
  check_counts (vpc_empty, 0, 2, 2);
  check_counts (stray, 0, 0, 4);
}
END_TEST

/* With sector-bitmaps=ignore nobody looks at them.  In a differencing disk
 * they always count, and an empty one is the parent's block. */
START_TEST (test_bitmaps)
{
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk_error error = { 0 };
  struct vhd_image image;
  struct vdisk_check check;

  ck_assert_int_eq (vdisk_options_set (options, "sector-bitmaps", "ignore",
                                       &error), 0);
  init_small (&image, VHD_DYNAMIC);
  all_empty (&image);
  check_findings_with (&image, options, "", &check);
  vhd_image_free (&image);

  init_small (&image, VHD_DIFFERENCING);
  all_empty (&image);
  check_findings_with (&image, options, EMPTY ("4", "4", "0"),
                       &check);
  vhd_image_free (&image);
  vdisk_options_free (options);
}
END_TEST

/* A bitmap larger than is read at a time: 128 MiB have 32 KiB of it. */
START_TEST (test_large_bitmap)
{
  struct vhd_image image;
  uint8_t *bitmap = calloc (1, 32768);

  vhd_image_init (&image, VHD_DYNAMIC, 128 * MB - 512, 128 * MB);
  bitmap[32767] = 0x01;         /* not of the disk */
  vhd_image_add_block (&image, 0, bitmap);
  check_findings (&image, ALL_EMPTY ("1"));
  image.bytes[3072 + 32767] = 0x02;
  check_findings (&image, "");
  vhd_image_free (&image);
  free (bitmap);
}
END_TEST

#define MARKED(n, present, sectors) "error: batmap: block " n " is marked " \
  "as complete, but only " present " of its " sectors " sectors are " \
  "present by its bitmap\n"

#define ABSENT(n, first) "warning: batmap: blocks that are not allocated " \
  "are marked as complete: " n ", the first is block " first "\n"

/* Block 1 is complete, 2 is not, the last one is as far as the disk
 * goes; the batmap says so. */
START_TEST (test_batmap)
{
  uint8_t bitmap[512], batmap[] = { 0x50 };
  struct vhd_image image;

  memset (bitmap, 0xff, sizeof bitmap);
  vhd_image_init (&image, VHD_DYNAMIC, 3 * BLOCK + 1024, BLOCK);
  vhd_image_add_block (&image, 1, bitmap);
  bitmap[511] = 0xfe;
  vhd_image_add_block (&image, 2, bitmap);
  memset (bitmap, 0, sizeof bitmap);
  bitmap[0] = 0xc0;
  vhd_image_add_block (&image, 3, bitmap);
  vhd_image_set_batmap (&image, batmap, 1);
  check_findings (&image, "");

  batmap[0] = 0x70;
  vhd_image_set_batmap (&image, batmap, 1);
  check_findings (&image, MARKED ("2", "4095", "4096"));
  /* An empty bitmap doesn't count as such if the batmap counts. */
  memset (image.bytes + 512 * get_be32 (vhd_image_bat (&image)[2]), 0, 512);
  check_findings (&image, MARKED ("2", "0", "4096"));
  vhd_image_bat (&image)[2] = to_be32 (VHD_BAT_UNUSED);
  check_findings (&image, ABSENT ("1", "2") LEAK ("2097664", "2100736", "1"));
  batmap[0] = 0xf0;
  vhd_image_set_batmap (&image, batmap, 1);
  image.bytes[image.size - 512 - BLOCK - 512] = 0x80;
  check_findings (&image, MARKED ("3", "1", "2") ABSENT ("2", "0")
                  LEAK ("2097664", "2100736", "1"));
  /* Of blocks that the disk doesn't have it may say anything. */
  batmap[0] = 0x4f;
  vhd_image_set_batmap (&image, batmap, 1);
  check_findings (&image, LEAK ("2097664", "2100736", "1"));
  vhd_image_free (&image);
}
END_TEST

START_TEST (test_bad_batmap)
{
  struct vhd_image image;

  vhd_image_init (&image, VHD_DYNAMIC, 2 * BLOCK, BLOCK);
  vhd_image_add_block (&image, 0, NULL);
  vhd_image_set_batmap (&image, NULL, 0);
  image.bytes[image.batmap_header + 512] = 0x80;
  check_findings (&image, "error: batmap: checksum 0xffffffff, expected "
                  "0xffffff7f\n");
  vhd_image_set_batmap (&image, NULL, 0);
  vhd_image_bat (&image)[1] = to_be32 (image.batmap_header / 512);
  check_findings (&image, BAT_ENTRY ("1", "0x4") "overlaps batmap header at "
                  "offset 2048\n");
  vhd_image_bat (&image)[1] = to_be32 (image.batmap_header / 512 + 1);
  check_findings (&image, BAT_ENTRY ("1", "0x5") "overlaps batmap at offset "
                  "2560\n");
  vhd_image_free (&image);
}
END_TEST

START_TEST (test_parent)
{
  struct vhd_image image;
  struct vhd_dynamic_header *header;

  init_small (&image, VHD_DIFFERENCING);
  header = vhd_image_header (&image);
  memcpy (header->parent_uuid, vhd_image_footer (&image)->uuid, 16);
  vhd_image_fix (&image);
  check_findings (&image, "error: header: parent UUID 00010203-0405-0607-"
                  "0809-0a0b0c0d0e0f is that of the disk itself\n");
  memset (header->parent_uuid, 0, 16);
  vhd_image_fix (&image);
  check_findings (&image, "warning: header: parent UUID 00000000-0000-0000-"
                  "0000-000000000000, which means a raw parent to Xen's "
                  "tools only\n");
  memcpy (vhd_image_footer (&image)->creator, "tap", 4);
  vhd_image_fix (&image);
  check_findings (&image, "");
  vhd_image_free (&image);

  /* A disk without a parent may have anything there. */
  init_small (&image, VHD_DYNAMIC);
  header = vhd_image_header (&image);
  memcpy (header->parent_uuid, vhd_image_footer (&image)->uuid, 16);
  header->locators[0].code = to_be32 (VHD_LOCATOR_MACX);
  vhd_image_fix (&image);
  check_findings (&image, "");
  vhd_image_free (&image);
}
END_TEST

START_TEST (test_locators)
{
  struct vhd_image image;
  struct vhd_locator *locators;
  uint32_t sector;

  init_small (&image, VHD_DIFFERENCING);
  memcpy (vhd_image_header (&image)->parent_name, "\0p", 2);
  vhd_image_add_locator (&image, 7, VHD_LOCATOR_W2KU, "\0\xd8", 2);
  locators = vhd_image_header (&image)->locators;
  /* Two may share what they say. */
  locators[3] = locators[0];
  locators[4] = locators[0];
  locators[4].data_length = to_be32 (0);
  vhd_image_fix (&image);
  check_findings (&image, "warning: parent locator 4 (W2ru): length 0, must "
                  "be 1 to 512\n"
                  "warning: parent locator 7 (W2ku): not valid UTF-16\n");
  locators[4].code = locators[3].code = locators[7].code = to_be32 (0);
  vhd_image_fix (&image);
  check_findings (&image, "");

  sector = get_be64 (locators[0].data_offset) / 512;
  vhd_image_append (&image, IN_FILE);
  vhd_image_bat (&image)[7] = to_be32 (sector);
  check_findings (&image, BAT_ENTRY ("7", "0x2a") "overlaps parent locator 0 "
                  "(W2ru) at offset 21504\n" LEAK ("5622", "21514", "1"));
  vhd_image_bat (&image)[7] = to_be32 (VHD_BAT_UNUSED);
  vhd_image_header (&image)->locators[0].data_offset = to_be64 (1024);
  vhd_image_fix (&image);
  check_findings (&image, "error: parent locator 0 (W2ru) at offset 1024 "
                  "overlaps header at offset 512\n"
                  LEAK ("5632", "21504", "1"));
  vhd_image_free (&image);
}
END_TEST

/* A block that lies over a locator cannot be mapped, whether or not that can
 * be read. */
START_TEST (test_block_over_locator)
{
  struct vhd_image image;
  uint32_t sector;

  init_small (&image, VHD_DIFFERENCING);
  memcpy (vhd_image_header (&image)->parent_name, "\0p", 2);
  vhd_image_add_locator (&image, 7, VHD_LOCATOR_W2KU, "\0\xd8", 2);
  sector = get_be64 (vhd_image_header (&image)->locators[7].data_offset) /
    512;
  vhd_image_append (&image, IN_FILE);
  vhd_image_bat (&image)[7] = to_be32 (sector);
  vhd_image_fix (&image);
  check_findings (&image, "warning: parent locator 7 (W2ku): not valid "
                  "UTF-16\n"
                  BAT_ENTRY ("7", "0x2b") "overlaps parent locator 7 (W2ku) "
                  "at offset 22016\n" LEAK ("5118", "22018", "1"));
  vhd_image_free (&image);
}
END_TEST

/* --- Failing ----------------------------------------------------------- */

/* Whichever read fails, the check does, and nothing leaks. */
START_TEST (test_faulty)
{
  const uint8_t batmap[] = { 0x80 };
  static struct findings findings;
  struct vhd_image image;
  struct vdisk_check check;
  size_t n, checked = 0;
  int r;

  vhd_image_init (&image, VHD_DIFFERENCING, 2 * BLOCK, BLOCK);
  vhd_image_add_path (&image, 0, VHD_LOCATOR_W2RU, "a.vhd");
  vhd_image_add_block (&image, 0, NULL);
  vhd_image_set_batmap (&image, batmap, 1);
  pad (&image, 512);
  for (n = 0, r = -1; r == -1; ++n) {
    struct source *source =
      source_faulty (source_memory ("disk.vhd", image.bytes, image.size), n);
    struct vdisk_error error = { 0 };
    struct layer *layer = open_layer (&format_vhd, source, NULL, &error);

    if (layer == NULL)
      continue;
    r = findings_try (&findings, layer, &check, &error);
    checked += r == -1;
    if (r == -1) {
      ck_assert_int_eq (error.errnum, EIO);
      ck_assert_str_eq (error.message, "injected");
    }
    layer_close (layer);
  }
  /* Two footers, header, batmap's header, batmap, locator, BAT, bitmap,
   * the footer before the padding, and again the BAT. */
  ck_assert_uint_eq (checked, 10);
  vhd_image_free (&image);
}
END_TEST

/* The check ends when the caller wants it to, and tells how far it has
 * come until then. */
START_TEST (test_progress)
{
  static struct findings findings;
  struct vhd_image image;
  struct vdisk_check check;
  struct vdisk_error error;
  struct layer *layer;
  uint64_t calls, n;

  vhd_image_init_bat (&image, VHD_DYNAMIC, 5000 * SMALL, SMALL, 6000);
  vhd_image_add_block (&image, 4999, NULL);
  layer = vhd_image_open (&image, NULL);
  findings.stop_at = 0;
  findings_check (&findings, layer, &check);
  ck_assert_str_eq (findings.text, "");
  calls = findings.calls;
  /* 5 slices, the unused entries, 5 slices, the end. */
  ck_assert_uint_eq (calls, 12);
  for (n = 1; n <= calls; ++n) {
    memset (&error, 0, sizeof error);
    findings.stop_at = n;
    ck_assert_int_eq (findings_try (&findings, layer, &check, &error), -1);
    ck_assert_int_eq (error.errnum, ECANCELED);
    ck_assert_uint_eq (findings.calls, n);
  }
  layer_close (layer);
  vhd_image_free (&image);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("vhd-check");
  TCase *tc = tcase_create ("vhd-check");

  tcase_set_timeout (tc, 120);
  tcase_add_test (tc, test_good);
  tcase_add_test (tc, test_fragmented);
  tcase_add_test (tc, test_fixed);
  tcase_add_loop_test (tc, test_lie, 0, LEN (lies));
  tcase_add_test (tc, test_counts);
  tcase_add_test (tc, test_bitmaps);
  tcase_add_test (tc, test_large_bitmap);
  tcase_add_test (tc, test_batmap);
  tcase_add_test (tc, test_bad_batmap);
  tcase_add_test (tc, test_parent);
  tcase_add_test (tc, test_locators);
  tcase_add_test (tc, test_block_over_locator);
  tcase_add_test (tc, test_faulty);
  tcase_add_test (tc, test_progress);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
