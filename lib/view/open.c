/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening views of an image that is open. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "image.h"
#include "util/error.h"
#include "view/names.h"
#include "view/view.h"

struct vdisk *
vdisk_open_view (struct vdisk *vdisk, const char *name,
                 struct vdisk_error *error)
{
  struct image *image = vdisk->image;

  error_clear (error);
  if (image->chain->inspect_only) {
    error_record (error, EINVAL, "%s: opened to be inspected only",
                  vdisk_layer_file (vdisk, 0));
    return NULL;
  }
  return view_open (image, name, error);
}

const char *
vdisk_view_name (const struct vdisk *vdisk)
{
  return vdisk->name;
}

int
vdisk_is_difference (const struct vdisk *vdisk)
{
  return vdisk->view->is_difference;
}

/* What a bitmap says has changed is the difference since it was started; of
 * others than the active disk it says nothing. */
static struct vdisk *
since_bitmap (struct vdisk *from, const struct vdisk *to,
              struct vdisk_error *error)
{
  if (from->view->is_bitmap && from->image == to->image &&
      strcmp (to->name, "active") == 0)
    return image_retain (from);
  if (!from->view->is_bitmap) {
    error_record (error, EINVAL, "%s: view '%s' is a difference: there is "
                  "none from it", vdisk_layer_file (from, 0), from->name);
    return NULL;
  }
  error_record (error, EINVAL, "%s: view '%s' tells what has changed up to "
                "the active disk of that image, and up to nothing else",
                vdisk_layer_file (from, 0), from->name);
  return NULL;
}

static struct vdisk *
show_difference (struct vdisk *from, struct vdisk *to, bool compare,
                 struct vdisk_error *error)
{
  struct image *image = to->image;
  struct vdisk *vdisk = NULL;
  struct view *view;
  char *name;

  if (asprintf (&name, "diff/%s..%s", from->name, to->name) == -1) {
    error_no_memory (error, vdisk_layer_file (to, 0));
    return NULL;
  }
  view = view_of_difference (image_retain (from), image_retain (to), compare,
                             error);
  if (view)
    vdisk = image_show (image, view, name, error);
  free (name);
  return vdisk;
}

struct vdisk *
vdisk_open_difference (struct vdisk *from, struct vdisk *to, unsigned flags,
                       struct vdisk_error *error)
{
  error_clear (error);
  if ((flags & ~VDISK_DIFFERENCE_COMPARE) != 0) {
    error_record (error, EINVAL, "flags 0x%x: unknown", flags);
    return NULL;
  }
  if (from->chain->inspect_only || to->chain->inspect_only) {
    error_record (error, EINVAL, "%s: opened to be inspected only",
                  vdisk_layer_file (from, 0));
    return NULL;
  }
  if (vdisk_is_difference (from))
    return since_bitmap (from, to, error);
  if (vdisk_is_difference (to)) {
    error_record (error, EINVAL, "%s: view '%s' is a difference: there is "
                  "none to it", vdisk_layer_file (to, 0), to->name);
    return NULL;
  }
  return show_difference (from, to, flags & VDISK_DIFFERENCE_COMPARE, error);
}
