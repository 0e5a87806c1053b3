/* SPDX-License-Identifier: BSD-3-Clause */
/* A regular file or block device as a source. */

#ifndef VDISK_FILE_H
#define VDISK_FILE_H

#include "source/source.h"

/* Make a source of an open file, which it owns from now on (it is closed
 * on error too).  'name' is copied.  Anything but a regular file or a
 * block device is refused.  Unless 'force_share', take the locks of a
 * reader as QEMU does, and fail with EBUSY if a writer has the file.
 */
struct source *source_file (const char *name, int fd, bool force_share,
                            struct vdisk_error *error);

/* Open 'path' read-only, following symbolic links, and make a source of
 * it.  Opening a FIFO by mistake does not hang. */
struct source *source_file_open (const char *path, bool force_share,
                                 struct vdisk_error *error);

#endif /* VDISK_FILE_H */
