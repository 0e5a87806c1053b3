/* SPDX-License-Identifier: BSD-3-Clause */
/* The disk's bytes as they are: all of a raw disk, and all but the footer
 * of a fixed VHD.
 */

#ifndef VDISK_EXPORT_RAW_H
#define VDISK_EXPORT_RAW_H

#include <stddef.h>
#include <stdint.h>

struct export;
struct vdisk_error;

/* Plan for the bytes alone. */
int raw_plan (struct export *export, struct vdisk_error *error);

/* Write bytes to export->sink, at any offset: of those that are zeros, with
 * --detect-zeroes, none. */
int raw_write_bytes (struct export *export, const uint8_t *bytes,
                     size_t count, uint64_t offset,
                     struct vdisk_error *error);

/* Write them to export->sink, which has begun, and leave its position
 * after them. */
int raw_write_disk (struct export *export, struct vdisk_error *error);

#endif /* VDISK_EXPORT_RAW_H */
