/* SPDX-License-Identifier: BSD-3-Clause */
/* QCOW2 as it lies on disk.  Specification: QEMU, docs/interop/qcow2.
 * All numbers are big-endian.
 *
 *   cluster 0      header | extensions | backing file name
 *   anywhere       L1 table: one entry for each L2 table
 *   anywhere       L2 tables, a cluster each: one entry for each cluster
 *   anywhere       data clusters, compressed clusters (at any byte)
 *
 *   guest offset:  | L1 index | L2 index | offset in cluster |
 *
 * Refcounts are not needed to read.
 */

#ifndef VDISK_QCOW2_DISK_H
#define VDISK_QCOW2_DISK_H

#include <assert.h>

#include "bounds.h"
#include "util/bytes.h"

#define QCOW2_MAGIC 0x514649fbu         /* "QFI\xfb" */

#define QCOW2_CLUSTER_BITS_MIN 9
#define QCOW2_EXTENDED_L2_CLUSTER_BITS_MIN 14
#define QCOW2_REFCOUNT_ORDER_MAX 6

struct qcow2_header {
  be32 magic;
  be32 version;
  be64 backing_file_offset;     /* 0: there is none */
  be32 backing_file_size;
  be32 cluster_bits;
  be64 size;
  be32 crypt_method;
  be32 l1_size;                 /* entries */
  be64 l1_table_offset;
  be64 refcount_table_offset;
  be32 refcount_table_clusters;
  be32 nb_snapshots;
  be64 snapshots_offset;
  /* Version 2 ends here. */
  be64 incompatible_features;
  be64 compatible_features;
  be64 autoclear_features;
  be32 refcount_order;
  be32 header_length;
  /* The shortest version 3 ends here. */
  uint8_t compression_type;
  uint8_t padding[7];
};
#define QCOW2_HEADER_LENGTH_V2 72
#define QCOW2_HEADER_LENGTH_V3 104
static_assert (sizeof (struct qcow2_header) == 112, "qcow2 header");

enum {
  QCOW2_CRYPT_NONE = 0,
  QCOW2_CRYPT_AES = 1,
  QCOW2_CRYPT_LUKS = 2,
};

enum {
  QCOW2_COMPRESSION_ZLIB = 0,
  QCOW2_COMPRESSION_ZSTD = 1,
};

/* Incompatible features. */
#define QCOW2_DIRTY             (UINT64_C (1) << 0)
#define QCOW2_CORRUPT           (UINT64_C (1) << 1)
#define QCOW2_EXTERNAL_DATA     (UINT64_C (1) << 2)
#define QCOW2_COMPRESSION_TYPE  (UINT64_C (1) << 3)
#define QCOW2_EXTENDED_L2       (UINT64_C (1) << 4)
#define QCOW2_KNOWN_FEATURES    ((UINT64_C (1) << 5) - 1)

struct qcow2_extension {
  be32 type;
  be32 length;                  /* of the data; padded to 8 bytes */
};
static_assert (sizeof (struct qcow2_extension) == 8, "qcow2 extension");

enum {
  QCOW2_EXTENSION_END = 0x00000000,
  QCOW2_EXTENSION_BACKING_FORMAT = 0xe2792aca,
  QCOW2_EXTENSION_FEATURE_NAMES = 0x6803f857,
  QCOW2_EXTENSION_DATA_FILE = 0x44415441,
  QCOW2_EXTENSION_BITMAPS = 0x23852875,
  QCOW2_EXTENSION_CRYPT = 0x0537be77,
};

/* The data of two of them. */
struct qcow2_bitmaps_extension {
  be32 bitmap_count;
  be32 reserved;
  be64 directory_size;
  be64 directory_offset;
};
static_assert (sizeof (struct qcow2_bitmaps_extension) == 24, "bitmaps");

struct qcow2_crypt_extension {
  be64 offset;
  be64 size;
};
static_assert (sizeof (struct qcow2_crypt_extension) == 16, "encryption");

/* An entry of the snapshot table, which is aligned to 8 bytes; extra data,
 * the id and the name follow. */
struct qcow2_snapshot {
  be64 l1_table_offset;
  be32 l1_size;
  be16 id_size;
  be16 name_size;
  be32 date_sec;
  be32 date_nsec;
  be64 vm_clock_nsec;
  be32 vm_state_size;
  be32 extra_data_size;
};
static_assert (sizeof (struct qcow2_snapshot) == 40, "snapshot");

struct qcow2_snapshot_extra {           /* as much of it as there is */
  be64 vm_state_size;
  be64 disk_size;
  be64 icount;                          /* all ones: not recorded */
};
static_assert (sizeof (struct qcow2_snapshot_extra) == 24, "snapshot extra");

/* An entry of the bitmap directory, which is aligned to 8 bytes; extra
 * data and the name follow. */
struct qcow2_bitmap {
  be64 table_offset;
  be32 table_size;                      /* entries */
  be32 flags;
  uint8_t type;
  uint8_t granularity_bits;
  be16 name_size;
  be32 extra_data_size;
};
static_assert (sizeof (struct qcow2_bitmap) == 24, "bitmap");

#define QCOW2_BITMAP_IN_USE 1u
#define QCOW2_BITMAP_AUTO 2u
#define QCOW2_BITMAP_FLAGS_RESERVED UINT32_C (0xfffffff8)

#define QCOW2_BITMAP_DIRTY_TRACKING 1           /* the only type */

/* QEMU's limits. */
#define QCOW2_BITMAP_SIZE_MAX (512 << 20)
#define QCOW2_BITMAP_GRANULARITY_BITS_MIN 9
#define QCOW2_BITMAP_GRANULARITY_BITS_MAX 31

/* In a table entry without an offset: all bits are set. */
#define QCOW2_BITMAP_ALL_SET UINT64_C (1)

/* An entry of the feature name table. */
struct qcow2_feature_name {
  uint8_t type;                 /* 0: incompatible */
  uint8_t bit;
  char name[46];                /* padded with zeros */
};
static_assert (sizeof (struct qcow2_feature_name) == 48, "feature name");

#define QCOW2_LAZY_REFCOUNTS    (UINT64_C (1) << 0)     /* compatible */
#define QCOW2_BITMAPS_VALID     (UINT64_C (1) << 0)     /* autoclear */
#define QCOW2_DATA_FILE_RAW     (UINT64_C (1) << 1)     /* autoclear */

/* L1 entries, and L2 entries of data clusters. */
#define QCOW2_OFFSET_MASK       UINT64_C (0x00fffffffffffe00)
#define QCOW2_COPIED            (UINT64_C (1) << 63)
#define QCOW2_COMPRESSED        (UINT64_C (1) << 62)
#define QCOW2_ZERO              UINT64_C (1)    /* version 3, L2 only */

#define QCOW2_L1_ENTRY_SIZE 8
#define QCOW2_L2_ENTRY_SIZE 8
#define QCOW2_EXTENDED_L2_ENTRY_SIZE 16
#define QCOW2_SUBCLUSTERS 32

/* A compressed cluster is described by an offset in bytes (the low
 * 'offset_bits' bits) and a number of 512-byte sectors beyond the one
 * that the offset is in (the bits above, below bit 62). */
#define QCOW2_SECTOR_SIZE 512
#define QCOW2_HOST_OFFSET_MAX ((UINT64_C (1) << 56) - 1)
#define QCOW2_COMPRESSED_OFFSET_BITS(cluster_bits) \
  (62 - ((cluster_bits) - 8))

#endif /* VDISK_QCOW2_DISK_H */
