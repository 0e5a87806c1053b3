/* SPDX-License-Identifier: BSD-3-Clause */
/* Which format a file has, by its magic, and what to say of a file that has
 * none, or another one than somebody said.
 */

#include "format/format.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "format/recognize.h"
#include "options.h"
#include "source/source.h"
#include "util/error.h"
#include "util/minmax.h"

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

/* Say what a file is that no driver recognizes. */
static void
not_recognized (struct source *source, const struct probe *probe,
                const struct vdisk_options *options,
                struct vdisk_error *error)
{
  const struct foreign *foreign = recognize_foreign (source, probe);
  char raw[64] = "its format has to be said";

  if (options)
    snprintf (raw, sizeof raw, "%sformat=raw opens it as it is",
              options_prefix (options));
  if (foreign == NULL)
    error_record (error, EINVAL, "%s: not recognized as VHD, QCOW2 or QED "
                  "(raw is never guessed: %s)", source->name, raw);
  else if (foreign->advice == NULL)
    error_record (error, EINVAL, "%s: this looks like %s (raw is never "
                  "guessed: %s)", source->name, foreign->what, raw);
  else
    error_record (error, EINVAL, "%s: this is %s, and not read (%s)",
                  source->name, foreign->what, foreign->advice);
}

const struct format *
format_probe (struct source *source, const struct vdisk_options *options,
              struct vdisk_error *error)
{
  const struct format *found = NULL;
  struct probe probe;
  size_t i;

  if (read_probe (source, &probe, error) == -1)
    return NULL;
  for (i = 0; format_drivers[i]; ++i) {
    if (format_drivers[i]->probe == NULL || !format_drivers[i]->probe (&probe))
      continue;
    if (found) {
      error_record (error, EINVAL, "%s: this could be %s or %s: its format has "
                 "to be said, for a guest can imitate either",
                 source->name, found->name, format_drivers[i]->name);
      return NULL;
    }
    found = format_drivers[i];
  }
  if (found == NULL)
    not_recognized (source, &probe, options, error);
  return found;
}

static void
add_name (const char *name, struct vdisk_error *error)
{
  char title[16];
  size_t i;

  for (i = 0; name[i] && i < sizeof title - 1; ++i)
    title[i] = toupper ((unsigned char) name[i]);
  title[i] = '\0';
  error_add (error, " (this is a %s image)", title);
}

void
format_add_magic (const struct format *format, struct source *source,
                  struct vdisk_error *error)
{
  const struct foreign *foreign;
  struct probe probe;
  size_t i;

  if (error == NULL || format->probe == NULL ||
      (error->errnum != EINVAL && error->errnum != ENOTSUP) ||
      read_probe (source, &probe, NULL) == -1 || format->probe (&probe))
    return;
  for (i = 0; format_drivers[i]; ++i)
    if (format_drivers[i]->probe && format_drivers[i]->probe (&probe)) {
      add_name (format_drivers[i]->name, error);
      return;
    }
  foreign = recognize_foreign (source, &probe);
  if (foreign)
    error_add (error, " (this %s %s)", foreign->advice ? "is" : "looks like",
               foreign->what);
}
