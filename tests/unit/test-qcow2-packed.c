/* SPDX-License-Identifier: BSD-3-Clause */
/* Compressed clusters of QCOW2 images: streams made by libdeflate, libzstd
 * and by hand, whole and damaged; reading parts of clusters; and doing so
 * from many threads.
 */

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>
#include <zstd.h>

#include "chain.h"
#include "image.h"
#include "qcow2-check.h"
#include "qcow2-image.h"
#include "random.h"
#include "source/memory.h"
#include "support.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])

#define MB (1 << 20)
#define C 65536                 /* the size of most clusters here */

/* Where the first data cluster of such images is. */
#define DATA (3 * C)

#define DEFLATE 0
#define ZSTD QCOW2_COMPRESSION_TYPE

/* A compressed stream, and a cluster's worth of bytes. */
struct stream {
  uint8_t bytes[5 * MB];
  size_t size;
};

static struct stream stream;
static uint8_t cluster[2 * MB];

static void
pack_deflate (const void *bytes, size_t size, int level)
{
  struct libdeflate_compressor *tool = libdeflate_alloc_compressor (level);

  ck_assert_ptr_nonnull (tool);
  stream.size = libdeflate_deflate_compress (tool, bytes, size,
                                             stream.bytes,
                                             sizeof stream.bytes);
  ck_assert_uint_gt (stream.size, 0);
  libdeflate_free_compressor (tool);
}

/* Add a frame to the stream, with the content's size and a checksum in it
 * or not (QEMU writes neither). */
static void
add_frame (const void *bytes, size_t size, int with_size, int checksum)
{
  ZSTD_CCtx *tool = ZSTD_createCCtx ();
  size_t made;

  ck_assert_ptr_nonnull (tool);
  ZSTD_CCtx_setParameter (tool, ZSTD_c_compressionLevel, 1);
  ZSTD_CCtx_setParameter (tool, ZSTD_c_contentSizeFlag, with_size);
  ZSTD_CCtx_setParameter (tool, ZSTD_c_checksumFlag, checksum);
  made = ZSTD_compress2 (tool, stream.bytes + stream.size,
                         sizeof stream.bytes - stream.size, bytes, size);
  ck_assert (!ZSTD_isError (made));
  stream.size += made;
  ZSTD_freeCCtx (tool);
}

static void
pack (uint64_t features, const void *bytes, size_t size)
{
  stream.size = 0;
  if (features & ZSTD)
    add_frame (bytes, size, 0, 0);
  else
    pack_deflate (bytes, size, 1);
}

/* Fill with bytes that can be compressed, or cannot. */
static void
fill (uint8_t *bytes, size_t size, bool compressible, struct random *random)
{
  static const char words[8][9] = {
    "sectors ", "interval", "virtual ", "cluster\n", "of bytes", "\0\0\0\0",
    "zeroes, ", "and data",
  };
  size_t i;

  for (i = 0; i < size; i += 8) {
    uint64_t n = random_next (random);

    memcpy (bytes + i, compressible ? (void *) words[n % 8] : &n, 8);
  }
}

/* Map the cluster of a guest offset, and unpack it.  It has to be these
 * bytes, or (NULL) the message has to come, after the name of the file. */
static void
check_unpack (const struct qcow2_image *image, uint64_t guest,
              const void *bytes, const char *message)
{
  struct layer *layer = qcow2_open (image);
  struct interval_list list = { 0 };
  struct vdisk_error error = { 0 };
  uint8_t *found = malloc (image->cluster_size);
  char wanted[1024] = "";
  int r;

  ck_assert_int_eq (layer->format->map (layer, guest, image->cluster_size,
                                        &list, NULL), 0);
  ck_assert_uint_eq (list.count, 1);
  ck_assert_int_eq (list.at[0].kind, VDISK_PACKED);
  r = layer->format->unpack (layer, &list.at[0], found, &error);
  if (message)
    snprintf (wanted, sizeof wanted, "disk.qcow2: %s", message);
  ck_assert_str_eq (error.message, wanted);
  ck_assert_int_eq (error.errnum, message ? EIO : 0);
  ck_assert_int_eq (r, message ? -1 : 0);
  if (bytes)
    ck_assert_int_eq (memcmp (found, bytes, image->cluster_size), 0);
  free (found);
  interval_list_free (&list);
  layer_close (layer);
}

