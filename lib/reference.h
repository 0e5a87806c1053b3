/* SPDX-License-Identifier: BSD-3-Clause */
/* References from one image file to another (a backing file, a parent, a
 * data file), and where they may lead.  What an image says is not to be
 * trusted: without the user's word a reference stays inside the directory
 * of the file that makes it, and below.
 */

#ifndef VDISK_REFERENCE_H
#define VDISK_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "vdisk.h"

struct format;
struct source;
struct vdisk_options;

/* A VHD has up to eight locators, and the parent's name. */
#define REFERENCE_NAMES_MAX 9

/* Room for what says of a name where in the image it is. */
#define REFERENCE_ORIGIN_SIZE 32

struct reference {
  const char *role;             /* "backing file", "parent", "data file";
                                   NULL: there is no reference */
  char *names[REFERENCE_NAMES_MAX];     /* owned; the first that leads to
                                           the right file counts */
  char origins[REFERENCE_NAMES_MAX][REFERENCE_ORIGIN_SIZE];
                                        /* "" if there is just one place */
  size_t name_count;
  const struct format *format;  /* what the image says of the format, or
                                   NULL to probe by magic */
};

/* Free the names and make it no reference. */
void reference_clear (struct reference *reference);

/* Add a copy of the 'length' bytes at 'name'.  -1 if out of memory; more
 * names than fit are dropped. */
int reference_add_name (struct reference *reference,
                        const char *name, size_t length);

/* Does 'name' mean a path when the image 'from' says it?  A relative one
 * does not if the image comes from a server. */
bool reference_has_path (const struct source *from, const char *name);

/* The path that 'name' means when the image 'from' says it: relative names
 * are relative to its directory.  The caller frees it.  NULL if out of
 * memory. */
char *reference_path (const struct source *from, const char *name);

/* In what follows the last part of a name may differ from that of the file in
 * case, if the options say so, no file has it as it is, and one file does but
 * for case.  Several are an error, ENOTUNIQ. */

/* The absolute path, without symbolic links, of the file that 'name', found
 * in the image 'from', leads to; it must be allowed.  The rules are those
 * of reference_open, which opens it.  The caller frees it.  NULL on
 * error. */
char *reference_resolve (const struct source *from, const char *role,
                         const char *name,
                         const struct vdisk_options *options,
                         struct vdisk_error *error);

/* Open the file that 'name', found in the image 'from', leads to.
 * Relative names are relative to the directory of 'from'; what comes from
 * a server has none, and may refer only to where the user allows it.
 * Protocols ("nbd:...", "json:...") are refused.  Symbolic links are followed
 * first; where they lead must be allowed, and the file opened is the one
 * that was checked.  'role' is for messages.  NULL on error: EPERM if the
 * user would have to allow it. */
struct source *reference_open (const struct source *from, const char *role,
                               const char *name,
                               const struct vdisk_options *options,
                               struct vdisk_error *error);

#endif /* VDISK_REFERENCE_H */
