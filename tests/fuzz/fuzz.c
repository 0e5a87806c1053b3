/* SPDX-License-Identifier: BSD-3-Clause */
/* What the fuzz targets share: failing, messages, the control. */

#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "image.h"

/* Bits of the first byte of the control. */
#define CONTROL_IGNORE_BITMAPS 0x01
#define CONTROL_SPARSE 0x02
#define CONTROL_SIZE_CURRENT 0x04
#define CONTROL_SIZE_CHS 0x08
#define CONTROL_ANONYMOUS 0x10
#define CONTROL_LARGE 0x20
#define CONTROL_FAULTY 0x40
#define CONTROL_AHEAD 0x80

void
fuzz_fail (const char *format, ...)
{
  va_list args;

  fprintf (stderr, "fuzz: broken promise: ");
  va_start (args, format);
  vfprintf (stderr, format, args);
  va_end (args);
  fprintf (stderr, "\n");
  abort ();
}

void
fuzz_check_message (const char *what, const char *text)
{
  const char *p;

  fuzz_assert (*text, "%s: an empty message", what);
  for (p = text; *p; ++p)
    fuzz_assert ((uint8_t) *p >= 0x20 && *p != 0x7f,
                 "%s: byte 0x%02x in a message: %s", what, *p, text);
}

void
fuzz_check_error (const char *what, const struct vdisk_error *error)
{
  fuzz_assert (error->errnum > 0, "%s: failed with errnum %d", what,
               error->errnum);
  fuzz_assert (memchr (error->message, '\0', sizeof error->message),
               "%s: the message has no end", what);
  fuzz_check_message (what, error->message);
}

bool
fuzz_is_zeros (const uint8_t *bytes, size_t count)
{
  uint8_t any = 0;
  size_t i;

  for (i = 0; i < count; ++i)
    any |= bytes[i];
  return any == 0;
}

bool
fuzz_take_control (const uint8_t **data, size_t *size,
                   struct fuzz_control *control)
{
  uint64_t seed;
  uint8_t flags;

  if (*size < FUZZ_CONTROL_SIZE)
    return false;
  memcpy (&seed, *data, sizeof seed);
  flags = **data;
  *control = (struct fuzz_control) {
    .ignore_bitmaps = flags & CONTROL_IGNORE_BITMAPS,
    .sparse = flags & CONTROL_SPARSE,
    .size = flags & CONTROL_SIZE_CURRENT ? VHD_SIZE_CURRENT :
      flags & CONTROL_SIZE_CHS ? VHD_SIZE_CHS : VHD_SIZE_AUTO,
    .anonymous = flags & CONTROL_ANONYMOUS,
    .large = flags & CONTROL_LARGE,
    .faulty = flags & CONTROL_FAULTY,
    .ahead = flags & CONTROL_AHEAD,
    .random = { .state = seed },
  };
  *data += FUZZ_CONTROL_SIZE;
  *size -= FUZZ_CONTROL_SIZE;
  return true;
}

static void
check_warning (void *opaque, const char *message)
{
  (void) opaque;
  fuzz_check_message ("warning", message);
}

/* Options with the smallest caches. */
static struct vdisk_options *
make_options (const struct format *format,
              const struct fuzz_control *control)
{
  struct vdisk_options *options = vdisk_options_new ();

  fuzz_assert (options, "out of memory");
  options->format = format;
  options->ignore_sector_bitmaps = control->ignore_bitmaps;
  options->size = control->size;
  vdisk_options_set_warning_callback (options, check_warning, NULL);
  fuzz_assert (vdisk_options_set (options, "cache-size", "64k",
                                  NULL) == 0, "no cache of 64k");
  return options;
}

static struct vdisk *
try_open (const struct vdisk_options *options,
          const struct fuzz_control *control,
          const struct resolver *resolver, uint64_t reads)
{
  struct vdisk_error error = { 0 };
  struct vdisk *vdisk;

  fuzz_meter_start ();
  vdisk = image_open (fuzz_files_open (0, control), options, resolver,
                      &error);
  fuzz_meter_check ("open", reads);
  if (vdisk == NULL)
    fuzz_check_error ("open", &error);
  return vdisk;
}

struct vdisk *
fuzz_open (const struct format *format, struct fuzz_control *control,
           const struct resolver *resolver, uint64_t reads)
{
  struct vdisk_options *options = make_options (format, control);
  struct vdisk *vdisk;

  fuzz_files_arm (control->faulty ? random_below (&control->random, 16)
                  : 0);
  vdisk = try_open (options, control, resolver, reads);
  if (vdisk == NULL && fuzz_files_has_failed ())
    vdisk = try_open (options, control, resolver, reads);
  fuzz_files_arm (0);
  vdisk_options_free (options);
  return vdisk;
}
