/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening what a disk is compared with, as users name it: the tool's --since
 * and the plugin's since.
 */

#ifndef VDISK_OPEN_SINCE_H
#define VDISK_OPEN_SINCE_H

#include <stdbool.h>

#include "vdisk.h"

/* Open what 'name' means to an image that is open: a view of it or, if it has
 * none by that name, another image.  With a format it is another image, of
 * that format.  'options' are those of the image, and are changed to those of
 * the other one: layers under the image are not its.  *is_image tells which it
 * was taken for, and may be NULL.  NULL on error. */
struct vdisk *open_since (struct vdisk *vdisk, const char *name,
                          const char *format, struct vdisk_options *options,
                          bool *is_image, struct vdisk_error *error);

#endif /* VDISK_OPEN_SINCE_H */