/* An image of one cluster that is compressed to the stream, which starts
 * 'skip' bytes after a cluster, with 'sectors' more than it takes. */
static void
init_image (struct qcow2_image *image, unsigned cluster_bits,
            uint64_t features, size_t skip, int sectors)
{
  uint64_t host, entry;

  qcow2_image_init (image, 3, cluster_bits, UINT64_C (1) << cluster_bits,
                    features);
  qcow2_image_l2 (image, 0);
  image->size += skip;
  host = qcow2_image_append_bytes (image, stream.bytes, stream.size);
  entry = qcow2_image_packed (image, host, stream.size);
  entry += (uint64_t) sectors << (62 - (cluster_bits - 8));
  qcow2_image_set (image, 0, entry);
}

/* The stream is all there is in the file after the tables. */
static void
check_stream (uint64_t features, const void *bytes, const char *message)
{
  struct qcow2_image image;
  char text[200];
  size_t skip, size;

  for (skip = 0; skip < 1024; skip += 511) {
    init_image (&image, 16, features, skip, 0);
    size = stream.size;
    snprintf (text, sizeof text, "compressed cluster of guest offset 0, "
              "%zu bytes at offset %zu: %s", size, DATA + skip, message);
    check_unpack (&image, 0, bytes, message ? text : NULL);
    qcow2_image_free (&image);
  }
}

/* Clusters of each size, whose streams follow each other to the end of the
 * file with nothing between them. */
static void
check_cluster_size (unsigned cluster_bits, uint64_t type, bool compressible)
{
  const size_t size = (size_t) 1 << cluster_bits;
  const unsigned count = cluster_bits > 16 ? 1 : 4;
  struct random random = { cluster_bits + type };
  struct random again = random;
  struct qcow2_image image;
  unsigned i;

  qcow2_image_init (&image, 3, cluster_bits, count * size, type);
  qcow2_image_l2 (&image, 0);
  image.size += 77;
  for (i = 0; i < count; ++i) {
    uint64_t host;

    fill (cluster, size, compressible, &random);
    pack (type, cluster, size);
    ck_assert_int_eq (stream.size < size, compressible);
    host = qcow2_image_append_bytes (&image, stream.bytes, stream.size);
    qcow2_image_set (&image, i * size,
                     qcow2_image_packed (&image, host, stream.size));
  }
  for (i = 0; i < count; ++i) {
    fill (cluster, size, compressible, &again);
    check_unpack (&image, i * size, cluster, NULL);
  }
  qcow2_image_free (&image);
}

START_TEST (test_cluster_sizes)
{
  check_cluster_size (_i, DEFLATE, true);
  check_cluster_size (_i, ZSTD, true);
  check_cluster_size (_i, DEFLATE, false);
  check_cluster_size (_i, ZSTD, false);
}
END_TEST

/* Every level of libdeflate, 0 being stored blocks only. */
START_TEST (test_deflate_levels)
{
  struct random random = { 3 };
  int level;

  fill (cluster, C, true, &random);
  for (level = 0; level <= 12; ++level) {
    pack_deflate (cluster, C, level);
    ck_assert_int_eq (stream.size > C, level == 0);
    check_stream (DEFLATE, cluster, NULL);
  }
}
END_TEST

/* Matches that are farther back than the 4 KiB QEMU looks for them. */
START_TEST (test_deflate_window)
{
  struct random random = { 4 };

  fill (cluster, 32000, false, &random);
  memcpy (cluster + 32000, cluster, 32000);
  memset (cluster + 64000, 'x', C - 64000);
  pack_deflate (cluster, C, 6);
  ck_assert_uint_lt (stream.size, 40000);
  check_stream (DEFLATE, cluster, NULL);
}
END_TEST

/* In images of version 2, and with extended entries. */
START_TEST (test_other_images)
{
  struct random random = { 5 };
  struct qcow2_image image;
  uint64_t host;

  fill (cluster, C, true, &random);
  pack (DEFLATE, cluster, C);
  check_stream (QCOW2_EXTENDED_L2, cluster, NULL);
  qcow2_image_init (&image, 2, 16, 3 * C, 0);
  qcow2_image_l2 (&image, 0);
  host = qcow2_image_append_bytes (&image, stream.bytes, stream.size);
  qcow2_image_set (&image, C,
                   qcow2_image_packed (&image, host, stream.size));
  check_unpack (&image, C, cluster, NULL);
  qcow2_image_free (&image);

  pack (ZSTD, cluster, C);
  check_stream (ZSTD | QCOW2_EXTENDED_L2, cluster, NULL);
}
END_TEST

