/* SPDX-License-Identifier: BSD-3-Clause */
/* The options that the bytes of an output depend on. */

#include "export/output-options.h"

#include <stdlib.h>
#include <string.h>

#include "export/base-path.h"
#include "export/export.h"
#include "export/options.h"
#include "util/cleanup.h"
#include "util/error.h"

/* The first moment that a VHD can record, in seconds since 1970. */
#define TIME_DEFAULT "946684800"

static void
add (void *opaque, const char *name, const char *value)
{
  json_array_append_new (opaque, json_sprintf ("%s=%s", name, value));
}

/* With an identity, all that is otherwise made up follows from it. */
static void
add_vhd (json_t *options, const struct export *export,
         const uint8_t *identity)
{
  const char *date = getenv ("SOURCE_DATE_EPOCH");
  char uuid[37];

  if (export->options->uuid)
    add (options, "uuid", export->options->uuid);
  else if (identity) {
    identity_to_uuid (identity, uuid);
    add (options, "uuid", uuid);
  }
  if (identity)
    add (options, "time", date ? date : TIME_DEFAULT);
}

static int
add_parent (json_t *options, const struct export *export,
            struct vdisk_error *error)
{
  CLEANUP_FREE char *parent = base_path (export, error);

  if (parent == NULL)
    return -1;
  add (options, "parent", parent);
  return 0;
}

bool
output_needs_identity (const struct export *export)
{
  return export->exporter == &exporter_vhd && export->options->uuid == NULL;
}

json_t *
output_options (const struct export *export, size_t i,
                const uint8_t *identity, struct vdisk_error *error)
{
  struct export_options from = *export->options;
  json_t *options = json_array ();

  if (options == NULL) {
    error_no_memory (error, "export");
    return NULL;
  }
  /* What is written first comes with the first disk. */
  if (i > 0)
    from.ova_xml = NULL;
  if (export->exporter == &exporter_xva)
    add (options, "prefix", export->prefixes[i]);
  export_options_of_output (&from, export->exporter, add, options);
  if (export->exporter == &exporter_vhd)
    add_vhd (options, export, identity);
  if (export->exporter == &exporter_vhd && export->base &&
      add_parent (options, export, error) == -1) {
    json_decref (options);
    return NULL;
  }
  return options;
}

static bool
is_addressable (const char *format)
{
  const char *const *name;

  for (name = vdisk_output_formats (); *name; ++name)
    if (strcmp (*name, format) == 0)
      return true;
  return false;
}

/* Open one, over a base if there is one. */
static struct vdisk_output *
open_over_base (struct export *export, size_t i, const char *const *options,
                struct vdisk_error *error)
{
  struct vdisk_changes changes;

  if (export->base && export_find_changes (export, &changes, error) == -1)
    return NULL;
  return vdisk_output_open_changes (export->disks[i], export->exporter->name,
                                    options, export->base ? &changes : NULL,
                                    error);
}

struct vdisk_output *
output_open (struct export *export, size_t i, const json_t *options,
             struct vdisk_error *error)
{
  const size_t count = json_array_size (options);
  CLEANUP_FREE const char **strings = calloc (count + 1, sizeof *strings);
  size_t k;

  if (!is_addressable (export->exporter->name)) {
    error_record (error, ENOTSUP, "-O %s: such an output can only be written "
                  "as a whole", export->exporter->name);
    return NULL;
  }
  if (strings == NULL) {
    error_no_memory (error, "export");
    return NULL;
  }
  for (k = 0; k < count; ++k)
    strings[k] = json_string_value (json_array_get (options, k));
  return open_over_base (export, i, strings, error);
}
