/* SPDX-License-Identifier: BSD-3-Clause */
/* Maps of dynamic VHDs: BATs, bitmaps of every shape against a model that
 * looks at one bit at a time, blocks that reach outside the file, and reads
 * that fail.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "source/memory.h"
#include "support.h"
#include "util/align.h"
#include "util/minmax.h"
#include "vhd-image.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])

#define KB 1024
#define MB (UINT64_C (1) << 20)
#define BLOCK (2 * MB)

/* --- Known maps ------------------------------------------------------- */

START_TEST (test_bat)
{
  struct vhd_image image;
  uint8_t bitmap[512] = { 0 };

  vhd_image_init (&image, VHD_DYNAMIC, 4 * BLOCK, BLOCK);
  check_vhd_map (&image, 0, 4 * BLOCK, "hole 0+8388608");
  /* At 3072, so that its data is at 3584. */
  ck_assert_uint_eq (vhd_image_add_block (&image, 1, NULL), 6);
  bitmap[0] = 0x60;
  bitmap[511] = 0x01;
  vhd_image_add_block (&image, 3, bitmap);
  check_vhd_map (&image, 0, 4 * BLOCK,
                 "hole 0+2097152, data 2097152+2097152@3584, "
                 "hole 4194304+2097664, data 6291968+1024@2101760, "
                 "hole 6292992+2095104, data 8388096+512@4197888");
  /* Parts of sectors. */
  check_vhd_map (&image, 6291968 + 100, 1, "data 6292068+1@2101860");
  check_vhd_map (&image, 6291967, 1026,
                 "hole 6291967+1, data 6291968+1024@2101760, hole 6292992+1");
  check_vhd_map (&image, 2097151, 2, "hole 2097151+1, data 2097152+1@3584");
  check_vhd_map (&image, 4 * BLOCK - 1, 1, "data 8388607+1@4198399");
  check_vhd_map (&image, 7, 0, "");
  vhd_image_free (&image);
}
END_TEST

/* Blocks that happen to lie one after the other are not contiguous: a
 * bitmap is between them. */
START_TEST (test_whole_blocks)
{
  struct vhd_image image;

  vhd_image_init (&image, VHD_DYNAMIC, 3 * 4096, 4096);
  vhd_image_add_block (&image, 0, NULL);
  vhd_image_add_block (&image, 1, NULL);
  vhd_image_add_block (&image, 2, NULL);
  check_vhd_map (&image, 0, 3 * 4096,
                 "data 0+4096@3584, data 4096+4096@8192, "
                 "data 8192+4096@12800");
  vhd_image_free (&image);
}
END_TEST

/* The disk may end within a block, and within a sector. */
START_TEST (test_last_block)
{
  struct vhd_image image;

  vhd_image_init (&image, VHD_DYNAMIC, 5000, 4096);
  vhd_image_add_block (&image, 1, NULL);
  check_vhd_map (&image, 0, 5000, "hole 0+4096, data 4096+904@3584");
  vhd_image_free (&image);
}
END_TEST

/* More entries than are read at a time. */
START_TEST (test_long_bat)
{
  struct vhd_image image;

  vhd_image_init (&image, VHD_DYNAMIC, 5000 * 512, 512);
  vhd_image_add_block (&image, 1023, NULL);
  vhd_image_add_block (&image, 1024, NULL);
  vhd_image_add_block (&image, 4999, NULL);
  check_vhd_map (&image, 0, 5000 * 512,
                 "hole 0+523776, data 523776+512@23552, data 524288+512@24576, "
                 "hole 524800+2034688, data 2559488+512@25600");
  vhd_image_free (&image);
}
END_TEST

/* The largest blocks there can be. */
START_TEST (test_huge_blocks)
{
  struct vhd_image image;

  vhd_image_init_bat (&image, VHD_DYNAMIC, UINT64_C (4) << 31,
                      UINT32_C (1) << 31, 4);
  check_vhd_map (&image, 0, UINT64_C (4) << 31, "hole 0+8589934592");
  check_vhd_map (&image, (UINT64_C (4) << 31) - 1, 1, "hole 8589934591+1");
  vhd_image_free (&image);
}
END_TEST

/* --- Bitmaps against a model ------------------------------------------ */

