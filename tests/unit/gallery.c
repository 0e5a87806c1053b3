/* SPDX-License-Identifier: BSD-3-Clause */
/* Making one image of each kind. */

#include "gallery.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libdeflate.h>
#include <zstd.h>

#include "util/error.h"
#include "options.h"
#include "qcow2-image.h"
#include "qed-image.h"
#include "random.h"
#include "scratch.h"
#include "vhd-image.h"

#define DISK GALLERY_DISK_SIZE
#define CLUSTER 4096
#define BLOCK (UINT32_C (2) << 20)
#define SMALL_BLOCK 32768

const struct gallery_image gallery[] = {
  { "disk.raw", "raw" },
  { "base.qcow2", "auto" },
  { "top.qcow2", "auto" },
  { "wide.qcow2", "auto" },
  { "external.qcow2", "auto" },
  { "fixed.vhd", "auto" },
  { "parent.vhd", "auto" },
  { "child.vhd", "auto" },
  { "disk.qed", "auto" },
};
const size_t gallery_count = sizeof gallery / sizeof gallery[0];

static struct random dice;

static void
fill (uint8_t *bytes, size_t size)
{
  size_t i;

  for (i = 0; i < size; ++i)
    bytes[i] = 1 + random_below (&dice, 255);
}

/* Bytes that can be compressed to a little less. */
static void
fill_packable (uint8_t *bytes, size_t size)
{
  fill (bytes, size / 2);
  memset (bytes + size / 2, bytes[0], size - size / 2);
}

/* Random bytes with holes in between, and a size that is a multiple of
 * nothing. */
static void
make_raw (const char *name, uint64_t size)
{
  const char *path = scratch_path (name);
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  uint8_t bytes[CLUSTER];
  uint64_t at;

  ck_assert_msg (fd >= 0, "%s", path);
  ck_assert_int_eq (ftruncate (fd, size), 0);
  for (at = 0; at + CLUSTER <= size; at += CLUSTER)
    if (random_below (&dice, 3) > 0) {
      fill (bytes, sizeof bytes);
      ck_assert_int_eq (pwrite (fd, bytes, CLUSTER, at), CLUSTER);
    }
  close (fd);
}

static void
add_data (struct qcow2_image *image, uint64_t guest)
{
  fill (image->bytes + qcow2_image_add_data (image, guest),
        image->cluster_size);
}

/* 'length' bytes, which may be more than the cluster has. */
static void
add_packed (struct qcow2_image *image, uint64_t guest, size_t length,
            int zstd)
{
  static uint8_t plain[4 * CLUSTER], packed[8 * CLUSTER];
  struct libdeflate_compressor *tool = libdeflate_alloc_compressor (1);
  size_t size;

  ck_assert_ptr_nonnull (tool);
  fill_packable (plain, length);
  if (zstd)
    size = ZSTD_compress (packed, sizeof packed, plain, length, 1);
  else
    size = libdeflate_deflate_compress (tool, plain, length, packed,
                                        sizeof packed);
  libdeflate_free_compressor (tool);
  ck_assert_uint_gt (size, 0);
  qcow2_image_set (image, guest, qcow2_image_packed
                   (image, qcow2_image_append_bytes (image, packed, size),
                    size));
}

/* Something of everything, cluster by cluster. */
static void
fill_qcow2 (struct qcow2_image *image, int zstd)
{
  uint64_t guest;

  for (guest = 0; guest < DISK; guest += image->cluster_size)
    switch (random_below (&dice, 5)) {
    case 0:
      add_data (image, guest);
      break;
    case 1:
      qcow2_image_set (image, guest, QCOW2_ZERO);
      break;
    case 2:
    case 3:
      add_packed (image, guest, image->cluster_size, zstd);
      break;
    }
}

static void
write_qcow2 (const char *name, struct qcow2_image *image)
{
  scratch_write (name, image->bytes, image->size);
  qcow2_image_free (image);
}

static void
make_base (void)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 12, DISK, QCOW2_COMPRESSION_TYPE);
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_BACKING_FORMAT, "raw",
                             3);
  qcow2_image_set_backing (&image, "disk.raw");
  fill_qcow2 (&image, 1);
  write_qcow2 ("base.qcow2", &image);
}

