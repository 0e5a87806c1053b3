/* SPDX-License-Identifier: BSD-3-Clause */
/* The options that say which view of an image a command is for.
 */

#ifndef VDISK_VIEW_OPTIONS_H
#define VDISK_VIEW_OPTIONS_H

#include <stdbool.h>

#include "vdisk.h"

struct view_options {
  const char *view;             /* NULL: active */
  const char *since;            /* a view, or a file; NULL: no difference */
  const char *since_format;     /* of that file; NULL: auto */
  bool compare;
};

/* For a command's table of struct option; the values are its own, from
 * 'first' on. */
enum { VIEW_VIEW, VIEW_SINCE, VIEW_SINCE_FORMAT, VIEW_COMPARE, VIEW_COUNT };
#define VIEW_OPTIONS(first)                                             \
  { "view",         required_argument, NULL, (first) + VIEW_VIEW },     \
  { "since",        required_argument, NULL, (first) + VIEW_SINCE },    \
  { "since-format", required_argument, NULL,                            \
    (first) + VIEW_SINCE_FORMAT },                                      \
  { "compare",      no_argument,       NULL, (first) + VIEW_COMPARE }

/* Their part of a command's --help. */
#define VIEW_OPTIONS_HELP                                               \
"What of the image is shown:\n"                                         \
"  --view=VIEW             active (default), snapshot/NAME, bitmap/NAME,\n" \
"                          layer/N, diff/VIEW..VIEW\n"                  \
"  --since=VIEW|FILE       only what has changed since that view, or\n" \
"                          another image\n"                             \
"  --since-format=FORMAT   of that file (default: auto)\n"              \
"  --compare               compare bytes where structures differ\n"

/* Take an option, whose number among them is 'which'. */
void view_options_take (struct view_options *view, int which,
                        const char *value);

/* Open an image, and of it what is asked for.  'options' may be changed.
 * NULL on error. */
struct vdisk *view_options_open (const struct view_options *view,
                                 const char *image,
                                 struct vdisk_options *options,
                                 struct vdisk_error *error);

/* For a command that needs more of it: open what an open view is compared
 * with, a view of the same image or, if it has none by that name, another
 * image; and their difference. */
struct vdisk *view_options_open_since (const struct view_options *view,
                                       struct vdisk *vdisk,
                                       struct vdisk_options *options,
                                       struct vdisk_error *error);
struct vdisk *view_options_compare (const struct view_options *view,
                                    struct vdisk *since, struct vdisk *vdisk,
                                    struct vdisk_error *error);

#endif /* VDISK_VIEW_OPTIONS_H */