struct model {
  struct vhd_image image;
  uint64_t size;
  uint32_t blocks;
  uint64_t *data;               /* of each block: host offset, 0: none */
  uint8_t **bitmaps;
};

static uint32_t
next_random (uint64_t *seed)
{
  *seed = *seed * UINT64_C (6364136223846793005) + 1442695040888963407;
  return *seed >> 33;
}

/* A bitmap of one of several characters. */
static uint8_t *
random_bitmap (size_t bits, uint64_t *seed)
{
  const unsigned shape = next_random (seed) % 7;
  const size_t bytes = divide_up (bits, 8);
  uint8_t *bitmap = calloc (1, bytes);
  size_t i, n;

  ck_assert_ptr_nonnull (bitmap);
  switch (shape) {
  case 0: return bitmap;
  case 1: memset (bitmap, 0xff, bytes); return bitmap;
  case 2: memset (bitmap, 0x55, bytes); return bitmap;
  case 3:
    for (i = 0; i < bytes; ++i)
      bitmap[i] = next_random (seed);
    return bitmap;
  case 4:
    for (n = 0; n < 4; ++n) {
      i = next_random (seed) % bits;
      bitmap[i / 8] ^= 0x80 >> i % 8;
    }
    return bitmap;
  case 5:
    memset (bitmap, 0xff, bytes);
    i = next_random (seed) % bits;
    bitmap[i / 8] ^= 0x80 >> i % 8;
    return bitmap;
  default:
    /* Runs of up to 200 bits. */
    for (i = 0; i < bits; ) {
      const bool set = next_random (seed) % 2;

      for (n = next_random (seed) % 200 + 1; n > 0 && i < bits; --n, ++i)
        if (set)
          bitmap[i / 8] |= 0x80 >> i % 8;
    }
    return bitmap;
  }
}

static void
model_init (struct model *model, uint32_t block_size, uint32_t blocks,
            uint64_t *seed)
{
  const uint64_t bitmap_size = round_up (divide_up (block_size, 4096), 512);
  uint32_t i;

  model->blocks = blocks;
  model->size = (uint64_t) block_size * (blocks - 1) +
    next_random (seed) % block_size + 1;
  model->data = calloc (blocks, sizeof *model->data);
  model->bitmaps = calloc (blocks, sizeof *model->bitmaps);
  vhd_image_init (&model->image, VHD_DYNAMIC, model->size, block_size);
  for (i = 0; i < blocks; ++i) {
    if (next_random (seed) % 4 == 0)
      continue;
    model->bitmaps[i] = random_bitmap (block_size / 512, seed);
    model->data[i] = bitmap_size + UINT64_C (512) *
      vhd_image_add_block (&model->image, i, model->bitmaps[i]);
  }
}

static void
model_free (struct model *model)
{
  uint32_t i;

  for (i = 0; i < model->blocks; ++i)
    free (model->bitmaps[i]);
  free (model->bitmaps);
  free (model->data);
  vhd_image_free (&model->image);
}

/* What one sector or a part of it is. */
static struct interval
model_sector (const struct model *model, uint64_t offset, uint64_t length)
{
  const uint64_t within = offset % model->image.block_size;
  const uint64_t block = offset / model->image.block_size;
  const uint64_t bit = within / 512;
  struct interval interval = {
    .offset = offset, .length = length, .host = VDISK_NO_HOST_OFFSET,
    .kind = VDISK_HOLE,
  };

  if (model->data[block] != 0 &&
      (model->bitmaps[block][bit / 8] & 0x80 >> bit % 8)) {
    interval.kind = VDISK_DATA;
    interval.host = model->data[block] + within;
  }
  return interval;
}

static void
model_map (const struct model *model, uint64_t offset, uint64_t end,
           struct interval_list *list)
{
  while (offset < end) {
    const uint64_t stop = min_u64 (round_down (offset, 512) + 512, end);
    const struct interval interval = model_sector (model, offset,
                                                   stop - offset);

    if (interval_list_append (list, &interval) == -1)
      ck_abort_msg ("out of memory");
    offset = stop;
  }
}


static bool
is_same (const struct interval *a, const struct interval *b)
{
  return a->offset == b->offset && a->length == b->length &&
    a->host == b->host && a->kind == b->kind && a->depth == b->depth;
}

/* 'list' is what 'whole' starts with, or all of it.  No assertion for each
 * interval: Check takes a system call for it. */
