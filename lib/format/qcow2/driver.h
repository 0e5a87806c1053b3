/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the QCOW2 driver share: header.c reads the header, driver.c
 * opens by it; map.c turns L1 and L2 entries into intervals; packed.c inflates
 * compressed clusters.
 */

#ifndef VDISK_QCOW2_H
#define VDISK_QCOW2_H

#include <stdbool.h>
#include <stdint.h>

#include "format/format.h"
#include "map/interval.h"
#include "layer.h"

struct check_report;
struct json_t;
struct qcow2_unpackers;

/* The header, validated, and the extensions that matter. */
struct qcow2_info {
  uint32_t version;
  unsigned cluster_bits;
  uint64_t size;
  uint64_t l1_table_offset;
  uint32_t l1_size;                     /* entries */
  uint64_t refcount_table_offset;
  uint32_t refcount_table_clusters;
  unsigned refcount_order;              /* log2 of the width in bits */
  uint32_t snapshot_count;
  uint64_t snapshots_offset;
  uint32_t crypt_method;
  uint64_t incompatible_features, compatible_features;
  uint64_t autoclear_features;
  uint8_t compression_type;
  uint64_t backing_file_offset;         /* 0: there is none */
  uint32_t backing_file_size;
  char backing_format[16];              /* "": not recorded */
  uint64_t data_file_offset;            /* of the name; 0: none */
  uint32_t data_file_size;
  uint32_t bitmap_count;                /* from the bitmaps extension */
  uint64_t bitmap_directory_offset, bitmap_directory_size;
  uint64_t crypt_header_offset, crypt_header_size;      /* LUKS */
};

struct qcow2 {
  struct qcow2_info info;
  unsigned l2_bits;                     /* log2 of the entries of a table */
  unsigned entry_size;                  /* of an L2 entry, bytes */
  struct qcow2_unpackers *unpackers;
};

/* Read and validate the header of a layer whose cluster size and so on
 * are not set yet. */
int qcow2_read_header (const struct layer *layer, struct qcow2_info *info,
                       struct vdisk_error *error);

int qcow2_map (struct layer *layer, uint64_t offset, uint64_t count,
               struct interval_list *out, struct vdisk_error *error);

/* snapshots.c */

/* An entry of the snapshot table.  Where something is not recorded, it is
 * what the specification says then. */
struct qcow2_snapshot_entry {
  uint64_t offset;                      /* of the entry */
  uint64_t l1_table_offset;
  uint32_t l1_size;                     /* entries */
  uint64_t disk_size;
  uint64_t vm_state_size;
  uint64_t icount;                      /* UINT64_MAX: not recorded */
  uint32_t date_sec, date_nsec;
  uint64_t vm_clock_nsec;
  uint64_t id_offset, name_offset;      /* of the text in the file */
  uint16_t id_size, name_size;
};

/* Takes one.  0 to go on, 1 to stop, -1 for an error. */
typedef int qcow2_take_snapshot (void *opaque, const struct layer *layer,
                                 const struct qcow2_snapshot_entry *entry,
                                 struct vdisk_error *error);

/* Take all entries of the table, in order. */
int qcow2_each_snapshot (const struct layer *layer,
                         qcow2_take_snapshot *take, void *opaque,
                         struct vdisk_error *error);

/* The layer as it was then: see layer_share. */
struct layer *qcow2_open_snapshot (const struct layer *active,
                                   const struct qcow2_snapshot_entry *entry,
                                   struct vdisk_error *error);

/* states.c: the format's 'find_change', 'list_views', 'open_snapshot',
 * 'open_bitmap' and 'map_bitmap'. */
int qcow2_find_change (const struct layer *a, const struct layer *b,
                       uint64_t offset, uint64_t *end, uint64_t *work,
                       struct vdisk_error *error);
int qcow2_list_views (const struct layer *layer, layer_take_view *take,
                      void *opaque, struct vdisk_error *error);
struct layer *qcow2_open_snapshot_number (const struct layer *layer,
                                          uint32_t number,
                                          struct vdisk_error *error);
void *qcow2_open_bitmap (const struct layer *layer, uint32_t number,
                         uint64_t *granularity, struct vdisk_error *error);

/* bitmaps.c */

/* An entry of the bitmap directory. */
struct qcow2_bitmap_entry {
  uint64_t offset;                      /* of the entry */
  uint64_t table_offset;
  uint32_t table_size;                  /* entries */
  uint32_t flags;
  uint8_t type, granularity_bits;
  uint32_t extra_size;
  uint64_t name_offset;                 /* of the text in the file */
  uint16_t name_size;
};

struct qcow2_bitmap;

/* The entry that 'disk' is, at 'offset'. */
void qcow2_parse_bitmap (const struct qcow2_bitmap *disk, uint64_t offset,
                         struct qcow2_bitmap_entry *entry);

/* Takes one.  0 to go on, 1 to stop, -1 for an error. */
typedef int qcow2_take_bitmap (void *opaque, const struct layer *layer,
                               const struct qcow2_bitmap_entry *entry,
                               struct vdisk_error *error);

/* Take all entries of the directory, in order.  There are none where
 * bitmaps mean nothing: without the autoclear bit a program that knows none
 * has written the image. */
int qcow2_each_bitmap (const struct layer *layer, qcow2_take_bitmap *take,
                       void *opaque, struct vdisk_error *error);

/* The rule that an entry breaks, or NULL. */
const char *qcow2_bitmap_fault (const struct layer *layer,
                                const struct qcow2_bitmap_entry *entry);

/* Does an entry obey the rules, and lie its table in the file? */
int qcow2_check_bitmap (const struct layer *layer,
                        const struct qcow2_bitmap_entry *entry,
                        struct vdisk_error *error);

/* Append to 'out' intervals that tile the guest range: DATA where the
 * bitmap, which has been checked, is set, HOLE where it is not.  Neither has
 * a host offset. */
int qcow2_map_bitmap (const struct layer *layer, const void *bitmap,
                      uint64_t offset, uint64_t count,
                      struct interval_list *out, struct vdisk_error *error);

/* packed.c */

/* A set of decompressors of a compression type, one for each thread that
 * needs one at the same time.  NULL if out of memory. */
struct qcow2_unpackers *qcow2_unpackers_new (uint8_t compression_type);
void qcow2_unpackers_free (struct qcow2_unpackers *unpackers);

int qcow2_unpack (struct layer *layer, const struct interval *interval,
                  void *cluster, struct vdisk_error *error);

/* The format's 'qemu_finds_holes': see preallocation.c. */
bool qcow2_qemu_finds_holes (const struct layer *layer);

/* The format's 'describe'. */
int qcow2_describe (struct layer *layer, struct json_t *document,
                    struct vdisk_error *error);

/* The format's 'check': see check/check.h. */
int qcow2_check (struct layer *layer, struct check_report *report,
                 struct vdisk_error *error);

/* The same with references counted for 2^window_bits clusters at a time,
 * and 'l2_list_max' (at least 2) L2 tables listed at a time.  What is
 * found does not depend on them. */
int qcow2_check_in_windows (struct layer *layer, struct check_report *report,
                            unsigned window_bits, size_t l2_list_max,
                            struct vdisk_error *error);

#endif /* VDISK_QCOW2_H */
