/* SPDX-License-Identifier: BSD-3-Clause */
/* Outputs, one for each disk, and their way into one file. */

#include "export/outputs.h"

#include <stdlib.h>

#include "export/copy.h"
#include "export/difference.h"
#include "export/export.h"
#include "export/output-options.h"
#include "util/error.h"
#include "util/minmax.h"

/* An archive ends with so many bytes of zeros, which come once. */
#define TAR_END 1024

/* Where what is written of an output ends: the end of an archive is the last
 * one's. */
static uint64_t
end_of_output (const struct export *export, size_t i)
{
  return vdisk_output_size (export->outputs[i]) -
    (i + 1 < export->disk_count ? TAR_END : 0);
}

/* --- Planning ----------------------------------------------------------- */

/* Find what is read, which is what progress is told of. */
static int
count_data (struct export *export, size_t i, struct vdisk_error *error)
{
  struct unit_count count;
  struct units units;

  if (!export->exporter->units (export, i, &units))
    return 0;
  if (export_count_units (&units, &count, error) == -1)
    return -1;
  export->total += count.bytes;
  return 0;
}

static int
count_extent (void *opaque, uint64_t offset, uint64_t length, int is_hole)
{
  uint64_t *sum = opaque;

  (void) offset;
  *sum += is_hole ? 0 : length;
  return 0;
}

static int
plan_output (struct export *export, size_t i, const uint8_t *identity,
             struct vdisk_error *error)
{
  json_t *options = output_options (export, i, identity, error);

  if (options)
    export->outputs[i] = output_open (export, i, options, error);
  json_decref (options);
  if (export->outputs[i] == NULL)
    return -1;
  export->size += end_of_output (export, i);
  return vdisk_output_extents (export->outputs[i], 0,
                               end_of_output (export, i), count_extent,
                               &export->stored, error);
}

int
outputs_open (struct export *export, const uint8_t *identity,
              struct vdisk_error *error)
{
  size_t i;

  export->outputs = calloc (export->disk_count, sizeof *export->outputs);
  if (export->outputs == NULL)
    return error_no_memory (error, "export");
  for (i = 0; i < export->disk_count; ++i)
    if (plan_output (export, i, identity, error) == -1)
      return -1;
  return 0;
}

int
outputs_plan (struct export *export, struct vdisk_error *error)
{
  size_t i;

  if (outputs_open (export, NULL, error) == -1)
    return -1;
  for (i = 0; i < export->disk_count; ++i)
    if (count_data (export, i, error) == -1)
      return -1;
  return 0;
}

void
outputs_close (struct export *export)
{
  size_t i;

  for (i = 0; export->outputs && i < export->disk_count; ++i)
    vdisk_output_close (export->outputs[i]);
  free (export->outputs);
}

/* --- Copying ------------------------------------------------------------ */

/* So much of what is stored in the file is written.  What is more than there
 * is data are tables, and they come first. */
static int
advance (void *opaque, uint64_t position, uint64_t copied,
         struct vdisk_error *error)
{
  struct export *export = opaque;
  const uint64_t left = export->stored - (export->copied + copied);

  (void) position;
  (void) error;
  export->done = export->total - min_u64 (left, export->total);
  progress_update (&export->progress, export->done, export->total);
  return 0;
}

int
outputs_copy (struct export *export, uint64_t offset,
              struct vdisk_error *error)
{
  uint64_t before = 0;
  size_t i;

  if (vdisk_output_extents (export->outputs[0], 0, offset, count_extent,
                            &export->copied, error) == -1)
    return -1;
  for (i = 0; i < export->disk_count; ++i) {
    struct copy copy = {
      .output = export->outputs[i], .sink = export->sink,
      .start = i == 0 ? offset : 0, .end = end_of_output (export, i),
      .before = before, .threads = export->options->threads,
      .advance = advance, .opaque = export,
    };

    if (copy_run (&copy, error) == -1)
      return -1;
    export->copied += copy.copied;
    before += copy.end;
  }
  export->sink->position = export->size;
  return 0;
}

int
outputs_write (struct export *export, struct vdisk_error *error)
{
  if (sink_begin (export->sink, export->size, false, error) == -1)
    return -1;
  return outputs_copy (export, 0, error);
}