static void
assert_starts (const struct interval_list *whole,
               const struct interval_list *list, bool all)
{
  size_t i;

  ck_assert_uint_le (list->count, whole->count);
  for (i = 0; i < list->count; ++i) {
    struct interval expected = whole->at[i];

    /* The last may have been going on. */
    if (!all && i == list->count - 1)
      expected.length = min_u64 (expected.length, list->at[i].length);
    if (!is_same (&list->at[i], &expected))
      ck_abort_msg ("interval %zu: kind %d, %" PRIu64 "+%" PRIu64, i,
                    list->at[i].kind, list->at[i].offset,
                    list->at[i].length);
  }
  if (all)
    ck_assert_uint_eq (list->count, whole->count);
}

static void
compare_with_model (const struct model *model, struct layer *layer,
                    uint64_t offset, uint64_t end)
{
  struct interval_list expected = { 0 }, found = { 0 };
  struct vdisk_error error = { 0 };

  model_map (model, offset, end, &expected);
  ck_assert_msg (format_vhd.map (layer, offset, end - offset, &found,
                                 &error) == 0, "%s", error.message);
  assert_starts (&expected, &found, true);
  interval_list_free (&expected);
  interval_list_free (&found);
}

static const struct {
  uint32_t block_size, blocks;
} shapes[] = {
  { 512, 100 }, { 1024, 100 }, { 4096, 50 }, { 64 * KB, 20 },
  { 2 << 20, 6 }, { 16 << 20, 2 }, { 64 << 20, 2 },
};

#define SEEDS 4

START_TEST (test_model)
{
  uint64_t seed = _i + 1;
  struct layer *layer;
  struct model model;
  int n;

  model_init (&model, shapes[_i % LEN (shapes)].block_size,
              shapes[_i % LEN (shapes)].blocks, &seed);
  layer = vhd_image_open (&model.image, NULL);
  compare_with_model (&model, layer, 0, model.size);
  for (n = 0; n < 50; ++n) {
    const uint64_t offset =
      ((uint64_t) next_random (&seed) << 20 ^ next_random (&seed)) %
      model.size;
    const uint64_t count = next_random (&seed) % (next_random (&seed) % 2 ?
                                                  8 * MB : 10000);

    compare_with_model (&model, layer, offset,
                        min_u64 (offset + count, model.size));
  }
  layer_close (layer);
  model_free (&model);
}
END_TEST

/* --- sector-bitmaps=ignore -------------------------------------------- */

static void
check_ignoring (enum vhd_type type, const char *expected)
{
  struct vdisk_options *options = vdisk_options_new ();
  const uint8_t bitmap[] = { 0x40 };
  struct vhd_image image;
  struct layer *layer;

  options->ignore_sector_bitmaps = true;
  vhd_image_init (&image, type, 5 * 4096 - 512, 4096);
  vhd_image_add_block (&image, 1, bitmap);
  vhd_image_add_block (&image, 4, bitmap);
  vhd_image_add_path (&image, 0, VHD_LOCATOR_W2RU, "base.vhd");
  layer = vhd_image_open (&image, options);
  vdisk_options_free (options);
  ck_assert_str_eq (map_text (layer, 0, layer->size), expected);
  layer_close (layer);
  vhd_image_free (&image);
}

START_TEST (test_ignore)
{
  check_ignoring (VHD_DYNAMIC, "hole 0+4096, data 4096+4096@3584, "
                  "hole 8192+8192, data 16384+3584@8192");
  /* There, bits say what is the parent's. */
  check_ignoring (VHD_DIFFERENCING, "hole 0+4608, data 4608+512@4096, "
                  "hole 5120+11776, data 16896+512@8704, hole 17408+2560");
}
END_TEST

/* --- Blocks outside the file ------------------------------------------ */

#define DAMAGE(entry, sector, what, end, size) \
  "disk.vhd: BAT: entry " entry ": block at sector " sector " has " what \
  " up to offset " end ", beyond the end of the file (" size " bytes)"
#define SIZE "4198912"
#define CUT "5247488"
#define BLOCK_0 "data 0+2097152@3584"
#define BLOCK_2 "data 4194304+2097152@2101248"

