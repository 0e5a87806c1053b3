/* SPDX-License-Identifier: BSD-3-Clause */
/* One image: what it refers to is there, whatever it is called. */

#include "one-image.h"

#include "bounds.h"
#include "chain.h"
#include "util/error.h"
#include "explore.h"
#include "files.h"
#include "format/format.h"
#include "fuzz.h"

/* Headers are small, and have at most some hundred extensions; where the two
 * sizes of a VHD differ, some of the disk, of those below, and of the BAT is
 * looked at. */
#define OPEN_READS_MAX (2048 + 2 * (VHD_EVIDENCE_SIZE_MAX / 512) + \
                        VHD_EVIDENCE_ENTRIES_MAX / 128)

/* The first reference leads to the second file, all others nowhere. */
static struct source *
open_second (void *opaque, const struct source *from, const char *role,
             const char *name, const struct vdisk_options *options,
             struct vdisk_error *error)
{
  const struct fuzz_control *control = opaque;
  struct source *source = NULL;

  (void) options;
  fuzz_check_message ("role", role);
  fuzz_assert (*name, "a reference without a name");
  if (fuzz_files_opened () == 1)
    source = fuzz_files_open (1, control);
  if (source == NULL)
    error_record (error, ENOENT, "%s: there is no %s", from->name, role);
  return source;
}

void
fuzz_image_with (const struct format *format, const uint8_t *data,
                 size_t size,
                 void (*look) (struct vdisk *vdisk,
                               struct fuzz_control *control))
{
  struct fuzz_control control;
  const struct resolver resolver = {
    .open = open_second, .opaque = &control,
  };
  struct vdisk *vdisk;

  if (!fuzz_take_control (&data, &size, &control))
    return;
  control.anonymous = false;
  if (fuzz_files_add (data, size) && fuzz_files_add (data, size)) {
    vdisk = fuzz_open (format, &control, &resolver, OPEN_READS_MAX);
    if (vdisk)
      look (vdisk, &control);
    vdisk_close (vdisk);
  }
  fuzz_files_clear ();
}

void
fuzz_image (const struct format *format, const uint8_t *data, size_t size)
{
  fuzz_image_with (format, data, size, explore);
}
