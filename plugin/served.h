/* SPDX-License-Identifier: BSD-3-Clause */
/* What is served under an export's name: a view of the image, or the file
 * that it would be in another format.  All connections to one share it.
 */

#ifndef VDISK_SERVED_H
#define VDISK_SERVED_H

#include <stdbool.h>

#include "vdisk.h"

struct served {
  struct served *next;
  char *name;
  struct vdisk *vdisk;
  struct vdisk_output *output;      /* NULL: the disk */
  unsigned users;
};

/* What every export is made of. */
struct serving {
  struct vdisk *vdisk;              /* the view that is meant by no name */
  bool is_only;                     /* and by any other */
  const char *as_format;            /* NULL: disks */
  const char *const *as_options;
};

/* What is served under the export's name, open for one more connection.  NULL
 * on error. */
struct served *served_open (const struct serving *serving, const char *name,
                            struct vdisk_error *error);

/* One connection less. */
void served_close (const struct serving *serving, struct served *served);

#endif /* VDISK_SERVED_H */
