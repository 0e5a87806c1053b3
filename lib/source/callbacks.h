/* SPDX-License-Identifier: BSD-3-Clause */
/* Callbacks of the library's caller as a source. */

#ifndef VDISK_CALLBACKS_H
#define VDISK_CALLBACKS_H

#include "source/source.h"

/* Make a source of what they read.  'callbacks' and 'name', which may be
 * NULL, are copied.  'opaque' is the source's from now on, also on error,
 * unless the struct itself is refused (EINVAL).  NULL on error. */
struct source *source_callbacks (const struct vdisk_callbacks *callbacks,
                                 void *opaque, const char *name,
                                 struct vdisk_error *error);

/* The errno value that a callback means by what it has returned, which is
 * not 0. */
int callbacks_errnum (int64_t returned);

#endif /* VDISK_CALLBACKS_H */
