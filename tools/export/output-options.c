/* SPDX-License-Identifier: BSD-3-Clause */
/* The options that the bytes of an output depend on. */

#include "export/output-options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/base-path.h"
#include "export/export.h"
#include "util/cleanup.h"
#include "util/error.h"

/* The first moment that a VHD can record, in seconds since 1970. */
#define TIME_DEFAULT "946684800"

static void
add (json_t *options, const char *name, const char *value)
{
  json_array_append_new (options, json_sprintf ("%s=%s", name, value));
}

static void
add_number (json_t *options, const char *name, uint64_t value)
{
  char text[24];

  snprintf (text, sizeof text, "%" PRIu64, value);
  add (options, name, text);
}

static void
add_qcow2 (json_t *options, const struct export_options *from)
{
  add_number (options, "cluster-size", from->cluster_size);
  add_number (options, "refcount-bits", from->refcount_bits);
  if (from->data_file)
    add (options, from->data_file_raw ? "data-file-raw" : "data-file",
         from->data_file);
  if (from->backing)
    add (options, "backing", from->backing);
  if (from->backing_format)
    add (options, "backing-format", from->backing_format);
}

/* With an identity, all that is otherwise made up follows from it. */
static int
add_vhd (json_t *options, const struct export *export,
         const uint8_t *identity, struct vdisk_error *error)
{
  const struct export_options *from = export->options;
  const char *date = getenv ("SOURCE_DATE_EPOCH");
  CLEANUP_FREE char *parent = NULL;
  char uuid[37];

  if (from->fixed)
    add (options, "fixed", "true");
  else
    add_number (options, "block-size", from->block_size);
  add_number (options, "round", from->round);
  if (from->uuid)
    add (options, "uuid", from->uuid);
  else if (identity) {
    identity_to_uuid (identity, uuid);
    add (options, "uuid", uuid);
  }
  if (identity)
    add (options, "time", date ? date : TIME_DEFAULT);
  if (export->base == NULL)
    return 0;
  parent = base_path (export, error);
  if (parent == NULL)
    return -1;
  add (options, "parent", parent);
  return 0;
}

/* What is written first comes with the first disk. */
static void
add_xva (json_t *options, const struct export *export, size_t i)
{
  add (options, "prefix", export->prefixes[i]);
  add (options, "checksum", export->options->sha1 ? "sha1" : "xxhash");
  if (export->options->ova_xml && i == 0)
    add (options, "ova-xml", export->options->ova_xml);
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
  json_t *options = json_array ();
  int r = 0;

  if (options == NULL)
    r = error_no_memory (error, "export");
  else if (export->exporter == &exporter_qcow2)
    add_qcow2 (options, export->options);
  else if (export->exporter == &exporter_vhd)
    r = add_vhd (options, export, identity, error);
  else if (export->exporter == &exporter_xva)
    add_xva (options, export, i);
  if (r == 0)
    return options;
  json_decref (options);
  return NULL;
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
