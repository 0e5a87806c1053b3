/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a base is, seen from the destination. */

#ifndef VDISK_EXPORT_BASE_PATH_H
#define VDISK_EXPORT_BASE_PATH_H

struct export;
struct vdisk_error;

/* The relative path, to be freed.  NULL with an error. */
char *base_path (const struct export *export, struct vdisk_error *error);

#endif /* VDISK_EXPORT_BASE_PATH_H */
