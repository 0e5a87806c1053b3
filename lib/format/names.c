/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of the formats' names: those of the drivers themselves, and
 * QEMU's where that is another one.
 */

#include "format/names.h"

#include <stddef.h>
#include <string.h>

const char *const *
format_names (void)
{
  static const char *const names[] = { "vhd", "qcow2", "qed", "raw", NULL };

  return names;
}

/* A format's own name comes first. */
static const struct {
  const char *name;
  const struct format *format;
} formats[] = {
  { "vhd", &format_vhd },
  { "vpc", &format_vhd },
  { "qcow2", &format_qcow2 },
  { "qed", &format_qed },
  { "raw", &format_raw },
};

const struct format *
format_by_name (const char *name)
{
  size_t i;

  for (i = 0; i < sizeof formats / sizeof formats[0]; ++i)
    if (strcmp (name, formats[i].name) == 0)
      return formats[i].format;
  return NULL;
}

const char *
format_name (const struct format *format)
{
  size_t i = 0;

  while (formats[i].format != format)
    i++;
  return formats[i].name;
}
