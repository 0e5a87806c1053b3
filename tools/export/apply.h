/* SPDX-License-Identifier: BSD-3-Clause */
/* Raw, in place: of a destination that has what a disk was, only what has
 * changed is written.
 */

#ifndef VDISK_EXPORT_APPLY_H
#define VDISK_EXPORT_APPLY_H

struct export;
struct sink;
struct vdisk_error;

/* See struct exporter; for all raw disks. */
int apply_check_destination (const struct export *export,
                             const struct sink *sink,
                             struct vdisk_error *error);

/* The destination is open already. */
int apply_plan (struct export *export, struct vdisk_error *error);
int apply_write (struct export *export, struct vdisk_error *error);

#endif /* VDISK_EXPORT_APPLY_H */