/* Three blocks, of which 0 and 2 are good.  The file has 8201 sectors. */
static void
init_beyond (struct vhd_image *image, uint32_t entry)
{
  vhd_image_init (image, VHD_DYNAMIC, 3 * BLOCK, BLOCK);
  vhd_image_add_block (image, 0, NULL);
  vhd_image_add_block (image, 2, NULL);
  vhd_image_bat (image)[1] = to_be32 (entry);
  ck_assert_uint_eq (image->size, 8201 * 512);
}

START_TEST (test_bitmap_beyond)
{
  struct vhd_image image;

  init_beyond (&image, 0xfffffffe);
  check_vhd_damage (&image, 0, BLOCK_0,
                    DAMAGE ("1", "0xfffffffe", "its bitmap",
                            "2199023254529", SIZE));
  vhd_image_bat (&image)[1] = to_be32 (8201);
  check_vhd_damage (&image, 0, BLOCK_0,
                    DAMAGE ("1", "0x2009", "its bitmap", "4198913", SIZE));
  check_vhd_damage (&image, BLOCK + 512, "",
                    DAMAGE ("1", "0x2009", "its bitmap", "4198913", SIZE));
  /* What is not asked for does no harm. */
  check_vhd_map (&image, 0, BLOCK, BLOCK_0);
  check_vhd_map (&image, 2 * BLOCK, BLOCK, BLOCK_2);

  vhd_image_free (&image);
}
END_TEST

/* The file ends in the middle of block 1. */
START_TEST (test_data_beyond)
{
  const size_t bitmap = 2101248 + BLOCK;
  const char *half = "data 2097152+1048576@4198912";
  struct vhd_image image;

  vhd_image_init (&image, VHD_DYNAMIC, 3 * BLOCK, BLOCK);
  vhd_image_add_block (&image, 0, NULL);
  vhd_image_add_block (&image, 2, NULL);
  vhd_image_append (&image, 512 + MB);
  vhd_image_bat (&image)[1] = to_be32 (bitmap / 512);
  memset (image.bytes + bitmap, 0xff, 512);
  /* Without its footer. */
  image.size -= 512;
  check_vhd_damage (&image, BLOCK, half,
                    DAMAGE ("1", "0x2008", "data", "5248000", CUT));
  check_vhd_damage (&image, 2621540, "data 2621540+524188@4723300",
                    DAMAGE ("1", "0x2008", "data", "5248000", CUT));
  check_vhd_damage (&image, 4000000, "",
                    DAMAGE ("1", "0x2008", "data", "6102016", CUT));
  check_vhd_map (&image, BLOCK, MB, half);

  /* Sectors that are absent need not be in the file. */
  memset (image.bytes + bitmap + 256, 0, 256);
  check_vhd_map (&image, BLOCK, 2 * BLOCK,
                 "data 2097152+1048576@4198912, hole 3145728+1048576, "
                 BLOCK_2);
  image.bytes[bitmap + 511] = 1;
  check_vhd_damage (&image, BLOCK,
                    "data 2097152+1048576@4198912, hole 3145728+1048064",
                    DAMAGE ("1", "0x2008", "data", "6296064", CUT));

  /* A sector that is there but for its last byte is not there. */
  image.size--;
  check_vhd_damage (&image, BLOCK, "data 2097152+1048064@4198912",
                    DAMAGE ("1", "0x2008", "data", "5247488", "5247487"));
  vhd_image_free (&image);
}
END_TEST

/* The file ends within a bitmap: what there is of it counts. */
START_TEST (test_bitmap_cut)
{
  struct vhd_image image;
  size_t offset;

  vhd_image_init (&image, VHD_DYNAMIC, 64 * MB, 64 * MB);
  offset = vhd_image_append (&image, 512);
  vhd_image_bat (&image)[0] = to_be32 (offset / 512);
  image.size = offset + 10;
  check_vhd_damage (&image, 512, "hole 512+40448",
                    DAMAGE ("0", "0x6", "its bitmap", "3083", "3082"));
  check_vhd_map (&image, 0, 40960, "hole 0+40960");
  vhd_image_free (&image);
}
END_TEST

/* --- Blocks that lie over something else ------------------------------ */

#define LIES_IN(entry, sector, where) \
  "disk.vhd: BAT: entry " entry ": block at sector " sector ": its bitmap " \
  "lies in " where
#define IN_BLOCK(entry, sector, other) \
  LIES_IN (entry, sector, "another block, at sector " other)

