/* SPDX-License-Identifier: BSD-3-Clause */
/* Paths of destinations, which need not be there yet. */

#ifndef VDISK_SINK_PATH_H
#define VDISK_SINK_PATH_H

/* What 'name' means when the file at 'path' says it: a relative one is seen
 * from its directory.  The caller frees it.  NULL if out of memory. */
char *sink_path_beside (const char *path, const char *name);

/* The absolute path, without symbolic links, of a file that need not be
 * there yet: where links lead, if its name is one.  The caller frees it.
 * NULL with errno set. */
char *sink_path_follow (const char *path);

#endif /* VDISK_SINK_PATH_H */
