/* SPDX-License-Identifier: BSD-3-Clause */
/* Raw: the disk's bytes as they are. */

#include "output/output.h"

static int
raw_plan (struct vdisk_output *output, struct vdisk_error *error)
{
  return output_add_disk (output, error);
}

const struct output_format output_raw = {
  .name = "raw",
  .plan = raw_plan,
};