/* The number of sectors may be too large, by what is in the file or not.
 * What comes after the stream is no matter. */
static void
check_too_many_sectors (uint64_t type)
{
  struct random random = { 6 };
  static uint8_t garbage[2 * C];
  struct qcow2_image image;
  size_t skip;

  fill (cluster, C, true, &random);
  pack (type, cluster, C);
  for (skip = 0; skip < 1024; skip += 256) {
    init_image (&image, 16, type, skip, 100);
    check_unpack (&image, 0, cluster, NULL);
    fill (garbage, sizeof garbage, false, &random);
    qcow2_image_append_bytes (&image, garbage, 3000);
    check_unpack (&image, 0, cluster, NULL);
    qcow2_image_append_bytes (&image, garbage, sizeof garbage);
    check_unpack (&image, 0, cluster, NULL);
    qcow2_image_free (&image);
  }
}

START_TEST (test_too_many_sectors)
{
  check_too_many_sectors (DEFLATE);
  check_too_many_sectors (ZSTD);
}
END_TEST

/* A stream for less than a cluster. */
START_TEST (test_short_content)
{
  static const size_t sizes[] = { 1, 1000, C - 1 };
  struct random random = { 7 };
  size_t i;

  fill (cluster, C, true, &random);
  for (i = 0; i < LEN (sizes); ++i) {
    pack (DEFLATE, cluster, sizes[i]);
    check_stream (DEFLATE, NULL, "the deflate stream ends before the "
                  "cluster is full");
    pack (ZSTD, cluster, sizes[i]);
    check_stream (ZSTD, NULL, "the zstd stream ends before the cluster is "
                  "full");
  }
}
END_TEST

/* A stream for more than a cluster.  Decompression stops when it has made
 * a cluster of data, which is no error where that is deflate.  A frame of
 * zstd has no such end. */
START_TEST (test_long_deflate)
{
  static const size_t more[] = { 1, 100, C };
  struct random random = { 8 };
  size_t i;

  fill (cluster, 2 * C, true, &random);
  for (i = 0; i < LEN (more); ++i) {
    pack_deflate (cluster, C + more[i], 6);
    check_stream (DEFLATE, cluster, NULL);
    if (more[i] < C) {
      pack_deflate (cluster, C + more[i], 0);
      check_stream (DEFLATE, cluster, NULL);
    }
  }
}
END_TEST

START_TEST (test_long_zstd)
{
  static const size_t more[] = { 1, 100, C };
  struct random random = { 9 };
  size_t i;

  fill (cluster, 2 * C, true, &random);
  for (i = 0; i < LEN (more); ++i) {
    pack (ZSTD, cluster, C + more[i]);
    check_stream (ZSTD, NULL, "the zstd stream is damaged, or longer than "
                  "the cluster");
  }
}
END_TEST

/* The file ends, or the sectors do, within the stream. */
START_TEST (test_cut_stream)
{
  static const char *const messages[] = {
    "the deflate stream is damaged", "the zstd stream is damaged",
  };
  struct random random = { 10 };
  size_t cut;
  int type;

  for (type = 0; type < 2; ++type)
    for (cut = 1; cut < 20000; cut = cut * 3 + 5) {
      fill (cluster, C, true, &random);
      pack (type ? ZSTD : DEFLATE, cluster, C);
      ck_assert_uint_gt (stream.size, cut + 16);
      stream.size -= cut < 16 ? 16 : cut;
      check_stream (type ? ZSTD : DEFLATE, NULL, messages[type]);
    }
}
END_TEST

START_TEST (test_too_few_sectors)
{
  struct random random = { 11 };
  struct qcow2_image image;
  char message[200];

  fill (cluster, C, true, &random);
  pack (DEFLATE, cluster, C);
  init_image (&image, 16, DEFLATE, 100, -1);
  snprintf (message, sizeof message, "compressed cluster of guest offset "
            "0, %zu bytes at offset 196708: the deflate stream is damaged",
            (stream.size + 99) / 512 * 512 - 100);
  check_unpack (&image, 0, NULL, message);
  qcow2_image_free (&image);
}
END_TEST

