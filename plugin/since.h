/* SPDX-License-Identifier: BSD-3-Clause */
/* The parameters that say since when, or since what other image, what has
 * changed is served.  Only they name files: a client cannot.
 */

#ifndef VDISK_SINCE_H
#define VDISK_SINCE_H

#include <stdbool.h>

#include "vdisk.h"

/* Take a parameter.  1 if it is one of these, 0 if not, -1 on error, which
 * nbdkit was told. */
int since_config (const char *key, const char *value);

/* Is what was taken complete?  0 or -1. */
int since_config_complete (void);

/* Is there anything to compare with? */
bool since_is_set (void);

/* Is it another image? */
bool since_is_image (void);

/* What has changed on a disk.  'options' may be changed.  NULL on error. */
struct vdisk *since_open (struct vdisk *vdisk, struct vdisk_options *options,
                          struct vdisk_error *error);

void since_unload (void);

#endif /* VDISK_SINCE_H */
