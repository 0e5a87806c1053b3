/* SPDX-License-Identifier: BSD-3-Clause */
/* Fuzz target: a chain of images.  The input has several files, called
 * "a", "b" and so on (see parts.h); "a" is opened, and references lead to
 * whichever file has the last part of their name.
 */

#include <errno.h>
#include <string.h>

#include "chain.h"
#include "util/error.h"
#include "explore.h"
#include "files.h"
#include "fuzz.h"
#include "parts.h"
#include "reference.h"

/* A layer's header, for each of the names that may lead to it. */
#define OPEN_READS_MAX \
  (1024 * (CHAIN_LAYERS_MAX + 1) * REFERENCE_NAMES_MAX)

static struct source *
open_by_name (void *opaque, const struct source *from, const char *role,
              const char *name, const struct vdisk_options *options,
              struct vdisk_error *error)
{
  const struct fuzz_control *control = opaque;
  const char *slash = strrchr (name, '/');
  const int number = fuzz_files_find (slash ? slash + 1 : name);

  (void) options;
  fuzz_assert (*name, "a reference without a name");
  if (number != -1)
    return fuzz_files_open (number, control);
  error_record (error, ENOENT, "%s: %s '%s' is not there", from->name, role,
                name);
  return NULL;
}

static void
check_layers (struct vdisk *vdisk)
{
  const unsigned layers = vdisk_layers (vdisk);
  unsigned i;

  fuzz_assert (layers >= 1 && layers <= CHAIN_LAYERS_MAX, "%u layers",
               layers);
  for (i = 0; i < layers; ++i)
    fuzz_assert (vdisk_layer_format (vdisk, i) &&
                 fuzz_files_find (vdisk_layer_file (vdisk, i)) != -1 &&
                 fuzz_files_find (vdisk_layer_data_file (vdisk, i)) != -1,
                 "layer %u is not known", i);
  fuzz_assert (vdisk_layer_format (vdisk, layers) == NULL,
               "there is one layer more than there are");
}

static void
open_and_explore (struct fuzz_control *control)
{
  const struct resolver resolver = {
    .open = open_by_name, .opaque = control,
  };
  struct vdisk *vdisk = fuzz_open (NULL, control, &resolver,
                                   OPEN_READS_MAX);

  if (vdisk) {
    check_layers (vdisk);
    explore (vdisk, control);
  }
  vdisk_close (vdisk);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct fuzz_control control;
  struct parts parts;
  unsigned i;

  if (!fuzz_take_control (&data, &size, &control) ||
      !parts_find (&parts, data, size))
    return 0;
  for (i = 0; i < parts.count; ++i)
    fuzz_files_add (parts.at[i].bytes, parts.at[i].size);
  open_and_explore (&control);
  fuzz_files_clear ();
  return 0;
}