START_TEST (test_beyond_end)
{
  struct random random = { 12 };
  struct qcow2_image image;

  fill (cluster, C, true, &random);
  pack (DEFLATE, cluster, C);
  init_image (&image, 16, DEFLATE, 0, 0);
  image.size = DATA;
  check_unpack (&image, 0, NULL, "L2 table: compressed cluster of guest "
                "offset 0 is at offset 196608, beyond the end of the file "
                "(196608 bytes)");
  image.size = DATA + 1;
  check_unpack (&image, 0, NULL, "compressed cluster of guest offset 0, 1 "
                "bytes at offset 196608: the deflate stream is damaged");
  qcow2_image_free (&image);
}
END_TEST

/* Streams that are none. */
START_TEST (test_not_a_stream)
{
  struct random random = { 13 };

  fill (stream.bytes, 10000, false, &random);
  stream.size = 10000;
  stream.bytes[0] = 7;          /* the block type that does not exist */
  check_stream (DEFLATE, NULL, "the deflate stream is damaged");
  check_stream (ZSTD, NULL, "the zstd stream is damaged");
  memset (stream.bytes, 0, 10000);
  check_stream (DEFLATE, NULL, "the deflate stream is damaged");
  check_stream (ZSTD, NULL, "the zstd stream is damaged");
  /* A zlib header is not expected. */
  fill (cluster, C, true, &random);
  pack (DEFLATE, cluster, C);
  memmove (stream.bytes + 2, stream.bytes, stream.size);
  memcpy (stream.bytes, "\x78\x9c", 2);
  stream.size += 2;
  check_stream (DEFLATE, NULL, "the deflate stream is damaged");
}
END_TEST

/* Some bytes wrong: an error or wrong data, as the stream may be right for
 * all anyone can tell, but nothing worse. */
static void
check_wrong_bytes (struct layer *layer, uint8_t *bytes, size_t size,
                   struct random *random)
{
  struct interval interval = {
    .length = C, .host = DATA, .packed_size = size, .kind = VDISK_PACKED,
  };
  unsigned i, j;

  for (i = 0; i < 300; ++i) {
    struct vdisk_error error = { 0 };

    for (j = 0; j <= i % 3; ++j)
      bytes[random_below (random, i % 2 ? size : 20)] ^=
        1 << random_below (random, 8);
    if (layer->format->unpack (layer, &interval, cluster, &error) == -1) {
      ck_assert_int_eq (error.errnum, EIO);
      ck_assert_ptr_nonnull (strstr (error.message, "stream"));
    }
    memcpy (bytes, stream.bytes, size);
  }
}

START_TEST (test_wrong_bytes)
{
  static const uint64_t types[] = { DEFLATE, ZSTD };
  struct random random = { 14 };
  size_t i;

  for (i = 0; i < LEN (types); ++i) {
    struct qcow2_image image;
    struct layer *layer;

    fill (cluster, C, true, &random);
    pack (types[i], cluster, C);
    init_image (&image, 16, types[i], 0, 0);
    layer = qcow2_open (&image);
    check_wrong_bytes (layer, image.bytes + DATA, stream.size, &random);
    layer_close (layer);
    check_unpack (&image, 0, NULL, NULL);
    qcow2_image_free (&image);
  }
}
END_TEST

/* Frames of zstd. */

START_TEST (test_frame_kinds)
{
  struct random random = { 15 };
  int kind;

  for (kind = 0; kind < 4; ++kind) {
    fill (cluster, C, true, &random);
    stream.size = 0;
    add_frame (cluster, C, kind & 1, kind >> 1);
    check_stream (ZSTD, cluster, NULL);
  }
}
END_TEST

START_TEST (test_wrong_checksum)
{
  struct random random = { 16 };

  fill (cluster, C, true, &random);
  stream.size = 0;
  add_frame (cluster, C, 0, 1);
  stream.bytes[stream.size - 1] ^= 1;
  check_stream (ZSTD, NULL, "the zstd stream is damaged, or longer than "
                "the cluster");
}
END_TEST

