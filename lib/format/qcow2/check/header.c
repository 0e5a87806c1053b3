/* SPDX-License-Identifier: BSD-3-Clause */
/* What the header of a QCOW2 image refers to. */

#include "format/qcow2/check/check.h"

#include <inttypes.h>

#include "util/align.h"

static void
add_area (struct qcow2_walk *walk, const char *name, uint64_t offset,
          uint64_t size)
{
  walk->areas[walk->area_count++] = (struct qcow2_area) {
    .name = name, .offset = offset, .size = size,
  };
}

/* Report what is wrong with a structure that the header refers to. */
#define found_area(walk, name, at, ...)                                 \
  qcow2_found ((walk),                                                  \
               &(struct qcow2_place) { .structure = (name),             \
                                       .offset = (at), .times = 1 },    \
               VDISK_ERROR, __VA_ARGS__)

static bool
area_is_aligned (struct qcow2_walk *walk, const char *name, uint64_t offset)
{
  if (is_aligned (offset, walk->layer->cluster_size))
    return true;
  found_area (walk, name, offset, "the offset is not cluster-aligned");
  return false;
}

static int
open_refcounts (struct qcow2_walk *walk)
{
  const struct qcow2_info *info = &walk->qcow2->info;
  const uint64_t offset = info->refcount_table_offset;
  uint64_t size = (uint64_t) info->refcount_table_clusters <<
    info->cluster_bits;

  walk->refcounts_known = area_is_aligned (walk, "refcount table", offset);
  if (size > QCOW2_REFCOUNT_TABLE_SIZE_MAX) {
    found_area (walk, "refcount table", offset, "%" PRIu32 " clusters are "
                "%" PRIu64 " bytes, must be at most %d",
                info->refcount_table_clusters, size,
                QCOW2_REFCOUNT_TABLE_SIZE_MAX);
    walk->refcounts_known = false;
  }
  if (!walk->refcounts_known)
    size = 0;
  else if (size == 0)
    report_finding (walk->report, VDISK_WARNING, "header: there is no refcount "
                    "table, so all refcounts are 0");
  add_area (walk, "refcount table", offset, size);
  return qcow2_refcounts_open (&walk->refcounts, walk->layer->source,
                               info->cluster_bits, info->refcount_order,
                               offset, size / sizeof (be64), walk->error);
}

static void
look_at_features (struct qcow2_walk *walk)
{
  const uint64_t features = walk->qcow2->info.incompatible_features;

  if (features & QCOW2_DIRTY)
    report_finding (walk->report, VDISK_WARNING, "header: the image is marked "
                    "dirty (incompatible feature bit 0): its refcounts may be "
                    "out of date");
  if (features & QCOW2_CORRUPT)
    report_finding (walk->report, VDISK_WARNING, "header: the image is marked "
                    "corrupt (incompatible feature bit 1)");
  if ((walk->qcow2->info.autoclear_features & QCOW2_DATA_FILE_RAW) &&
      !(features & QCOW2_EXTERNAL_DATA))
    report_finding (walk->report, VDISK_ERROR, "header: the external data is "
                    "marked raw (autoclear feature bit 1), but there is none "
                    "(incompatible feature bit 2 is clear): nothing reads the "
                    "image");
}

static void
find_encryption (struct qcow2_walk *walk)
{
  const struct qcow2_info *info = &walk->qcow2->info;

  if (info->crypt_header_size == 0)
    return;
  if (info->crypt_method != QCOW2_CRYPT_LUKS)
    found_area (walk, "encryption header", info->crypt_header_offset,
                "there must not be one with crypt_method %" PRIu32,
                info->crypt_method);
  else if (area_is_aligned (walk, "encryption header",
                            info->crypt_header_offset))
    add_area (walk, "encryption header", info->crypt_header_offset,
              info->crypt_header_size);
}

static int
find_bitmaps (struct qcow2_walk *walk)
{
  const struct qcow2_info *info = &walk->qcow2->info;
  const uint64_t offset = info->bitmap_directory_offset;

  if (info->bitmap_count == 0)
    return 0;
  if (!(info->autoclear_features & QCOW2_BITMAPS_VALID)) {
    report_finding (walk->report, VDISK_WARNING, "bitmaps extension: autoclear "
                    "feature bit 0 is not set: a program that knows no bitmaps "
                    "has written to the image, and their clusters are not "
                    "counted");
    return 0;
  }
  if (!area_is_aligned (walk, "bitmap directory", offset))
    return 0;
  if (info->bitmap_directory_size > QCOW2_BITMAP_DIRECTORY_SIZE_MAX ||
      info->bitmap_count > QCOW2_BITMAPS_MAX) {
    found_area (walk, "bitmap directory", offset, "%" PRIu32 " bitmaps in %"
                PRIu64 " bytes, must be at most %d in %d",
                info->bitmap_count, info->bitmap_directory_size,
                QCOW2_BITMAPS_MAX, QCOW2_BITMAP_DIRECTORY_SIZE_MAX);
    return 0;
  }
  add_area (walk, "bitmap directory", offset, info->bitmap_directory_size);
  return qcow2_read_bitmaps (walk, offset, info->bitmap_directory_size,
                             info->bitmap_count);
}

static int
find_snapshots (struct qcow2_walk *walk)
{
  const struct qcow2_info *info = &walk->qcow2->info;
  const uint64_t offset = info->snapshots_offset;
  uint64_t end = offset;

  if (info->snapshot_count == 0)
    return 0;
  if (info->incompatible_features & QCOW2_EXTERNAL_DATA)
    found_area (walk, "snapshot table", offset, "there are %" PRIu32
                " snapshots, must be none with an external data file",
                info->snapshot_count);
  if (!area_is_aligned (walk, "snapshot table", offset))
    return 0;
  if (info->snapshot_count > QCOW2_SNAPSHOTS_MAX) {
    found_area (walk, "snapshot table", offset, "there are %" PRIu32
                " snapshots, must be at most %d", info->snapshot_count,
                QCOW2_SNAPSHOTS_MAX);
    return 0;
  }
  if (qcow2_read_snapshots (walk, offset, info->snapshot_count,
                            &end) == -1)
    return -1;
  add_area (walk, "snapshot table", offset, end - offset);
  return 0;
}

int
qcow2_check_header (struct qcow2_walk *walk)
{
  const struct qcow2_info *info = &walk->qcow2->info;
  const struct qcow2_root active = {
    .offset = info->l1_table_offset, .entries = info->l1_size, .active = 1,
  };

  look_at_features (walk);
  add_area (walk, "header", 0, walk->layer->cluster_size);
  if (open_refcounts (walk) == -1)
    return -1;
  find_encryption (walk);
  if (info->l1_size > 0 && qcow2_add_root (walk, &active) == -1)
    return -1;
  if (find_snapshots (walk) == -1 || find_bitmaps (walk) == -1)
    return -1;
  qcow2_settle_roots (walk);
  return 0;
}
