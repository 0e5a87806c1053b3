/* SPDX-License-Identifier: BSD-3-Clause */
/* QED as it lies on disk.  Specification: QEMU, docs/interop/qed_spec.
 * All numbers are little-endian.
 *
 *   clusters 0 .. header_size - 1   header | backing file name
 *   anywhere                        L1 table, table_size clusters
 *   anywhere                        L2 tables, table_size clusters each
 *   anywhere                        data clusters
 *
 *   guest offset:  | L1 index | L2 index | offset in cluster |
 */

#ifndef VDISK_QED_DISK_H
#define VDISK_QED_DISK_H

#include <assert.h>

#include "bounds.h"
#include "util/bytes.h"

#define QED_MAGIC 0x00444551u           /* "QED\0" */

#define QED_CLUSTER_SIZE_MIN (1u << 12)
#define QED_SECTOR_SIZE 512

struct qed_header {
  le32 magic;
  le32 cluster_size;            /* bytes */
  le32 table_size;              /* clusters */
  le32 header_size;             /* clusters */
  le64 features;
  le64 compat_features;
  le64 autoclear_features;
  le64 l1_table_offset;
  le64 image_size;              /* of the guest disk, bytes */
  le32 backing_filename_offset; /* bytes from the start of the file */
  le32 backing_filename_size;
};
static_assert (sizeof (struct qed_header) == 64, "qed header");

#define QED_F_BACKING_FILE              (UINT64_C (1) << 0)
#define QED_F_NEED_CHECK                (UINT64_C (1) << 1)
#define QED_F_BACKING_FORMAT_NO_PROBE   (UINT64_C (1) << 2)
#define QED_F_KNOWN                     ((UINT64_C (1) << 3) - 1)

#define QED_ENTRY_SIZE 8
#define QED_OFFSET_UNALLOCATED 0
#define QED_OFFSET_ZERO 1               /* L2 only */

#endif /* VDISK_QED_DISK_H */
