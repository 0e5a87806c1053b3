/* SPDX-License-Identifier: BSD-3-Clause */
/* Xen's batmaps: when their bits stand for bitmaps, and when not. */

#include <stdio.h>
#include <string.h>

#include "support.h"
#include "vhd-image.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])

#define MB (UINT64_C (1) << 20)
#define BLOCK (2 * MB)

/* Blocks 0, 1 and 9 have one sector by their bitmaps; the batmap calls 1
 * and 9 complete. */
#define HONOURED "hole 0+512, data 512+512@4096, hole 1024+2096128, " \
  "data 2097152+2097152@2101248, hole 4194304+14680064, " \
  "data 18874368+2097152@4198912"
#define IGNORED "hole 0+512, data 512+512@4096, hole 1024+2096640, " \
  "data 2097664+512@2101760, hole 2098176+16776704, " \
  "data 18874880+512@4199424, hole 18875392+2096128"

static void
init_batmap (struct vhd_image *image)
{
  const uint8_t bitmap[512] = { 0x40 }, batmap[] = { 0x40, 0x40 };

  vhd_image_init (image, VHD_DYNAMIC, 10 * BLOCK, BLOCK);
  vhd_image_add_block (image, 0, bitmap);
  vhd_image_add_block (image, 1, bitmap);
  vhd_image_add_block (image, 9, bitmap);
  vhd_image_set_batmap (image, batmap, sizeof batmap);
}

static struct vhd_batmap_header *
batmap_header (const struct vhd_image *image)
{
  return (struct vhd_batmap_header *) (image->bytes + image->batmap_header);
}

static void
check_batmap (const struct vhd_image *image, const char *expected,
              const char *warned)
{
  struct layer *layer = vhd_image_open (image, NULL);

  ck_assert_str_eq (last_warning (), warned);
  ck_assert_str_eq (map_text (layer, 0, layer->size), expected);
  layer_close (layer);
}

START_TEST (test_batmap)
{
  struct vhd_image image;

  init_batmap (&image);
  check_batmap (&image, HONOURED, "");
  /* Set bits of the map that has no block behind it do no harm. */
  image.bytes[image.batmap_header + 512 + 511] = 0xff;
  batmap_header (&image)->checksum = to_be32 (~(0x40u + 0x40 + 0xff));
  check_batmap (&image, HONOURED, "");
  /* Version 1.1 took bytes as signed: 0xff is -1. */
  batmap_header (&image)->version = to_be32 (0x00010001);
  check_batmap (&image, IGNORED, "disk.vhd: batmap: checksum 0xfffffe80, "
                "expected 0xffffff80: ignored");
  batmap_header (&image)->checksum = to_be32 (~(0x40u + 0x40 - 1));
  check_batmap (&image, HONOURED, "");
  vhd_image_free (&image);
}
END_TEST

#define BAD(field, value) \
  offsetof (struct vhd_batmap_header, field), \
  sizeof ((struct vhd_batmap_header *) 0)->field, value

static const struct {
  size_t offset;
  unsigned width;
  uint64_t value;
  const char *warned;           /* after "disk.vhd: batmap: " */
} batmaps[] = {
  { BAD (cookie, 0), NULL },
  { BAD (checksum, 0), "checksum 0x00000000, expected 0xffffff7f" },
  { BAD (version, 0x00010003), "version 1.3, must be at most 1.2" },
  { BAD (version, 0x00020000), "version 2.0, must be at most 1.2" },
  { BAD (map_sectors, 0), "0 bytes, the disk needs 512" },
  { BAD (map_offset, 6296065), "512 bytes at offset 6296065 reach beyond "
    "the end of the file (6296576 bytes)" },
  { BAD (map_offset, UINT64_MAX), "512 bytes at offset "
    "18446744073709551615 reach beyond the end of the file (6296576 bytes)" },
  { BAD (map_offset, 0),
    "checksum 0xffffff7f, expected 0xfffff40b" },
};

START_TEST (test_bad_batmap)
{
  char warned[256] = "";
  struct vhd_image image;
  unsigned i;

  init_batmap (&image);
  for (i = 0; i < batmaps[_i].width; ++i)
    image.bytes[image.batmap_header + batmaps[_i].offset + i] =
      batmaps[_i].value >> 8 * (batmaps[_i].width - 1 - i);
  if (batmaps[_i].warned)
    snprintf (warned, sizeof warned, "disk.vhd: batmap: %s: ignored",
              batmaps[_i].warned);
  check_batmap (&image, IGNORED, warned);
  vhd_image_free (&image);
}
END_TEST

/* What other tools have there is not one. */
START_TEST (test_batmap_of_others)
{
  struct vhd_image image;

  init_batmap (&image);
  memcpy (vhd_image_footer (&image)->creator, "win ", 4);
  vhd_image_fix (&image);
  check_batmap (&image, IGNORED, "");

  memcpy (vhd_image_footer (&image)->creator, "tap\0", 4);
  vhd_image_footer (&image)->creator_version = to_be32 (0x00000001);
  vhd_image_fix (&image);
  check_batmap (&image, IGNORED, "");
  vhd_image_free (&image);

  vhd_image_init (&image, VHD_DYNAMIC, 4096, 4096);
  vhd_image_add_block (&image, 0, (const uint8_t *) "\x01");
  vhd_image_set_batmap (&image, (const uint8_t *) "\x80", 1);
  check_batmap (&image, "hole 0+3584, data 3584+512@7168", "");
  vhd_image_free (&image);
}
END_TEST

