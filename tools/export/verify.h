/* SPDX-License-Identifier: BSD-3-Clause */
/* Checking files against manifests. */

#ifndef VDISK_EXPORT_VERIFY_H
#define VDISK_EXPORT_VERIFY_H

#include "vdisk.h"

struct part;
struct progress;

/* Check all of a file against the manifest, which must have all parts. */
int verify_file (const char *path, const char *manifest_path,
                 struct progress *progress, struct vdisk_error *error);

/* Are the bytes of an open file those of the part?  1, 0, or -1 with an
 * error. */
int verify_part (int fd, const char *path, const struct part *part,
                 struct vdisk_error *error);

#endif /* VDISK_EXPORT_VERIFY_H */
