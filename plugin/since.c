/* SPDX-License-Identifier: BSD-3-Clause */
/* What the image, or the view of it that is served, is compared with. */

#include "since.h"

#include <stdlib.h>
#include <string.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "util/open-since.h"

static char *name;              /* a view, or an image; NULL: none */
static char *format;            /* of that image; NULL: it may be a view */
static int compare;             /* bytes, too */
static bool is_image;

static int
set_text (char **text, const char *value)
{
  free (*text);
  *text = strdup (value);
  if (*text == NULL)
    nbdkit_error ("out of memory");
  return *text ? 1 : -1;
}

int
since_config (const char *key, const char *value)
{
  if (strcmp (key, "since") == 0)
    return set_text (&name, value);
  if (strcmp (key, "since-format") == 0)
    return set_text (&format, value);
  if (strcmp (key, "compare") != 0)
    return 0;
  compare = nbdkit_parse_bool (value);
  return compare == -1 ? -1 : 1;
}

int
since_config_complete (void)
{
  if (name == NULL && (format || compare)) {
    nbdkit_error ("%s needs since=VIEW|FILE",
                  format ? "since-format" : "compare");
    return -1;
  }
  return 0;
}

bool
since_is_set (void)
{
  return name != NULL;
}

bool
since_is_image (void)
{
  return is_image;
}

struct vdisk *
since_open (struct vdisk *vdisk, struct vdisk_options *options,
            struct vdisk_error *error)
{
  struct vdisk *from = open_since (vdisk, name, format, options, &is_image,
                                   error);
  struct vdisk *difference = NULL;

  if (from)
    difference = vdisk_open_difference (from, vdisk, compare
                                        ? VDISK_DIFFERENCE_COMPARE : 0,
                                        error);
  vdisk_close (from);
  return difference;
}

void
since_unload (void)
{
  free (name);
  free (format);
}
