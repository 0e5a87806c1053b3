/* SPDX-License-Identifier: BSD-3-Clause */
/* The snapshot table and the bitmap directory: lists of what has tables of
 * its own.
 */

#include "format/qcow2/check/check.h"

#include <inttypes.h>

#include "source/padded.h"
#include "util/align.h"

/* Version 3 snapshots have at least these bytes of extra data. */
#define SNAPSHOT_EXTRA_SIZE_MIN 16
#define SNAPSHOT_EXTRA_SIZE_MAX 1024    /* QEMU's limit */

/* Check the entry of a snapshot, and add its L1 table. */
static int
take_snapshot (struct qcow2_walk *walk, const struct qcow2_place *place,
               const struct qcow2_snapshot *disk)
{
  const uint32_t extra_size = get_be32 (disk->extra_data_size);
  const struct qcow2_root root = {
    .offset = get_be64 (disk->l1_table_offset),
    .entries = get_be32 (disk->l1_size), .others = 1,
  };

  if (walk->qcow2->info.version >= 3 &&
      extra_size < SNAPSHOT_EXTRA_SIZE_MIN)
    qcow2_found (walk, place, VDISK_ERROR, "%" PRIu32 " bytes of extra "
                 "data, must be at least %d", extra_size,
                 SNAPSHOT_EXTRA_SIZE_MIN);
  if (!is_aligned (root.offset, walk->layer->cluster_size))
    qcow2_found (walk, place, VDISK_ERROR, "the offset of the L1 table, 0x%"
                 PRIx64 ", is not cluster-aligned", root.offset);
  else if (root.entries > QCOW2_L1_SIZE_MAX / QCOW2_L1_ENTRY_SIZE)
    qcow2_found (walk, place, VDISK_ERROR, "the L1 table has %" PRIu32
                 " entries, must be at most %d", root.entries,
                 QCOW2_L1_SIZE_MAX / QCOW2_L1_ENTRY_SIZE);
  else if (root.entries > 0)
    return qcow2_add_root (walk, &root);
  return 0;
}

int
qcow2_read_snapshots (struct qcow2_walk *walk, uint64_t offset,
                      uint32_t count, uint64_t *end)
{
  struct qcow2_place place = { .structure = "snapshot", .times = 1 };
  struct qcow2_snapshot disk;
  uint32_t i, extra_size;

  for (i = 0; i < count; ++i) {
    place.offset = offset;
    if (source_pread_padded (walk->layer->source, &disk, sizeof disk,
                             offset, walk->error) == -1 ||
        take_snapshot (walk, &place, &disk) == -1)
      return -1;
    extra_size = get_be32 (disk.extra_data_size);
    offset = round_up (offset + sizeof disk + extra_size +
                       get_be16 (disk.id_size) + get_be16 (disk.name_size),
                       8);
    if (extra_size > SNAPSHOT_EXTRA_SIZE_MAX) {
      qcow2_found (walk, &place, VDISK_ERROR, "%" PRIu32 " bytes of extra "
                   "data, must be at most %d; those after it are left out",
                   extra_size, SNAPSHOT_EXTRA_SIZE_MAX);
      break;
    }
    *end = offset;
  }
  return 0;
}

static int
take_bitmap (struct qcow2_walk *walk, const struct qcow2_place *place,
             const struct qcow2_bitmap_entry *entry)
{
  const struct qcow2_root root = {
    .offset = entry->table_offset, .entries = entry->table_size,
    .others = 1, .bitmap = true,
  };
  const char *fault = qcow2_bitmap_fault (walk->layer, entry);

  if (fault == NULL)
    return qcow2_add_root (walk, &root);
  qcow2_found (walk, place, VDISK_ERROR, "%s (table of %" PRIu32 " entries "
               "at 0x%" PRIx64 ", flags 0x%" PRIx32 ", type %u, "
               "granularity 2^%u)", fault, root.entries, root.offset,
               entry->flags, entry->type, entry->granularity_bits);
  return 0;
}

int
qcow2_read_bitmaps (struct qcow2_walk *walk, uint64_t offset, uint64_t size,
                    uint32_t count)
{
  struct qcow2_place place = { .structure = "bitmap", .times = 1 };
  const uint64_t end = offset + size;
  struct qcow2_bitmap_entry entry;
  struct qcow2_bitmap disk;
  uint32_t i;

  for (i = 0; i < count && end - offset >= sizeof disk; ++i) {
    uint64_t entry_size;

    place.offset = offset;
    if (source_pread_padded (walk->layer->source, &disk, sizeof disk,
                             offset, walk->error) == -1)
      return -1;
    entry_size = round_up (sizeof disk +
                           (uint64_t) get_be32 (disk.extra_data_size) +
                           get_be16 (disk.name_size), 8);
    if (entry_size > end - offset)
      break;
    qcow2_parse_bitmap (&disk, offset, &entry);
    if (take_bitmap (walk, &place, &entry) == -1)
      return -1;
    offset += entry_size;
  }
  if (i < count || offset != end) {
    place.offset = offset;
    qcow2_found (walk, &place, VDISK_ERROR, "the directory of %" PRIu32
                 " bitmaps has %" PRIu64 " bytes left here after %" PRIu32,
                 count, end - offset, i);
  }
  return 0;
}