/* Blocks 0 to 3 of 4 KiB, from sector 6 on, 9 sectors each; a footer at
 * sector 42. */
static const struct {
  uint32_t bat[4];
  uint64_t from;                /* to the end of the disk */
  const char *before;           /* NULL: nothing is wrong */
  const char *message;
} overlaps[] = {
  { { 6, 15, 24, 33 }, 0, NULL, NULL },
  { { 33, 6, 24, 15 }, 0, NULL, NULL },
  /* Over tables. */
  { { 0, 15, 24, 33 }, 0, "",
    LIES_IN ("0", "0x0", "the footer copy at offset 0") },
  { { 6, 1, 24, 33 }, 0, "data 0+4096@3584",
    LIES_IN ("1", "0x1", "the header at offset 512") },
  { { 6, 2, 24, 33 }, 4096, "",
    LIES_IN ("1", "0x2", "the header at offset 512") },
  { { 3, 15, 24, 33 }, 0, "",
    LIES_IN ("0", "0x3", "the BAT at offset 1536") },
  { { 6, 15, 24, 42 }, 12288, "",
    LIES_IN ("3", "0x2a", "the footer at offset 21504") },
  /* A writer that leaves out a sector. */
  { { 6, 14, 22, 30 }, 0, "data 0+4096@3584",
    IN_BLOCK ("1", "0xe", "0x6") },
  { { 6, 14, 22, 30 }, 8192, "", IN_BLOCK ("2", "0x16", "0xe") },
  { { 6, 14, 22, 30 }, 12288, "", IN_BLOCK ("3", "0x1e", "0x16") },
  /* The same, from the last to the first. */
  { { 30, 22, 14, 6 }, 0, "", IN_BLOCK ("0", "0x1e", "0x16") },
  { { 30, 22, 14, 6 }, 12288, NULL, NULL },
  /* Two in one place, and one in the middle of another. */
  { { 6, 24, 24, 33 }, 4096, "", IN_BLOCK ("1", "0x18", "0x18") },
  { { 6, 24, 24, 33 }, 8192, "", IN_BLOCK ("2", "0x18", "0x18") },
  { { 6, 15, 28, 33 }, 12288, "", IN_BLOCK ("3", "0x21", "0x1c") },
};

START_TEST (test_overlaps)
{
  struct vhd_image image;
  struct layer *layer;
  uint32_t i;

  vhd_image_init (&image, VHD_DYNAMIC, 4 * 4096, 4096);
  for (i = 0; i < 4; ++i)
    vhd_image_add_block (&image, i, NULL);
  for (i = 0; i < 4; ++i)
    memset (image.bytes + (6 + 9 * i) * 512, 0xff, 9 * 512);
  ck_assert_uint_eq (image.size, 43 * 512);
  for (i = 0; i < 4; ++i)
    vhd_image_bat (&image)[i] = to_be32 (overlaps[_i].bat[i]);
  if (overlaps[_i].before)
    check_vhd_damage (&image, overlaps[_i].from, overlaps[_i].before,
                      overlaps[_i].message);
  else {
    layer = vhd_image_open (&image, NULL);
    map_text (layer, overlaps[_i].from, layer->size - overlaps[_i].from);
    layer_close (layer);
  }
  vhd_image_free (&image);
}
END_TEST

/* A bitmap in free space, and then data over the footer. */
START_TEST (test_data_over_footer)
{
  struct vhd_image image;
  size_t offset;

  vhd_image_init (&image, VHD_DYNAMIC, 4096, 4096);
  offset = vhd_image_append (&image, 512 + 1024);
  memset (image.bytes + offset, 0xff, 512);
  vhd_image_bat (&image)[0] = to_be32 (offset / 512);
  check_vhd_damage (&image, 0, "data 0+1024@3584",
                    "disk.vhd: BAT: entry 0: block at sector 0x6: its data "
                    "lies over the footer at offset 4608");
  check_vhd_damage (&image, 1100, "",
                    "disk.vhd: BAT: entry 0: block at sector 0x6: its data "
                    "lies over the footer at offset 4608");
  /* Sectors that are absent do no harm. */
  image.bytes[offset] = 0xc0;
  check_vhd_map (&image, 0, 4096, "data 0+1024@3584, hole 1024+3072");
  vhd_image_free (&image);
}
END_TEST

