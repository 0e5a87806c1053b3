/* SPDX-License-Identifier: BSD-3-Clause */
/* The names of views: which there are, and what one of them means. */

#ifndef VDISK_VIEW_NAMES_H
#define VDISK_VIEW_NAMES_H

#include "view/view.h"

struct image;

/* Open the view that 'name' means.  NULL on error: ENOENT if there is
 * none. */
struct vdisk *view_open (struct image *image, const char *name,
                         struct vdisk_error *error);

#endif /* VDISK_VIEW_NAMES_H */