static void
add_skippable (uint8_t variant, uint32_t size)
{
  uint8_t *to = stream.bytes + stream.size;
  const le32 magic = to_le32 (0x184d2a50 + variant);
  const le32 length = to_le32 (size);

  memcpy (to, &magic, 4);
  memcpy (to + 4, &length, 4);
  memset (to + 8, 0xee, size);
  stream.size += 8 + size;
}

START_TEST (test_many_frames)
{
  struct random random = { 17 };
  unsigned i;

  fill (cluster, C, true, &random);
  stream.size = 0;
  add_frame (cluster, C / 2, 0, 0);
  add_frame (cluster + C / 2, C / 2, 1, 1);
  check_stream (ZSTD, cluster, NULL);

  stream.size = 0;
  for (i = 0; i < 16; ++i) {
    add_skippable (i, i * i);
    add_frame (cluster + i * (C / 16), C / 16, i & 1, i & 2);
    add_frame (cluster, 0, i & 1, 0);
  }
  check_stream (ZSTD, cluster, NULL);

  /* The cluster is full before that. */
  stream.size += 100;
  check_stream (ZSTD, cluster, NULL);
}
END_TEST

START_TEST (test_frames_without_content)
{
  static const char message[] =
    "the zstd stream ends before the cluster is full";
  struct random random = { 18 };
  unsigned i;

  stream.size = 0;
  add_skippable (0, 0);
  check_stream (ZSTD, NULL, message);

  fill (cluster, C, true, &random);
  stream.size = 0;
  for (i = 0; i < 4000; ++i)
    add_skippable (i % 16, 0);
  check_stream (ZSTD, NULL, message);
  add_frame (cluster, C, 0, 0);
  check_stream (ZSTD, cluster, NULL);

  stream.size = 0;
  add_frame (cluster, C - 1, 0, 0);
  add_frame (cluster, 0, 0, 0);
  add_skippable (3, 10);
  check_stream (ZSTD, NULL, message);
}
END_TEST

/* A skippable frame that claims more than there is. */
START_TEST (test_cut_skippable)
{
  struct random random = { 19 };

  fill (cluster, C, true, &random);
  stream.size = 0;
  add_skippable (0, 100);
  memset (stream.bytes + 4, 0xff, 4);
  add_frame (cluster, C, 0, 0);
  check_stream (ZSTD, NULL, "the zstd stream is damaged");
}
END_TEST

/* A frame made by hand: a window of 2^'log' bytes, and a block that
 * repeats one byte a cluster long. */
static void
make_repeating_frame (unsigned window_log)
{
  static const uint8_t magic[4] = { 0x28, 0xb5, 0x2f, 0xfd };
  const le32 block = to_le32 (C << 3 | 1 << 1 | 1);

  memcpy (stream.bytes, magic, 4);
  stream.bytes[4] = 0;          /* a window, no content size */
  stream.bytes[5] = (window_log - 10) << 3;
  memcpy (stream.bytes + 6, block.b, 3);
  stream.bytes[9] = 'w';
  stream.size = 10;
}

/* Bytes allocated now (0 where something else counts them). */
static size_t
allocated (void)
{
  const struct mallinfo2 info = mallinfo2 ();

  return info.uordblks + info.hblkhd;
}

/* What the header says of the window says nothing of what is needed. */
START_TEST (test_huge_window)
{
  unsigned window_log;

  memset (cluster, 'w', C);
  for (window_log = 16; window_log <= 31; ++window_log) {
    struct interval interval = {
      .length = C, .host = DATA, .packed_size = 512, .kind = VDISK_PACKED,
    };
    struct qcow2_image image;
    struct layer *layer;
    static uint8_t found[C];
    size_t before;

    make_repeating_frame (window_log);
    init_image (&image, 16, ZSTD, 0, 0);
    layer = qcow2_open (&image);
    before = allocated ();
    ck_assert_int_eq (layer->format->unpack (layer, &interval, found,
                                             NULL), 0);
    ck_assert_int_eq (memcmp (found, cluster, C), 0);
    /* A decompressor is kept, but no window. */
    ck_assert_uint_lt (allocated (), before + MB);
    layer_close (layer);
    qcow2_image_free (&image);
  }
}
END_TEST

START_TEST (test_impossible_window)
{
  make_repeating_frame (41);
  check_stream (ZSTD, NULL, "the zstd stream is damaged");
}
END_TEST

