/* SPDX-License-Identifier: BSD-3-Clause */
/* A view first, and then a file or a server. */

#include "util/open-since.h"

#include <errno.h>
#include <unistd.h>

/* Is there such a file, or could there be such a server? */
static bool
names_image (const char *name)
{
  return vdisk_is_uri (name) || access (name, F_OK) == 0;
}

struct vdisk *
open_since (struct vdisk *vdisk, const char *name, const char *format,
            struct vdisk_options *options, bool *is_image,
            struct vdisk_error *error)
{
  struct vdisk *view;

  if (is_image)
    *is_image = false;
  if (format == NULL) {
    view = vdisk_open_view (vdisk, name, error);
    if (view || error->errnum != ENOENT || !names_image (name))
      return view;
  }
  if (is_image)
    *is_image = true;
  if (vdisk_options_set (options, "layer", "auto", error) == -1 ||
      vdisk_options_set (options, "format", format ? format : "auto",
                         error) == -1)
    return NULL;
  return vdisk_open (name, options, error);
}
