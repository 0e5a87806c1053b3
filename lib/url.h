/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of images that are no names of files. */

#ifndef VDISK_URL_H
#define VDISK_URL_H

#include "vdisk.h"

/* Refuse a URL of a protocol that is not read, the name of a disk in QEMU's
 * own syntax, or "-": the error says how to get there.  Returns 0 for all
 * other names, and if there is a file of that name. */
int url_check (const char *name, const struct vdisk_options *options,
               struct vdisk_error *error);

#endif /* VDISK_URL_H */
