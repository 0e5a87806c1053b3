/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening a view of an image, as command lines name it. */

#include "view-options.h"

#include "util/open-since.h"

void
view_options_take (struct view_options *view, int which, const char *value)
{
  switch (which) {
  case VIEW_VIEW:         view->view = value; break;
  case VIEW_SINCE:        view->since = value; break;
  case VIEW_SINCE_FORMAT: view->since_format = value; break;
  case VIEW_COMPARE:      view->compare = true; break;
  }
}

struct vdisk *
view_options_open_since (const struct view_options *view,
                         struct vdisk *vdisk,
                         struct vdisk_options *options,
                         struct vdisk_error *error)
{
  return open_since (vdisk, view->since, view->since_format, options, NULL,
                     error);
}

struct vdisk *
view_options_compare (const struct view_options *view, struct vdisk *since,
                      struct vdisk *vdisk, struct vdisk_error *error)
{
  return vdisk_open_difference (since, vdisk, view->compare
                                ? VDISK_DIFFERENCE_COMPARE : 0, error);
}

static struct vdisk *
open_difference (const struct view_options *view, struct vdisk *vdisk,
                 struct vdisk_options *options, struct vdisk_error *error)
{
  struct vdisk *since = view_options_open_since (view, vdisk, options, error);
  struct vdisk *difference = NULL;

  if (since)
    difference = view_options_compare (view, since, vdisk, error);
  vdisk_close (since);
  return difference;
}

struct vdisk *
view_options_open (const struct view_options *view, const char *image,
                   struct vdisk_options *options, struct vdisk_error *error)
{
  struct vdisk *vdisk = vdisk_open (image, options, error), *shown;

  if (vdisk && view->view) {
    shown = vdisk_open_view (vdisk, view->view, error);
    vdisk_close (vdisk);
    vdisk = shown;
  }
  if (vdisk && view->since) {
    shown = open_difference (view, vdisk, options, error);
    vdisk_close (vdisk);
    vdisk = shown;
  }
  return vdisk;
}
