/* SPDX-License-Identifier: BSD-3-Clause */
/* What an NBD server serves as a source. */

#ifndef VDISK_NBD_H
#define VDISK_NBD_H

#include "source/source.h"

/* Is this an NBD URI, rather than the name of a file? */
bool source_is_nbd_uri (const char *path);

/* Connect to the server, which must be there for as long as the source is,
 * and make a source of the disk that it serves.  The options, which must
 * outlive it, say how long to wait, and who may cancel that.  NULL on
 * error. */
struct source *source_nbd_open (const char *uri,
                                const struct vdisk_options *options,
                                struct vdisk_error *error);

#endif /* VDISK_NBD_H */
