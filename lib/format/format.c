/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of format drivers, and their names. */

#include "format/format.h"

#include <string.h>

const struct format *const format_drivers[] = {
  &format_vhd,
  &format_qcow2,
  &format_qed,
  &format_raw,
  NULL
};

#define FORMATS (sizeof format_drivers / sizeof format_drivers[0] - 1)

const char *const *
format_names (void)
{
  static const char *const names[] = { "vhd", "qcow2", "qed", "raw", NULL };

  _Static_assert (sizeof names / sizeof names[0] == FORMATS + 1,
                  "a format has no name");
  return names;
}

const struct format *
format_by_name (const char *name)
{
  size_t i;

  if (strcmp (name, "vpc") == 0)
    return &format_vhd;
  for (i = 0; i < FORMATS; ++i)
    if (strcmp (name, format_drivers[i]->name) == 0)
      return format_drivers[i];
  return NULL;
}
