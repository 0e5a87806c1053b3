/* SPDX-License-Identifier: BSD-3-Clause */
/* QEMU's image locks: single bytes of the file under open-file-description
 * locks.  QEMU, docs/devel and block/file-posix.c: byte 100+n is held
 * (shared) by whoever uses permission n, byte 200+n by whoever does not
 * share it with others.
 */

#ifndef VDISK_FILE_LOCK_H
#define VDISK_FILE_LOCK_H

#include "vdisk.h"

/* Take the locks of a reader on 'fd' and look whether somebody writes.
 * Returns 0; 1 where the file system knows no such locks; -1 with EBUSY
 * if there is a writer.  The locks go when the last descriptor of
 * the open file is closed. */
int file_lock_for_reading (int fd, const char *name,
                           struct vdisk_error *error);

/* Take the locks of a writer on 'fd', if it is open for reading too, and
 * look whether somebody else depends on the file staying as it is.
 * Returns as the other does. */
int file_lock_for_writing (int fd, const char *name,
                           struct vdisk_error *error);

/* The same for one of several writers that know of each other. */
int file_lock_for_joint_writing (int fd, const char *name,
                                 struct vdisk_error *error);

#endif /* VDISK_FILE_LOCK_H */