/* A sector with a part of the footer is damaged, whichever bytes of it are
 * asked for. */
START_TEST (test_data_over_part)
{
  struct vhd_image image;
  struct layer *layer;
  struct interval_list list = { 0 };
  size_t offset;

  vhd_image_init (&image, VHD_DYNAMIC, 4096, 4096);
  offset = vhd_image_append (&image, 512 + 1024 + 100);
  memset (image.bytes + offset, 0xff, 512);
  vhd_image_bat (&image)[0] = to_be32 (offset / 512);
  check_vhd_damage (&image, 0, "data 0+1024@3584",
                    "disk.vhd: BAT: entry 0: block at sector 0x6: its data "
                    "lies over the footer at offset 4708");
  layer = vhd_image_open (&image, NULL);
  ck_assert_int_eq (format_vhd.map (layer, 1024, 10, &list, NULL), -1);
  ck_assert_int_eq (format_vhd.map (layer, 1020, 5, &list, NULL), -1);
  interval_list_free (&list);
  layer_close (layer);
  vhd_image_free (&image);
}
END_TEST

/* A locator without data lies nowhere. */
START_TEST (test_empty_locator)
{
  struct vhd_image image;
  struct vhd_dynamic_header *header;
  uint32_t sector;

  vhd_image_init (&image, VHD_DIFFERENCING, 4096, 4096);
  vhd_image_add_path (&image, 0, VHD_LOCATOR_W2RU, "parent.vhd");
  sector = vhd_image_add_block (&image, 0, NULL);
  header = vhd_image_header (&image);
  header->locators[1] = (struct vhd_locator) {
    .code = to_be32 (VHD_LOCATOR_W2KU),
    .data_offset = to_be64 ((uint64_t) sector * VHD_SECTOR_SIZE + 100),
  };
  vhd_image_fix (&image);
  check_vhd_map (&image, 0, 4096, "data 0+4096@4096");
  vhd_image_free (&image);
}
END_TEST

/* A model that compares each block with each other. */
START_TEST (test_random_overlaps)
{
  enum { BLOCKS = 12, UNIT = 9 };
  uint64_t seed = _i + 1, bad, mapped;
  uint32_t sectors[BLOCKS], i, j;
  struct vhd_image image;
  struct layer *layer;

  vhd_image_init (&image, VHD_DYNAMIC, BLOCKS * 4096 - 2048, 4096);
  vhd_image_append (&image, 30 * UNIT * 512);
  memset (image.bytes + 6 * 512, 0xff, 30 * UNIT * 512);
  for (i = 0; i < BLOCKS; ++i) {
    sectors[i] = 6 + next_random (&seed) % (29 * UNIT);
    vhd_image_bat (&image)[i] = to_be32 (sectors[i]);
  }
  layer = vhd_image_open (&image, NULL);
  for (i = 0; i < BLOCKS; ++i) {
    struct interval_list list = { 0 };

    for (j = bad = 0; j < BLOCKS; ++j)
      bad |= j != i && sectors[j] <= sectors[i] &&
        sectors[i] < sectors[j] + (j == BLOCKS - 1 ? UNIT - 4 : UNIT);
    mapped = format_vhd.map (layer, i * 4096, 2048, &list, NULL) == 0;
    ck_assert_msg (mapped != bad, "seed %d, block %" PRIu32, _i + 1, i);
    interval_list_free (&list);
  }
  layer_close (layer);
  vhd_image_free (&image);
}
END_TEST

/* The same with bitmaps of two sectors, in which other blocks can start. */
START_TEST (test_random_large_bitmaps)
{
  enum { BLOCKS = 4, BYTES = 4 << 20, LENGTH = BYTES / 512 + 2 };
  uint64_t seed = _i + 1, bad, mapped;
  uint32_t sectors[BLOCKS], i, j;
  struct vhd_image image;
  struct layer *layer;

  vhd_image_init (&image, VHD_DYNAMIC, BLOCKS * (uint64_t) BYTES - 2048,
                  BYTES);
  vhd_image_append (&image, 40 * 512);
  memset (image.bytes + 6 * 512, 0xff, 40 * 512);
  for (i = 0; i < BLOCKS; ++i) {
    sectors[i] = 6 + next_random (&seed) % 16;
    vhd_image_bat (&image)[i] = to_be32 (sectors[i]);
  }
  layer = vhd_image_open (&image, NULL);
  for (i = 0; i < BLOCKS; ++i) {
    struct interval_list list = { 0 };

    for (j = bad = 0; j < BLOCKS; ++j)
      bad |= j != i && sectors[j] < sectors[i] + 2 &&
        sectors[i] < sectors[j] + LENGTH - (j == BLOCKS - 1 ? 4 : 0);
    mapped = format_vhd.map (layer, i * (uint64_t) BYTES, 512, &list,
                             NULL) == 0;
    ck_assert_msg (mapped != bad, "seed %d, block %" PRIu32, _i + 1, i);
    interval_list_free (&list);
  }
  layer_close (layer);
  vhd_image_free (&image);
}
END_TEST

