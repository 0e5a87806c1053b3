/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing the tables of snapshots and bitmaps. */

#include "states-image.h"

#include <check.h>
#include <string.h>

/* Append bytes to a table, padded to 8. */
static void
put (uint8_t *table, size_t *size, const void *bytes, size_t count)
{
  ck_assert_uint_le (*size + count + 8, STATES_ROOM);
  if (count > 0)
    memcpy (table + *size, bytes, count);
  *size += count;
}

static void
pad (size_t *size)
{
  *size = (*size + 7) / 8 * 8;
}

void
states_add_snapshot (struct states *states,
                     const struct snapshot_fields *fields)
{
  const size_t name_size = fields->name_size ? fields->name_size
    : strlen (fields->name);
  const struct qcow2_snapshot entry = {
    .l1_table_offset = to_be64 (fields->l1_table_offset),
    .l1_size = to_be32 (fields->l1_size),
    .id_size = to_be16 (strlen (fields->id)),
    .name_size = to_be16 (name_size),
    .date_sec = to_be32 (1000000000),
    .extra_data_size = to_be32 (fields->extra_size),
  };
  struct qcow2_snapshot_extra extra = {
    .disk_size = to_be64 (fields->disk_size),
    .icount = to_be64 (UINT64_MAX),
  };

  ck_assert_uint_le (fields->extra_size, sizeof extra);
  put (states->snapshots, &states->snapshots_size, &entry, sizeof entry);
  put (states->snapshots, &states->snapshots_size, &extra,
       fields->extra_size);
  put (states->snapshots, &states->snapshots_size, fields->id,
       strlen (fields->id));
  put (states->snapshots, &states->snapshots_size, fields->name, name_size);
  pad (&states->snapshots_size);
  states->snapshot_count++;
}

void
states_take (struct states *states, struct qcow2_image *image,
             const char *id, const char *name)
{
  const struct qcow2_header *header = qcow2_image_header (image);
  const uint32_t count = get_be32 (header->l1_size);
  const uint64_t l1 = qcow2_image_append (image, count * sizeof (be64));
  const struct snapshot_fields fields = {
    .l1_table_offset = l1, .l1_size = count, .id = id, .name = name,
    .extra_size = 16, .disk_size = get_be64 (header->size),
  };
  uint32_t i;

  memcpy (image->bytes + l1, qcow2_image_l1 (image, 0),
          count * sizeof (be64));
  for (i = 0; i < count; ++i) {
    be64 *entry = qcow2_image_l1 (image, i);
    const uint64_t table = get_be64 (*entry) & QCOW2_OFFSET_MASK;
    uint64_t copy;

    if (table == 0)
      continue;
    copy = qcow2_image_append (image, image->cluster_size);
    memcpy (image->bytes + copy, image->bytes + table, image->cluster_size);
    *entry = to_be64 (copy | QCOW2_COPIED);
  }
  states_add_snapshot (states, &fields);
}

void
states_add_entry (struct states *states, const struct qcow2_bitmap *entry,
                  const char *name)
{
  struct qcow2_bitmap disk = *entry;

  disk.name_size = to_be16 (strlen (name));
  put (states->bitmaps, &states->bitmaps_size, &disk, sizeof disk);
  put (states->bitmaps, &states->bitmaps_size, name, strlen (name));
  pad (&states->bitmaps_size);
  states->bitmap_count++;
}

struct qcow2_bitmap *
states_last_bitmap (struct states *states)
{
  struct qcow2_bitmap *entry = (struct qcow2_bitmap *) states->bitmaps;
  size_t size;
  unsigned i;

  for (i = 1; i < states->bitmap_count; ++i) {
    size = sizeof *entry + get_be16 (entry->name_size);
    pad (&size);
    entry = (struct qcow2_bitmap *) ((uint8_t *) entry + size);
  }
  return entry;
}

void
states_add_bitmap (struct states *states, struct qcow2_image *image,
                   const char *name, unsigned granularity_bits,
                   const void *bits, size_t size)
{
  const uint64_t table = qcow2_image_append (image, image->cluster_size);
  const uint64_t cluster = qcow2_image_append (image, image->cluster_size);
  const struct qcow2_bitmap entry = {
    .table_offset = to_be64 (table), .table_size = to_be32 (1), .type = 1,
    .granularity_bits = granularity_bits,
  };
  const be64 value = to_be64 (cluster);

  memcpy (image->bytes + table, &value, sizeof value);
  memcpy (image->bytes + cluster, bits, size);
  states_add_entry (states, &entry, name);
}

void
states_finish (const struct states *states, struct qcow2_image *image)
{
  struct qcow2_header *header = qcow2_image_header (image);
  const uint64_t offset = qcow2_image_append (image, states->snapshots_size);
  const uint64_t directory = qcow2_image_append (image,
                                                 states->bitmaps_size);
  const struct qcow2_bitmaps_extension extension = {
    .bitmap_count = to_be32 (states->bitmap_count),
    .directory_size = to_be64 (states->bitmaps_size),
    .directory_offset = to_be64 (directory),
  };

  memcpy (image->bytes + offset, states->snapshots, states->snapshots_size);
  header->nb_snapshots = to_be32 (states->snapshot_count);
  header->snapshots_offset = to_be64 (offset);
  memcpy (image->bytes + directory, states->bitmaps, states->bitmaps_size);
  if (states->bitmap_count > 0) {
    qcow2_image_add_extension (image, QCOW2_EXTENSION_BITMAPS, &extension,
                               sizeof extension);
    header->autoclear_features = to_be64 (QCOW2_BITMAPS_VALID);
  }
}
