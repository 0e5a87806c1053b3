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

/* The same of a file that the caller has opened, for reading.  Where 'name'
 * has a slash it is the file's path, and its directory that of the file's
 * references; otherwise, or if there is no such directory, it is only a
 * name.  It may be NULL. */
struct source *source_file_take (int fd, const char *name, bool force_share,
                                 struct vdisk_error *error);

/* Open 'path' read-only, following symbolic links, and make a source of
 * it.  Opening a FIFO by mistake does not hang. */
struct source *source_file_open (const char *path, bool force_share,
                                 struct vdisk_error *error);

#endif /* VDISK_FILE_H */
