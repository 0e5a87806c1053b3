/* SPDX-License-Identifier: BSD-3-Clause */
/* What the user names, and not an image: a file or an NBD URI, from wherever
 * it may be.
 */

#ifndef VDISK_PATH_H
#define VDISK_PATH_H

struct source;
struct vdisk_error;
struct vdisk_options;

/* The file, or what the server serves, as a source.  The options must outlive
 * it.  NULL on error. */
struct source *source_open_path (const char *path,
                                 const struct vdisk_options *options,
                                 struct vdisk_error *error);

#endif /* VDISK_PATH_H */
