/* SPDX-License-Identifier: BSD-3-Clause */
/* What a file is that no driver reads. */

#ifndef VDISK_RECOGNIZE_H
#define VDISK_RECOGNIZE_H

#include <stdbool.h>

struct probe;
struct source;

#define RECOGNIZE_CONVERT "convert it first, as with qemu-img convert"

struct foreign {
  const char *what;     /* "a VHDX image" */
  const char *advice;   /* what can be done with it; NULL: it is a raw disk,
                           for whoever says so */
};

/* Recognize a file by its magic, of which 'probe' has a part.  NULL if that
 * says nothing, or cannot be read: it is only for better messages. */
const struct foreign *recognize_foreign (struct source *source,
                                         const struct probe *probe);

#endif /* VDISK_RECOGNIZE_H */
