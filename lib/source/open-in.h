/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening a file, and knowing where it was found. */

#ifndef VDISK_OPEN_IN_H
#define VDISK_OPEN_IN_H

/* Open 'path' with these flags.  *directory becomes the directory that it
 * was found in, absolute and without symbolic links: that very one,
 * whatever is exchanged meanwhile or later.  If 'path' is itself a symbolic
 * link that is the link's directory.  The caller frees it.  -1 with errno
 * set. */
int open_in_directory (const char *path, int flags, char **directory);

#endif /* VDISK_OPEN_IN_H */
