/* SPDX-License-Identifier: BSD-3-Clause */
/* Building QCOW2 images in memory. */

#include "qcow2-image.h"

#include <check.h>
#include <string.h>
#include <sys/mman.h>

static uint64_t
next_cluster (const struct qcow2_image *image)
{
  return (image->size + image->cluster_size - 1) / image->cluster_size
    * image->cluster_size;
}

/* How many guest bytes an L2 table maps. */
static uint64_t
table_covers (const struct qcow2_image *image)
{
  return image->cluster_size / image->entry_size * image->cluster_size;
}

static void
write_version_3 (struct qcow2_image *image, uint64_t features)
{
  struct qcow2_header *header = qcow2_image_header (image);

  header->incompatible_features = to_be64 (features);
  header->refcount_order = to_be32 (4);
  header->header_length = to_be32 (sizeof *header);
  if (features & QCOW2_COMPRESSION_TYPE)
    header->compression_type = QCOW2_COMPRESSION_ZSTD;
  image->extension = sizeof *header;
  if (features & QCOW2_EXTERNAL_DATA)
    qcow2_image_add_extension (image, QCOW2_EXTENSION_DATA_FILE, "data.raw",
                               8);
}

void
qcow2_image_init (struct qcow2_image *image, unsigned version,
                  unsigned cluster_bits, uint64_t disk_size,
                  uint64_t features)
{
  struct qcow2_header *header;
  uint64_t entries;

  image->bytes = mmap (NULL, QCOW2_IMAGE_ROOM, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ck_assert_ptr_ne (image->bytes, MAP_FAILED);
  image->cluster_bits = cluster_bits;
  image->cluster_size = UINT64_C (1) << cluster_bits;
  image->entry_size = features & QCOW2_EXTENDED_L2 ? 16 : 8;
  image->size = image->cluster_size;
  image->extension = QCOW2_HEADER_LENGTH_V2;

  header = qcow2_image_header (image);
  header->magic = to_be32 (QCOW2_MAGIC);
  header->version = to_be32 (version);
  header->cluster_bits = to_be32 (cluster_bits);
  header->size = to_be64 (disk_size);
  entries = disk_size / table_covers (image) +
    (disk_size % table_covers (image) != 0);
  header->l1_size = to_be32 (entries);
  if (entries > 0) {
    header->l1_table_offset = to_be64 (qcow2_image_append (image,
                                                           entries * 8));
    image->size = next_cluster (image);
  }
  if (version >= 3)
    write_version_3 (image, features);
}

void
qcow2_image_free (struct qcow2_image *image)
{
  munmap (image->bytes, QCOW2_IMAGE_ROOM);
  *image = (struct qcow2_image) { 0 };
}

struct qcow2_header *
qcow2_image_header (const struct qcow2_image *image)
{
  return (struct qcow2_header *) image->bytes;
}

void
qcow2_image_add_extension (struct qcow2_image *image, uint32_t type,
                           const void *data, uint32_t length)
{
  const struct qcow2_extension extension = {
    to_be32 (type), to_be32 (length),
  };
  uint8_t *to = image->bytes + image->extension;

  memcpy (to, &extension, sizeof extension);
  if (length > 0)
    memcpy (to + sizeof extension, data, length);
  image->extension += sizeof extension + (length + 7) / 8 * 8;
  ck_assert_uint_le (image->extension, image->cluster_size);
}

void
qcow2_image_set_backing (struct qcow2_image *image, const char *name)
{
  struct qcow2_header *header = qcow2_image_header (image);
  const size_t length = strlen (name);
  const uint64_t offset = image->cluster_size - length;

  memcpy (image->bytes + offset, name, length);
  header->backing_file_offset = to_be64 (offset);
  header->backing_file_size = to_be32 (length);
}

uint64_t
qcow2_image_append (struct qcow2_image *image, size_t count)
{
  const uint64_t offset = next_cluster (image);

  ck_assert_uint_le (offset + count, QCOW2_IMAGE_ROOM);
  image->size = offset + count;
  return offset;
}

uint64_t
qcow2_image_append_bytes (struct qcow2_image *image, const void *bytes,
                          size_t count)
{
  const uint64_t offset = image->size;

  ck_assert_uint_le (offset + count, QCOW2_IMAGE_ROOM);
  memcpy (image->bytes + offset, bytes, count);
  image->size += count;
  return offset;
}

be64 *
qcow2_image_l1 (const struct qcow2_image *image, uint64_t index)
{
  const struct qcow2_header *header = qcow2_image_header (image);

  return (be64 *) (image->bytes + get_be64 (header->l1_table_offset))
    + index;
}

be64 *
qcow2_image_l2 (struct qcow2_image *image, uint64_t guest)
{
  const uint64_t covers = table_covers (image);
  be64 *l1 = qcow2_image_l1 (image, guest / covers);
  uint64_t table = get_be64 (*l1) & QCOW2_OFFSET_MASK;

  if (table == 0) {
    table = qcow2_image_append (image, image->cluster_size);
    *l1 = to_be64 (table | QCOW2_COPIED);
  }
  return (be64 *) (image->bytes + table +
                   guest % covers / image->cluster_size *
                   image->entry_size);
}

void
qcow2_image_set (struct qcow2_image *image, uint64_t guest, uint64_t entry)
{
  *qcow2_image_l2 (image, guest) = to_be64 (entry);
}

void
qcow2_image_set_extended (struct qcow2_image *image, uint64_t guest,
                          uint64_t entry, uint64_t bitmap)
{
  be64 *l2 = qcow2_image_l2 (image, guest);

  l2[0] = to_be64 (entry);
  l2[1] = to_be64 (bitmap);
}

uint64_t
qcow2_image_add_data (struct qcow2_image *image, uint64_t guest)
{
  be64 *l2 = qcow2_image_l2 (image, guest);
  const uint64_t host = qcow2_image_append (image, image->cluster_size);

  l2[0] = to_be64 (host | QCOW2_COPIED);
  if (image->entry_size == 16)
    l2[1] = to_be64 (UINT32_MAX);
  return host;
}

uint64_t
qcow2_image_packed (const struct qcow2_image *image, uint64_t host,
                    uint64_t packed_size)
{
  const uint64_t last = host + packed_size - 1;

  return qcow2_image_packed_sectors (image, host, last / 512 - host / 512);
}

uint64_t
qcow2_image_packed_sectors (const struct qcow2_image *image, uint64_t host,
                            uint64_t sectors)
{
  const unsigned sector_bits = image->cluster_bits - 8;

  ck_assert_uint_lt (sectors, UINT64_C (1) << sector_bits);
  return UINT64_C (1) << 62 | sectors << (62 - sector_bits) | host;
}