/* Two snapshots, one with a name in UTF-8 and one that is not. */
static void
add_snapshots (struct qcow2_image *image)
{
  struct qcow2_header *header = qcow2_image_header (image);
  const struct qcow2_snapshot snapshot = {
    .l1_table_offset = header->l1_table_offset,
    .l1_size = header->l1_size,
    .id_size = to_be16 (1), .name_size = to_be16 (6),
    .extra_data_size = to_be32 (sizeof (struct qcow2_snapshot_extra)),
  };
  const uint64_t offset = qcow2_image_append (image, CLUSTER);
  uint8_t *to = image->bytes + offset;
  unsigned i;

  for (i = 0; i < 2; ++i, to += 72) {
    memcpy (to, &snapshot, sizeof snapshot);
    memcpy (to + 64, i ? "2\xff\xfe\xc3\x28." : "1\xc3\xa9t\xc3\xa9", 7);
  }
  header->nb_snapshots = to_be32 (2);
  header->snapshots_offset = to_be64 (offset);
}

static void
add_bitmap (struct qcow2_image *image)
{
  const uint64_t table = qcow2_image_append (image, CLUSTER);
  const uint64_t directory = qcow2_image_append (image, CLUSTER);
  const struct qcow2_bitmap bitmap = {
    .table_offset = to_be64 (table), .table_size = to_be32 (1),
    .flags = to_be32 (QCOW2_BITMAP_IN_USE | QCOW2_BITMAP_AUTO), .type = 1,
    .granularity_bits = 16, .name_size = to_be16 (4),
  };
  const struct qcow2_bitmaps_extension extension = {
    .bitmap_count = to_be32 (1), .directory_size = to_be64 (32),
    .directory_offset = to_be64 (directory),
  };

  memcpy (image->bytes + directory, &bitmap, sizeof bitmap);
  memcpy (image->bytes + directory + sizeof bitmap, "dirt", 4);
  qcow2_image_add_extension (image, QCOW2_EXTENSION_BITMAPS, &extension,
                             sizeof extension);
  qcow2_image_header (image)->autoclear_features =
    to_be64 (QCOW2_BITMAPS_VALID);
}

/* A refcount table with one block, of which nothing is right. */
static void
add_refcounts (struct qcow2_image *image)
{
  const uint64_t block = qcow2_image_append (image, CLUSTER);
  const uint64_t table = qcow2_image_append (image, CLUSTER);
  const be64 entry = to_be64 (block);

  fill (image->bytes + block, CLUSTER);
  memcpy (image->bytes + table, &entry, sizeof entry);
  qcow2_image_header (image)->refcount_table_offset = to_be64 (table);
  qcow2_image_header (image)->refcount_table_clusters = to_be32 (1);
}

static void
make_top (void)
{
  struct qcow2_image image;

  qcow2_image_init (&image, 3, 12, DISK, 0);
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_BACKING_FORMAT,
                             "qcow2", 5);
  qcow2_image_set_backing (&image, "base.qcow2");
  fill_qcow2 (&image, 0);
  /* A stream that is longer than the cluster. */
  add_packed (&image, DISK / 2, 3 * CLUSTER, 0);
  add_snapshots (&image);
  add_bitmap (&image);
  add_refcounts (&image);
  write_qcow2 ("top.qcow2", &image);
}

static void
make_wide (void)
{
  struct qcow2_image image;
  uint64_t guest, host;

  qcow2_image_init (&image, 3, 14, DISK, QCOW2_EXTENDED_L2);
  for (guest = 0; guest < DISK; guest += image.cluster_size) {
    const uint64_t data = random_next (&dice) & UINT32_MAX;
    const uint64_t zero = random_next (&dice) & UINT32_MAX & ~data;

    host = qcow2_image_append (&image, image.cluster_size);
    fill (image.bytes + host, image.cluster_size);
    qcow2_image_set_extended (&image, guest, host | QCOW2_COPIED,
                              zero << 32 | data);
  }
  write_qcow2 ("wide.qcow2", &image);
}