/* A frame that claims 2^60 bytes of content. */
START_TEST (test_huge_content)
{
  make_repeating_frame (16);
  memmove (stream.bytes + 14, stream.bytes + 6, 4);
  stream.bytes[4] = 0xc0;       /* 8 bytes of content size */
  memset (stream.bytes + 6, 0, 8);
  stream.bytes[13] = 0x10;
  stream.size = 18;
  check_stream (ZSTD, NULL, "the zstd stream is damaged, or longer than "
                "the cluster");
}
END_TEST

/* Disks, of which any part can be read. */

struct disk {
  struct qcow2_image image;
  uint8_t *bytes;               /* what a guest sees, and what comes after
                                   it in the last cluster */
  size_t size;
  struct vdisk *vdisk;
};

static struct vdisk *
open_vdisk (struct source *source)
{
  static const struct resolver no_references;
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk_error error = { 0 };
  struct vdisk *vdisk;

  ck_assert_ptr_nonnull (options);
  vdisk = image_open (source, options, &no_references, &error);
  ck_assert_msg (vdisk != NULL, "%s", error.message);
  vdisk_options_free (options);
  return vdisk;
}

/* Write one cluster, compressed if that makes it smaller. */
static void
fill_cluster (struct disk *disk, uint64_t type, size_t guest)
{
  const uint8_t *bytes = disk->bytes + guest;
  uint64_t host;

  pack (type, bytes, disk->image.cluster_size);
  if (stream.size < disk->image.cluster_size) {
    host = qcow2_image_append_bytes (&disk->image, stream.bytes,
                                     stream.size);
    qcow2_image_set (&disk->image, guest,
                     qcow2_image_packed (&disk->image, host, stream.size));
  }
  else {
    host = qcow2_image_add_data (&disk->image, guest);
    memcpy (disk->image.bytes + host, bytes, disk->image.cluster_size);
  }
}

/* Clusters of a disk: compressed ones, every fifth or so data instead,
 * every seventh a hole.  The last one is longer than the disk. */
static void
fill_disk (struct disk *disk, uint64_t type, struct random *random)
{
  const size_t size = disk->image.cluster_size;
  size_t at;

  qcow2_image_l2 (&disk->image, 0);
  for (at = 0; at < disk->size; at += size) {
    if (at / size % 7 == 6)
      continue;
    fill (disk->bytes + at, size, random_below (random, 5) > 0, random);
    fill_cluster (disk, type, at);
  }
}

static void
disk_init (struct disk *disk, uint64_t type, unsigned cluster_bits,
           size_t size)
{
  struct random random = { cluster_bits + type };

  disk->size = size;
  disk->bytes = calloc (1, size + (1 << cluster_bits));
  ck_assert_ptr_nonnull (disk->bytes);
  qcow2_image_init (&disk->image, 3, cluster_bits, size, type);
  fill_disk (disk, type, &random);
  disk->vdisk = open_vdisk (source_memory ("disk.qcow2", disk->image.bytes,
                                           disk->image.size));
}

static void
disk_free (struct disk *disk)
{
  vdisk_close (disk->vdisk);
  qcow2_image_free (&disk->image);
  free (disk->bytes);
}

/* Read at random.  Returns how many reads gave the wrong bytes, since a
 * thread cannot fail a test. */
static unsigned
read_at_random (const struct disk *disk, struct random *random,
                unsigned rounds)
{
  const uint64_t size = disk->image.cluster_size;
  uint8_t *found = malloc (3 * size);
  unsigned wrong = 0;

  while (rounds-- > 0) {
    struct vdisk_error error = { 0 };
    uint64_t offset = random_below (random, disk->size);
    uint64_t count = 1 + random_below (random, 3 * size);

    if (random_below (random, 4) == 0) {
      offset = offset / size * size;
      count = size;
    }
    if (count > disk->size - offset)
      count = disk->size - offset;
    if (vdisk_pread (disk->vdisk, found, count, offset, &error) == -1 ||
        memcmp (found, disk->bytes + offset, count) != 0)
      wrong++;
  }
  free (found);
  return wrong;
}

static void
check_disk (uint64_t type, unsigned cluster_bits, size_t size,
            unsigned rounds)
{
  struct random random = { size };
  struct disk disk;

  disk_init (&disk, type, cluster_bits, size);
  ck_assert_uint_eq (read_at_random (&disk, &random, rounds), 0);
  disk_free (&disk);
}

