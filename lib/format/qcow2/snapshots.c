/* SPDX-License-Identifier: BSD-3-Clause */
/* The snapshot table: what it lists, and the disk as one of them has it.
 *
 * A snapshot has an L1 table of its own, which shares L2 tables and clusters
 * with others; what was saved of the virtual machine lies in the same table,
 * beyond the end of the disk.  COPIED bits mean nothing in it.
 */

#include "format/qcow2/driver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "format/format.h"
#include "format/qcow2/disk.h"
#include "source/source.h"
#include "util/align.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/minmax.h"

static int
read_snapshot (const struct layer *layer, uint64_t offset,
               struct qcow2_snapshot_entry *entry, struct vdisk_error *error)
{
  struct qcow2_snapshot_extra extra = { .icount = to_be64 (UINT64_MAX) };
  struct qcow2_snapshot disk;
  uint32_t extra_size;

  if (source_pread (layer->source, &disk, sizeof disk, offset, error) == -1)
    return -1;
  extra_size = get_be32 (disk.extra_data_size);
  extra.vm_state_size = to_be64 (get_be32 (disk.vm_state_size));
  extra.disk_size = to_be64 (layer->size);
  if (source_pread (layer->source, &extra,
                    min_u64 (extra_size, sizeof extra), offset + sizeof disk,
                    error) == -1)
    return -1;
  *entry = (struct qcow2_snapshot_entry) {
    .offset = offset,
    .l1_table_offset = get_be64 (disk.l1_table_offset),
    .l1_size = get_be32 (disk.l1_size),
    .disk_size = get_be64 (extra.disk_size),
    .vm_state_size = get_be64 (extra.vm_state_size),
    .icount = get_be64 (extra.icount),
    .date_sec = get_be32 (disk.date_sec),
    .date_nsec = get_be32 (disk.date_nsec),
    .vm_clock_nsec = get_be64 (disk.vm_clock_nsec),
    .id_offset = offset + sizeof disk + extra_size,
    .id_size = get_be16 (disk.id_size),
    .name_size = get_be16 (disk.name_size),
  };
  entry->name_offset = entry->id_offset + entry->id_size;
  return 0;
}

int
qcow2_each_snapshot (const struct layer *layer, qcow2_take_snapshot *take,
                     void *opaque, struct vdisk_error *error)
{
  const struct qcow2 *qcow2 = layer->state;
  const uint64_t start = qcow2->info.snapshots_offset;
  struct qcow2_snapshot_entry entry;
  uint64_t offset = start;
  uint32_t i;
  int r;

  if (qcow2->info.snapshot_count > QCOW2_SNAPSHOTS_MAX)
    return layer_error (layer, error, EINVAL, "header: nb_snapshots %u, must "
                        "be at most %d", qcow2->info.snapshot_count,
                        QCOW2_SNAPSHOTS_MAX);
  for (i = 0; i < qcow2->info.snapshot_count; ++i) {
    if (read_snapshot (layer, offset, &entry, error) == -1)
      return -1;
    r = take (opaque, layer, &entry, error);
    if (r != 0)
      return r == -1 ? -1 : 0;
    offset = round_up (entry.name_offset + entry.name_size, 8);
    if (offset - start > QCOW2_LIST_SIZE_MAX)
      return layer_error (layer, error, EINVAL, "snapshot table: more than "
                          "%d bytes are too many", QCOW2_LIST_SIZE_MAX);
  }
  return 0;
}

/* --- The disk then ------------------------------------------------------ */

/* An L1 table is made for the disk.  But for a snapshot that does not record
 * the size the active disk counts, which may have grown since. */
static int
check_disk_size (const struct layer *layer,
                 const struct qcow2_snapshot_entry *entry,
                 struct vdisk_error *error)
{
  const struct qcow2 *qcow2 = layer->state;
  const unsigned shift = qcow2->info.cluster_bits + qcow2->l2_bits;
  const uint64_t needed = divide_up (entry->disk_size, UINT64_C (1) << shift);

  if (entry->disk_size <= layer->size || needed <= entry->l1_size)
    return 0;
  return layer_error (layer, error, EINVAL, "snapshot at offset %" PRIu64
                      ": L1 table of %" PRIu32 " entries, a disk of %" PRIu64
                      " bytes needs %" PRIu64, entry->offset, entry->l1_size,
                      entry->disk_size, needed);
}

static int
check_l1_table (const struct layer *layer,
                const struct qcow2_snapshot_entry *entry,
                struct vdisk_error *error)
{
  const uint64_t size = (uint64_t) entry->l1_size * QCOW2_L1_ENTRY_SIZE;

  if (size > QCOW2_L1_SIZE_MAX)
    return layer_error (layer, error, EINVAL, "snapshot at offset %" PRIu64
                        ": L1 table of %" PRIu32 " entries, must be at most "
                        "%d", entry->offset, entry->l1_size,
                        QCOW2_L1_SIZE_MAX / QCOW2_L1_ENTRY_SIZE);
  if (!is_aligned (entry->l1_table_offset, layer->cluster_size) ||
      !range_within (entry->l1_table_offset, size, layer->source->size))
    return layer_error (layer, error, EINVAL, "snapshot at offset %" PRIu64
                        ": L1 table of %" PRIu64 " bytes at offset %" PRIu64
                        ", must be at a multiple of %" PRIu32 " in the file "
                        "(%" PRIu64 " bytes)", entry->offset, size,
                        entry->l1_table_offset, layer->cluster_size,
                        layer->source->size);
  return check_disk_size (layer, entry, error);
}

struct layer *
qcow2_open_snapshot (const struct layer *active,
                     const struct qcow2_snapshot_entry *entry,
                     struct vdisk_error *error)
{
  struct layer *layer;
  struct qcow2 *qcow2;

  if (check_l1_table (active, entry, error) == -1)
    return NULL;
  layer = layer_share (active, sizeof *qcow2, error);
  if (layer == NULL)
    return NULL;
  qcow2 = layer->state;
  qcow2->info.l1_table_offset = entry->l1_table_offset;
  qcow2->info.l1_size = entry->l1_size;
  qcow2->info.size = layer->size = entry->disk_size;
  return layer;
}