/* --- Bytes in absent sectors ------------------------------------------ */

#define LYING(block) \
  "disk.vhd: bitmaps: block " block " holds bytes in sectors that are " \
  "absent by its bitmap, and read as zeros: if it was made by a program " \
  "that does not keep bitmaps, sector-bitmaps=ignore shows them"

static const struct {
  enum vhd_type type;
  const char *creator;
  uint8_t bits;                 /* of all blocks */
  size_t byte;                  /* of block 1, that is not zero */
  const char *warning;
} lying[] = {
  { VHD_DYNAMIC, "win ", 0x80, 512, LYING ("1") },
  { VHD_DYNAMIC, "win ", 0x80, 4095, LYING ("1") },
  { VHD_DYNAMIC, "vpc ", 0x00, 0, LYING ("1") },
  { VHD_DYNAMIC, "\0\0\0", 0xfe, 3584, LYING ("1") },
  { VHD_DYNAMIC, "win ", 0x80, 511, "" },
  { VHD_DYNAMIC, "win ", 0xff, 4095, "" },
  { VHD_DYNAMIC, "tap", 0x80, 512, "" },
  { VHD_DYNAMIC, "CTXS", 0x80, 512, "" },
  { VHD_DYNAMIC, "caml", 0x80, 512, "" },
  { VHD_DIFFERENCING, "win ", 0x80, 512, "" },
};

START_TEST (test_lying_bitmaps)
{
  const uint8_t bitmap[] = { lying[_i].bits };
  struct vhd_image image;
  struct layer *layer;
  uint32_t sector;

  vhd_image_init (&image, lying[_i].type, 3 * 4096, 4096);
  vhd_image_add_block (&image, 0, bitmap);
  sector = vhd_image_add_block (&image, 1, bitmap);
  image.bytes[(sector + 1) * 512 + lying[_i].byte] = 1;
  sector = vhd_image_add_block (&image, 2, bitmap);
  /* The second that lies is not told of. */
  if (*lying[_i].warning)
    memset (image.bytes + (sector + 1) * 512, 1, 4096);
  memcpy (vhd_image_footer (&image)->creator, lying[_i].creator, 4);
  vhd_image_add_path (&image, 0, VHD_LOCATOR_W2RU, "base.vhd");
  vhd_image_fix (&image);
  layer = vhd_image_open (&image, NULL);
  ck_assert_str_eq (last_warning (), "");
  map_text (layer, 0, 4096);
  ck_assert_str_eq (last_warning (), "");
  map_text (layer, 0, layer->size);
  ck_assert_str_eq (last_warning (), lying[_i].warning);
  layer_close (layer);
  vhd_image_free (&image);
}
END_TEST

/* --- Failing reads ---------------------------------------------------- */

/* Let read 'n' fail, of all that opening and mapping make: the map ends
 * there.  Mapped again it is as if nothing had been.  False if there were not
 * as many. */
static bool
fail_read (const struct vhd_image *image, size_t n,
           const struct interval_list *whole)
{
  struct source *source =
    source_faulty (source_memory ("disk.vhd", image->bytes, image->size), n);
  struct interval_list list = { 0 };
  struct vdisk_error error = { 0 };
  struct layer *layer = open_layer (&format_vhd, source, NULL, &error);
  bool failed = layer == NULL, reached = true;

  if (layer) {
    failed = format_vhd.map (layer, 0, layer->size, &list, &error) == -1;
    reached = source_faulty_count (source) > n;
    ck_assert_int_eq (failed, reached);
    assert_starts (whole, &list, !failed);
    interval_list_clear (&list);
    if (reached)
      ck_assert_int_eq (format_vhd.map (layer, 0, layer->size, &list, NULL),
                        0);
    assert_starts (whole, &list, reached);
  }
  if (failed) {
    ck_assert_int_eq (error.errnum, EIO);
    ck_assert_str_eq (error.message, "injected");
  }
  interval_list_free (&list);
  layer_close (layer);
  return reached;
}