START_TEST (test_partial_reads)
{
  check_disk (DEFLATE, 9, 50 * 512 - 1, 400);
  check_disk (ZSTD, 9, 50 * 512 - 511, 400);
  check_disk (DEFLATE, 12, 100 * 4096 - 513, 300);
  check_disk (ZSTD, 12, 100 * 4096 - 513, 300);
  check_disk (DEFLATE, 16, 9 * C + 1, 60);
  check_disk (ZSTD, 16, 9 * C + 1, 60);
  check_disk (ZSTD | QCOW2_EXTENDED_L2, 16, 9 * C + 1, 60);
}
END_TEST

/* Two clusters that are the same stream: it is as long as one. */
START_TEST (test_same_stream)
{
  struct random random = { 20 };
  struct qcow2_image image;
  struct vdisk_error error = { 0 };
  struct vdisk *vdisk;
  static uint8_t found[4 * C];
  uint64_t host;
  unsigned i;

  fill (cluster, C, true, &random);
  pack (DEFLATE, cluster, C);
  qcow2_image_init (&image, 3, 16, 4 * C, 0);
  qcow2_image_l2 (&image, 0);
  host = qcow2_image_append_bytes (&image, stream.bytes, stream.size);
  for (i = 0; i < 4; ++i)
    qcow2_image_set (&image, i * C,
                     qcow2_image_packed (&image, host, stream.size));
  vdisk = open_vdisk (source_memory ("disk.qcow2", image.bytes,
                                     image.size));
  ck_assert_int_eq (vdisk_pread (vdisk, found, 4 * C, 0, &error), 0);
  for (i = 0; i < 4; ++i)
    ck_assert_int_eq (memcmp (found + i * C, cluster, C), 0);
  ck_assert_int_eq (vdisk_pread (vdisk, found, C, C / 2, &error), 0);
  ck_assert_int_eq (memcmp (found, cluster + C / 2, C / 2), 0);
  ck_assert_int_eq (memcmp (found + C / 2, cluster, C / 2), 0);
  ck_assert_int_eq (vdisk_pread (vdisk, found, 1, 3 * C + 5, &error), 0);
  ck_assert_int_eq (found[0], cluster[5]);
  vdisk_close (vdisk);
  qcow2_image_free (&image);
}
END_TEST

/* A damaged cluster is an error wherever it is read, and only there. */
START_TEST (test_damaged_part)
{
  struct vdisk_error error = { 0 };
  struct disk disk;
  static uint8_t found[C];
  uint64_t host;

  disk_init (&disk, DEFLATE, 16, 3 * C);
  host = get_be64 (*qcow2_image_l2 (&disk.image, C)) &
    ((UINT64_C (1) << 54) - 1);
  disk.image.bytes[host] = 7;
  ck_assert_int_eq (vdisk_pread (disk.vdisk, found, 10, C - 10, &error), 0);
  ck_assert_int_eq (memcmp (found, disk.bytes + C - 10, 10), 0);
  ck_assert_int_eq (vdisk_pread (disk.vdisk, found, 10, 2 * C, &error), 0);
  ck_assert_int_eq (vdisk_pread (disk.vdisk, found, 10, C - 9, &error), -1);
  ck_assert_int_eq (error.errnum, EIO);
  ck_assert_ptr_nonnull (strstr (error.message,
                                 "the deflate stream is damaged"));
  ck_assert_int_eq (vdisk_pread (disk.vdisk, found, C, C, &error), -1);
  ck_assert_int_eq (vdisk_pread (disk.vdisk, found, 1, 2 * C - 1, &error),
                    -1);
  disk_free (&disk);
}
END_TEST

/* Read the disk with one read of its file failing, if it is not SIZE_MAX;
 * and once more.  Returns how many reads failed the first time, and in
 * *opening and *reading how often the file was read. */
static unsigned
read_with_fault (const struct disk *disk, size_t fail_at, size_t *opening,
                 size_t *reading)
{
  struct source *source =
    source_faulty (source_memory ("disk.qcow2", disk->image.bytes,
                                  disk->image.size), fail_at);
  struct random random = { 21 };
  struct disk faulty = *disk;
  unsigned wrong;

  faulty.vdisk = open_vdisk (source);
  *opening = source_faulty_count (source);
  wrong = read_at_random (&faulty, &random, 20);
  *reading = source_faulty_count (source) - *opening;
  /* What failed is not kept: it is read once more. */
  random.state = 21;
  ck_assert_uint_eq (read_at_random (&faulty, &random, 20), 0);
  vdisk_close (faulty.vdisk);
  return wrong;
}

