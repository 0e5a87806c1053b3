/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing qcow2: what both of its layouts need (the one for streams, whose
 * tables come first, and the one for files, whose tables come when it is
 * known what is in them).
 */

#ifndef VDISK_EXPORT_QCOW2_H
#define VDISK_EXPORT_QCOW2_H

#include "export/export.h"
#include "output/qcow2-layout.h"

/* The header's part of the options. */
static inline struct qcow2_settings
qcow2_settings_of (const struct export_options *options)
{
  return (struct qcow2_settings) {
    .cluster_size = options->cluster_size,
    .refcount_bits = options->refcount_bits,
    .data_file = options->data_file,
    .data_file_raw = options->data_file_raw,
    .backing = options->backing,
    .backing_format = options->backing_format,
    .zstd = options->compression == COMPRESSION_ZSTD,
  };
}

/* The layout for files: clusters are compressed, or dropped if they are
 * all zeros. */
int qcow2_write_packed (struct export *export, struct vdisk_error *error);

#endif /* VDISK_EXPORT_QCOW2_H */