static void
make_external (void)
{
  struct qcow2_image image;
  uint64_t guest;

  qcow2_image_init (&image, 3, 12, DISK, QCOW2_EXTERNAL_DATA);
  for (guest = 0; guest < DISK; guest += 2 * CLUSTER)
    qcow2_image_set (&image, guest, guest | QCOW2_COPIED);
  write_qcow2 ("external.qcow2", &image);
  make_raw ("data.raw", DISK);
}

static void
add_block (struct vhd_image *image, uint32_t number)
{
  uint8_t bitmap[512];
  uint64_t at;

  fill (bitmap, sizeof bitmap);
  at = vhd_image_add_block (image, number, bitmap) * UINT64_C (512);
  fill (image->bytes + at + 512, image->block_size);
}

static void
write_vhd (const char *name, struct vhd_image *image)
{
  vhd_image_fix (image);
  scratch_write (name, image->bytes, image->size);
  vhd_image_free (image);
}

static void
make_vhds (void)
{
  static const uint8_t batmap[1] = { 0 };
  struct vhd_image image;
  uint32_t i;

  vhd_image_init (&image, VHD_FIXED, DISK, 0);
  fill (image.bytes, DISK / 3);
  write_vhd ("fixed.vhd", &image);

  vhd_image_init (&image, VHD_DYNAMIC, DISK, BLOCK);
  add_block (&image, 0);
  vhd_image_set_batmap (&image, batmap, sizeof batmap);
  write_vhd ("parent.vhd", &image);

  vhd_image_init (&image, VHD_DIFFERENCING, DISK, SMALL_BLOCK);
  for (i = 0; i < DISK / SMALL_BLOCK; i += 2)
    add_block (&image, i);
  memcpy (vhd_image_header (&image)->parent_uuid,
          vhd_image_footer (&image)->uuid, 16);
  vhd_image_footer (&image)->uuid[0] = 0xcc;
  vhd_image_add_path (&image, 0, VHD_LOCATOR_W2RU, ".\\missing.vhd");
  vhd_image_add_path (&image, 1, VHD_LOCATOR_W2KU, "C:\\disks\\parent.vhd");
  write_vhd ("child.vhd", &image);
}

static void
make_qed (void)
{
  struct qed_image image;
  uint64_t guest;

  qed_image_init (&image, CLUSTER, 1, DISK);
  qed_image_set_backing (&image, "disk.raw", QED_F_BACKING_FORMAT_NO_PROBE);
  for (guest = 0; guest < DISK; guest += 3 * CLUSTER) {
    fill (image.bytes + qed_image_add_data (&image, guest), CLUSTER);
    qed_image_set (&image, guest + CLUSTER, QED_OFFSET_ZERO);
  }
  scratch_write ("disk.qed", image.bytes, image.size);
  qed_image_free (&image);
}

/* Until they are on the disk files may change: in the space they take, and
 * in where they have holes. */
static void
settle (const char *name)
{
  int fd = open (scratch_path (name), O_RDONLY | O_CLOEXEC);

  ck_assert_msg (fd >= 0 && fsync (fd) == 0, "%s", name);
  close (fd);
}

void
gallery_setup (void)
{
  size_t i;

  dice = (struct random) { .state = 77 };
  scratch_setup ();
  make_raw ("disk.raw", DISK + 3 * CLUSTER + 77);
  make_base ();
  make_top ();
  make_wide ();
  make_external ();
  make_vhds ();
  make_qed ();
  settle ("data.raw");
  for (i = 0; i < gallery_count; ++i)
    settle (gallery[i].file);
}

struct vdisk *
gallery_open (const struct gallery_image *image, size_t cache_size,
              int inspect, struct vdisk_error *error)
{
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk *vdisk = NULL;

  error_clear (error);
  if (options == NULL) {
    error_no_memory (error, "options");
    return NULL;
  }
  options->cache_size = cache_size;
  if (vdisk_options_set (options, "format", image->format, error) == 0 &&
      vdisk_options_set (options, "backing-dir", scratch_directory (),
                         error) == 0)
    vdisk = (inspect ? vdisk_inspect : vdisk_open)
      (scratch_path (image->file), options, error);
  vdisk_options_free (options);
  return vdisk;
}