/* The BAT may end where the file does, or be said to go on. */
START_TEST (test_no_room_for_batmap)
{
  struct vhd_image image;
  uint32_t entries;

  init_batmap (&image);
  entries = (image.size - VHD_IMAGE_BAT) / sizeof (be32);
  vhd_image_header (&image)->max_table_entries = to_be32 (entries);
  vhd_image_fix (&image);
  check_batmap (&image, IGNORED, "");
  vhd_image_header (&image)->max_table_entries = to_be32 (UINT32_MAX);
  vhd_image_fix (&image);
  check_batmap (&image, IGNORED, "");
  vhd_image_free (&image);
}
END_TEST

/* A block more than the checksum covers: 8 GiB and one.  The map has a bit
 * for it, which doesn't count. */
START_TEST (test_batmap_covers)
{
  const uint8_t bitmap[512] = { 0x80 };
  struct vhd_image image;
  struct layer *layer;
  size_t map;

  vhd_image_init (&image, VHD_DYNAMIC, 4097 * BLOCK, BLOCK);
  vhd_image_add_block (&image, 4095, bitmap);
  vhd_image_add_block (&image, 4096, bitmap);
  vhd_image_set_batmap (&image, NULL, 0);
  map = vhd_image_append (&image, 1024);
  image.bytes[map + 511] = 0x01;
  image.bytes[map + 512] = 0x80;
  batmap_header (&image)->map_offset = to_be64 (map);
  batmap_header (&image)->map_sectors = to_be32 (2);
  batmap_header (&image)->checksum = to_be32 (~UINT32_C (1));
  layer = vhd_image_open (&image, NULL);
  ck_assert_str_eq (last_warning (), "");
  ck_assert_str_eq (map_text (layer, 4095 * BLOCK, 2 * BLOCK),
                    "data 8587837440+2097152@19968, "
                    "data 8589934592+512@2117632, "
                    "hole 8589935104+2096640");
  layer_close (layer);
  vhd_image_free (&image);
}
END_TEST

/* 16 MiB more than the map of 256 KiB that is kept. */
START_TEST (test_batmap_too_large)
{
  const uint8_t bitmap[512] = { 0x80 };
  const uint64_t size = (UINT64_C (4) << 40) + 16 * MB;
  struct vhd_image image;
  struct layer *layer;
  size_t map;

  vhd_image_init (&image, VHD_DYNAMIC, size, BLOCK);
  vhd_image_add_block (&image, 0, bitmap);
  vhd_image_set_batmap (&image, NULL, 0);
  map = vhd_image_append (&image, 513 * 512);
  image.bytes[map] = 0x80;
  batmap_header (&image)->map_offset = to_be64 (map);
  batmap_header (&image)->map_sectors = to_be32 (513);
  batmap_header (&image)->checksum = to_be32 (~UINT32_C (0x80));
  layer = vhd_image_open (&image, NULL);
  ck_assert_str_eq (map_text (layer, 0, 1024),
                    "data 0+512@8392192, hole 512+512");
  layer_close (layer);

  vhd_image_footer (&image)->current_size = to_be64 (size - 16 * MB);
  vhd_image_fix (&image);
  layer = vhd_image_open (&image, NULL);
  ck_assert_str_eq (map_text (layer, 0, 1024), "data 0+1024@8392192");
  layer_close (layer);
  vhd_image_free (&image);
}
END_TEST

#define ENTRY_1 "disk.vhd: BAT: entry 1: block at sector "
#define END ", beyond the end of the file (6297600 bytes)"

/* Whole blocks, too, must lie in the file. */
START_TEST (test_batmap_beyond)
{
  struct vhd_image image;
  size_t offset;

  init_batmap (&image);
  /* Two sectors, and no footer behind them. */
  offset = vhd_image_append (&image, 3 * 512);
  image.size -= 512;
  vhd_image_bat (&image)[1] = to_be32 (offset / 512);
  check_vhd_damage (&image, BLOCK - 512,
                    "hole 2096640+512, data 2097152+1024@6296576",
                    ENTRY_1 "0x3009 has data up to offset 6298112" END);
  vhd_image_bat (&image)[1] = to_be32 (0xfffffffe);
  check_vhd_damage (&image, BLOCK - 512, "hole 2096640+512",
                    ENTRY_1 "0xfffffffe has data up to offset 2199023255552"
                    END);
  vhd_image_free (&image);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("vhd-batmap");
  TCase *tc = tcase_create ("vhd-batmap");

  tcase_set_timeout (tc, 120);
  tcase_add_test (tc, test_batmap);
  tcase_add_loop_test (tc, test_bad_batmap, 0, LEN (batmaps));
  tcase_add_test (tc, test_batmap_of_others);
  tcase_add_test (tc, test_no_room_for_batmap);
  tcase_add_test (tc, test_batmap_covers);
  tcase_add_test (tc, test_batmap_too_large);
  tcase_add_test (tc, test_batmap_beyond);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
