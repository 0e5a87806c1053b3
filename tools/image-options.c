/* SPDX-License-Identifier: BSD-3-Clause */
/* From command line options to those of libvdisk. */

#include "image-options.h"

#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

static void
warn (void *opaque, const char *message)
{
  (void) opaque;
  complain ("warning: %s", message);
}

struct vdisk_options *
image_options_new (void)
{
  struct vdisk_options *options = vdisk_options_new ();

  if (options == NULL) {
    complain ("out of memory");
    exit (STATUS_ERROR);
  }
  vdisk_options_set_warning_callback (options, warn, NULL);
  return options;
}

bool
image_options_take (struct vdisk_options *options, int opt,
                    const struct option *longopts, int index)
{
  const char *value = optarg;
  struct vdisk_error error;

  if (opt == OPTION_FORCE_SHARE && value == NULL)
    value = "true";
  if (vdisk_options_set (options, longopts[index].name, value,
                         &error) == -1) {
    complain ("--%s", error.message);
    return false;
  }
  return true;
}
