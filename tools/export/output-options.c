/* SPDX-License-Identifier: BSD-3-Clause */
/* The options that the bytes of an output depend on. */

#include "export/output-options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
}

static void
add_vhd (json_t *options, const struct export_options *from,
         const uint8_t identity[IDENTITY_SIZE])
{
  const char *date = getenv ("SOURCE_DATE_EPOCH");
  char uuid[37];

  identity_to_uuid (identity, uuid);
  if (from->fixed)
    add (options, "fixed", "true");
  else
    add_number (options, "block-size", from->block_size);
  add_number (options, "round", from->round);
  add (options, "uuid", from->uuid ? from->uuid : uuid);
  add (options, "time", date ? date : TIME_DEFAULT);
}

static void
add_xva (json_t *options, const struct export *export)
{
  add (options, "prefix", export->prefixes[0]);
  add (options, "checksum", export->options->sha1 ? "sha1" : "xxhash");
  if (export->options->ova_xml)
    add (options, "ova-xml", export->options->ova_xml);
}

bool
output_needs_identity (const struct export *export)
{
  return export->exporter == &exporter_vhd && export->options->uuid == NULL;
}

json_t *
output_options (const struct export *export,
                const uint8_t identity[IDENTITY_SIZE],
                struct vdisk_error *error)
{
  json_t *options = json_array ();

  if (options == NULL)
    error_record (error, ENOMEM, "export: out of memory");
  else if (export->exporter == &exporter_qcow2)
    add_qcow2 (options, export->options);
  else if (export->exporter == &exporter_vhd)
    add_vhd (options, export->options, identity);
  else if (export->exporter == &exporter_xva)
    add_xva (options, export);
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

struct vdisk_output *
output_open (const struct export *export, const json_t *options,
             struct vdisk_error *error)
{
  const size_t count = json_array_size (options);
  CLEANUP_FREE const char **strings = calloc (count + 1, sizeof *strings);
  size_t i;

  if (!is_addressable (export->exporter->name)) {
    error_record (error, ENOTSUP, "-O %s: such an output can only be written "
                  "as a whole", export->exporter->name);
    return NULL;
  }
  if (strings == NULL) {
    error_record (error, ENOMEM, "export: out of memory");
    return NULL;
  }
  for (i = 0; i < count; ++i)
    strings[i] = json_string_value (json_array_get (options, i));
  return vdisk_output_open (export->disks[0], export->exporter->name,
                            strings, error);
}