START_TEST (test_faulty)
{
  const uint8_t bitmap[512] = { 0x40 }, batmap[] = { 0x40 };
  struct interval_list whole = { 0 };
  struct vdisk_error error = { 0 };
  struct vhd_image image;
  struct layer *layer;
  size_t n = 0;

  vhd_image_init (&image, VHD_DYNAMIC, 10 * BLOCK, BLOCK);
  vhd_image_add_block (&image, 0, bitmap);
  vhd_image_add_block (&image, 1, bitmap);
  vhd_image_add_block (&image, 9, bitmap);
  vhd_image_set_batmap (&image, batmap, sizeof batmap);
  layer = vhd_image_open (&image, NULL);
  ck_assert_int_eq (format_vhd.map (layer, 0, layer->size, &whole, &error),
                    0);
  while (fail_read (&image, n, &whole))
    n++;
  /* Footer, copy, header, batmap's header, batmap; BAT, all of it to find
   * overlaps, two bitmaps. */
  ck_assert_uint_eq (n, 9);
  layer_close (layer);
  interval_list_free (&whole);
  vhd_image_free (&image);
}
END_TEST

/* Blocks that overlap are known, also where the first look at the BAT
 * failed. */
START_TEST (test_faulty_overlap)
{
  struct vdisk_error error = { 0 };
  struct interval_list list = { 0 };
  struct vhd_image image;
  struct layer *layer;
  struct source *source;

  vhd_image_init (&image, VHD_DYNAMIC, 2 * 4096, 4096);
  vhd_image_add_block (&image, 0, NULL);
  vhd_image_add_block (&image, 1, NULL);
  memset (image.bytes + 6 * 512, 0xff, 18 * 512);
  vhd_image_bat (&image)[1] = to_be32 (14);
  /* Footer, copy, header, batmap's header; BAT; all of it. */
  source = source_faulty (source_memory ("disk.vhd", image.bytes,
                                         image.size), _i);
  layer = open_layer (&format_vhd, source, NULL, &error);
  ck_assert_ptr_nonnull (layer);
  ck_assert_int_eq (format_vhd.map (layer, 0, layer->size, &list, &error),
                    -1);
  ck_assert_str_eq (error.message, "injected");
  error_clear (&error);
  ck_assert_int_eq (format_vhd.map (layer, 0, layer->size, &list, &error),
                    -1);
  ck_assert_str_eq (error.message, IN_BLOCK ("1", "0xe", "0x6"));
  interval_list_free (&list);
  layer_close (layer);
  vhd_image_free (&image);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("vhd-map");
  TCase *tc = tcase_create ("vhd-map");

  tcase_set_timeout (tc, 120);
  tcase_add_test (tc, test_bat);
  tcase_add_test (tc, test_whole_blocks);
  tcase_add_test (tc, test_last_block);
  tcase_add_test (tc, test_long_bat);
  tcase_add_test (tc, test_huge_blocks);
  tcase_add_loop_test (tc, test_model, 0, SEEDS * LEN (shapes));
  tcase_add_test (tc, test_ignore);
  tcase_add_test (tc, test_bitmap_beyond);
  tcase_add_test (tc, test_data_beyond);
  tcase_add_test (tc, test_bitmap_cut);
  tcase_add_loop_test (tc, test_overlaps, 0, LEN (overlaps));
  tcase_add_test (tc, test_data_over_footer);
  tcase_add_test (tc, test_data_over_part);
  tcase_add_test (tc, test_empty_locator);
  tcase_add_loop_test (tc, test_random_overlaps, 0, 200);
  tcase_add_loop_test (tc, test_random_large_bitmaps, 0, 200);
  tcase_add_loop_test (tc, test_lying_bitmaps, 0, LEN (lying));
  tcase_add_test (tc, test_faulty);
  tcase_add_loop_test (tc, test_faulty_overlap, 4, 6);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
