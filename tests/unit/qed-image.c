/* SPDX-License-Identifier: BSD-3-Clause */
/* Building QED images in memory. */

#include "qed-image.h"

#include <check.h>
#include <string.h>
#include <sys/mman.h>

void
qed_image_init (struct qed_image *image, uint32_t cluster_size,
                uint32_t table_size, uint64_t disk_size)
{
  image->bytes = mmap (NULL, QED_IMAGE_ROOM, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ck_assert_ptr_ne (image->bytes, MAP_FAILED);
  image->cluster_size = cluster_size;
  image->table_size = table_size;
  image->size = cluster_size;
  *qed_image_header (image) = (struct qed_header) {
    .magic = to_le32 (QED_MAGIC),
    .cluster_size = to_le32 (cluster_size),
    .table_size = to_le32 (table_size),
    .header_size = to_le32 (1),
    .l1_table_offset = to_le64 (qed_image_append (image, table_size)),
    .image_size = to_le64 (disk_size),
  };
}

void
qed_image_free (struct qed_image *image)
{
  munmap (image->bytes, QED_IMAGE_ROOM);
  *image = (struct qed_image) { 0 };
}

struct qed_header *
qed_image_header (const struct qed_image *image)
{
  return (struct qed_header *) image->bytes;
}

void
qed_image_set_backing (struct qed_image *image, const char *name,
                       uint64_t features)
{
  struct qed_header *header = qed_image_header (image);
  const size_t length = strlen (name);
  const uint32_t offset = image->cluster_size - length;

  memcpy (image->bytes + offset, name, length);
  header->features = to_le64 (QED_F_BACKING_FILE | features);
  header->backing_filename_offset = to_le32 (offset);
  header->backing_filename_size = to_le32 (length);
}

uint64_t
qed_image_append (struct qed_image *image, uint64_t clusters)
{
  const uint64_t size = image->cluster_size;
  const uint64_t offset = (image->size + size - 1) / size * size;

  ck_assert_uint_le (offset + clusters * size, QED_IMAGE_ROOM);
  image->size = offset + clusters * size;
  return offset;
}

/* How many entries a table has. */
static uint64_t
table_entries (const struct qed_image *image)
{
  return (uint64_t) image->table_size * image->cluster_size / 8;
}

le64 *
qed_image_l1 (const struct qed_image *image, uint64_t index)
{
  const struct qed_header *header = qed_image_header (image);

  return (le64 *) (image->bytes + get_le64 (header->l1_table_offset))
    + index;
}

le64 *
qed_image_l2 (struct qed_image *image, uint64_t guest)
{
  const uint64_t cluster = guest / image->cluster_size;
  le64 *l1 = qed_image_l1 (image, cluster / table_entries (image));
  uint64_t table = get_le64 (*l1);

  if (table == 0) {
    table = qed_image_append (image, image->table_size);
    *l1 = to_le64 (table);
  }
  return (le64 *) (image->bytes + table) + cluster % table_entries (image);
}

void
qed_image_set (struct qed_image *image, uint64_t guest, uint64_t entry)
{
  *qed_image_l2 (image, guest) = to_le64 (entry);
}

uint64_t
qed_image_add_data (struct qed_image *image, uint64_t guest)
{
  le64 *l2 = qed_image_l2 (image, guest);
  const uint64_t host = qed_image_append (image, 1);

  *l2 = to_le64 (host);
  return host;
}
