/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of format drivers, and probing. */

#include "format/format.h"

#include <errno.h>
#include <string.h>

#include "error.h"
#include "source/source.h"
#include "util/minmax.h"

static const struct format *const formats[] = {
  &format_vhd,
  &format_qcow2,
  &format_qed,
  &format_raw,
};

#define FORMATS (sizeof formats / sizeof formats[0])

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
    if (strcmp (name, formats[i]->name) == 0)
      return formats[i];
  return NULL;
}

static int
read_probe (struct source *source, struct probe *probe,
            struct vdisk_error *error)
{
  memset (probe, 0, sizeof *probe);
  probe->head_size = min_u64 (source->size, sizeof probe->head);
  probe->tail_size = min_u64 (source->size, sizeof probe->tail);
  if (source_pread (source, probe->head, probe->head_size, 0, error) == -1)
    return -1;
  return source_pread (source,
                       probe->tail + sizeof probe->tail - probe->tail_size,
                       probe->tail_size, source->size - probe->tail_size,
                       error);
}

const struct format *
format_probe (struct source *source, struct vdisk_error *error)
{
  const struct format *found = NULL;
  struct probe probe;
  size_t i;

  if (read_probe (source, &probe, error) == -1)
    return NULL;
  for (i = 0; i < FORMATS; ++i) {
    if (formats[i]->probe == NULL || !formats[i]->probe (&probe))
      continue;
    if (found) {
      error_record (error, EINVAL, "%s: this could be %s or %s: its format has "
                 "to be said, for a guest can imitate either",
                 source->name, found->name, formats[i]->name);
      return NULL;
    }
    found = formats[i];
  }
  if (found == NULL)
    error_record (error, EINVAL, "%s: not recognized as VHD, QCOW2 or QED "
               "(raw is never guessed: its format has to be said)",
               source->name);
  return found;
}