/* Each read failing in turn makes one fail, or none where another try
 * helps. */
START_TEST (test_faulty)
{
  struct disk disk;
  size_t opening, reading, count, fail_at, ignored;
  unsigned wrong, total = 0;

  disk_init (&disk, ZSTD, 12, 9 * 4096 - 1);
  ck_assert_uint_eq (read_with_fault (&disk, SIZE_MAX, &opening, &reading),
                     0);
  for (fail_at = 0; fail_at < reading; ++fail_at) {
    wrong = read_with_fault (&disk, opening + fail_at, &ignored, &count);
    ck_assert_uint_le (wrong, 1);
    total += wrong;
  }
  ck_assert_uint_ge (total, 5);
  disk_free (&disk);
}
END_TEST

/* Threads. */

struct reader {
  const struct disk *disk;
  pthread_t thread;
  struct random random;
  unsigned wrong;
};

#define READERS 8

static void *
run_reader (void *opaque)
{
  struct reader *reader = opaque;

  reader->wrong = read_at_random (reader->disk, &reader->random, 100);
  return NULL;
}

static void
check_threads (uint64_t type)
{
  struct reader readers[READERS];
  struct disk disk;
  unsigned i;

  disk_init (&disk, type, 14, 64 * 16384 - 5);
  for (i = 0; i < READERS; ++i) {
    readers[i] = (struct reader) { .disk = &disk, .random = { i } };
    ck_assert_int_eq (pthread_create (&readers[i].thread, NULL, run_reader,
                                      &readers[i]), 0);
  }
  for (i = 0; i < READERS; ++i) {
    pthread_join (readers[i].thread, NULL);
    ck_assert_uint_eq (readers[i].wrong, 0);
  }
  disk_free (&disk);
}

START_TEST (test_threads)
{
  check_threads (DEFLATE);
  check_threads (ZSTD);
}
END_TEST

static void
add_stream_tests (Suite *suite)
{
  TCase *tcase = tcase_create ("streams");

  tcase_add_loop_test (tcase, test_cluster_sizes, 9, 22);
  tcase_add_test (tcase, test_deflate_levels);
  tcase_add_test (tcase, test_deflate_window);
  tcase_add_test (tcase, test_other_images);
  tcase_add_test (tcase, test_too_many_sectors);
  tcase_add_test (tcase, test_short_content);
  tcase_add_test (tcase, test_long_deflate);
  tcase_add_test (tcase, test_long_zstd);
  tcase_add_test (tcase, test_cut_stream);
  tcase_add_test (tcase, test_too_few_sectors);
  tcase_add_test (tcase, test_beyond_end);
  tcase_add_test (tcase, test_not_a_stream);
  tcase_add_test (tcase, test_wrong_bytes);
  suite_add_tcase (suite, tcase);
}

static void
add_frame_tests (Suite *suite)
{
  TCase *tcase = tcase_create ("frames");

  tcase_add_test (tcase, test_frame_kinds);
  tcase_add_test (tcase, test_wrong_checksum);
  tcase_add_test (tcase, test_many_frames);
  tcase_add_test (tcase, test_frames_without_content);
  tcase_add_test (tcase, test_cut_skippable);
  tcase_add_test (tcase, test_huge_window);
  tcase_add_test (tcase, test_impossible_window);
  tcase_add_test (tcase, test_huge_content);
  suite_add_tcase (suite, tcase);
}

static void
add_disk_tests (Suite *suite)
{
  TCase *tcase = tcase_create ("disks");

  tcase_add_test (tcase, test_partial_reads);
  tcase_add_test (tcase, test_same_stream);
  tcase_add_test (tcase, test_damaged_part);
  tcase_add_test (tcase, test_faulty);
  tcase_add_test (tcase, test_threads);
  suite_add_tcase (suite, tcase);
}

int
main (void)
{
  Suite *suite = suite_create ("qcow2-packed");

  add_stream_tests (suite);
  add_frame_tests (suite);
  add_disk_tests (suite);
  return run_suite (suite);
}
