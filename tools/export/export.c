/* SPDX-License-Identifier: BSD-3-Clause */
/* Running an export, and what exporters share. */

#include "export/export.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "export/difference.h"
#include "export/outputs.h"

const struct exporter *const exporters[] = {
  &exporter_raw,
  &exporter_qcow2,
  &exporter_vhd,
  &exporter_xva,
  &exporter_chunked,
  NULL
};

const struct exporter *
exporter_by_name (const char *name)
{
  size_t i;

  for (i = 0; exporters[i]; ++i)
    if (strcmp (exporters[i]->name, name) == 0)
      return exporters[i];
  return NULL;
}

int
export_measure (struct export *export, struct vdisk_error *error)
{
  error_clear (error);
  return export->exporter->plan (export, error);
}

/* From an open destination to its end. */
static int
write_to_sink (struct export *export, struct vdisk_error *error)
{
  const struct exporter *exporter = export->exporter;
  struct vdisk_error why = { 0 };

  if (exporter->check_destination &&
      exporter->check_destination (export, export->sink, error) == -1) {
    export->destination_is_wrong = true;
    return -1;
  }
  if (exporter->plan (export, error) == -1)
    return -1;
  progress_update (&export->progress, 0, export->total);
  if (exporter->write (export, &why) == 0 &&
      sink_finish (export->sink, &why) == 0) {
    progress_update (&export->progress, export->total, export->total);
    return 0;
  }
  if (!export->sink->has_begun)
    return error_set (error, why.errnum, "%s", error_raw (&why));
  return error_set (error, why.errnum, "%s, after %" PRIu64 " of %" PRIu64
                    " bytes%s", error_raw (&why), export->done, export->total,
                    export->options->apply ? ": it is partly as it was until "
                    "the same is done again" : "");
}

/* Nothing that is read may be what is written to. */
static int
check_apart (const struct export *export, struct vdisk_error *error)
{
  const struct export_options *options = export->options;
  const char *ova_xml = options->ova_xml;
  const char *data_file = options->data_file ? options->data_file
    : options->data_file_raw;
  size_t i;

  for (i = 0; i < export->disk_count; ++i)
    if (sink_check_apart_from_disk (export->sink, export->disks[i],
                                    error) == -1)
      return -1;
  if (export->base &&
      sink_check_apart_from_disk (export->sink, export->base, error) == -1)
    return -1;
  if (export->since &&
      sink_check_apart_from_disk (export->sink, export->since, error) == -1)
    return -1;
  if (data_file &&
      sink_check_recorded (export->sink, export->destination, data_file,
                           options->data_file ? "data-file"
                           : "data-file-raw", error) == -1)
    return -1;
  return ova_xml ? sink_check_apart (export->sink, ova_xml, error) : 0;
}

/* What is changed in place is there: it is not made. */
static int
check_exists (const struct export *export, struct vdisk_error *error)
{
  const char *path = export->destination;

  if (!export->options->apply || vdisk_is_uri (path) ||
      strcmp (path, "-") == 0 || access (path, F_OK) == 0)
    return 0;
  return error_set (error, errno, "%s: what --apply is to change: %s", path,
                    strerror (errno));
}

struct sink *
export_open_sink (struct export *export, struct vdisk_error *error)
{
  if (check_exists (export, error) == -1)
    return NULL;
  export->sink = sink_open (export->destination, error);
  if (export->sink == NULL)
    return NULL;
  export->sink->no_flush = export->options->no_flush;
  if (check_apart (export, error) == 0)
    return export->sink;
  sink_close (export->sink);
  export->sink = NULL;
  return NULL;
}

int
export_run (struct export *export, struct vdisk_error *error)
{
  int r = -1;

  error_clear (error);
  if (export_open_sink (export, error) &&
      sink_lock (export->sink, error) == 0)
    r = write_to_sink (export, error);
  progress_hide (&export->progress);
  sink_close (export->sink);
  return r;
}

void
export_free (struct export *export)
{
  outputs_close (export);
  difference_free (export->difference);
}

void
export_advance (struct export *export, uint64_t bytes)
{
  export->done += bytes;
  progress_update (&export->progress, export->done, export->total);
}

int
export_find_changes (struct export *export, struct vdisk_changes *changes,
                     struct vdisk_error *error)
{
  struct units units;

  export->exporter->units (export, 0, &units);
  if (export->difference == NULL)
    export->difference = export->changed
      ? difference_of_view (export->changed, units.size, UINT64_MAX, error)
      : difference_new (units.disk, export->base, units.size,
                        export->options->threads, error);
  if (export->difference == NULL)
    return -1;
  *changes = difference_changes (export->difference);
  changes->base = export->base;
  return 0;
}

int
export_read_piece (struct vdisk *disk, struct piece *piece,
                   struct vdisk_error *error)
{
  uint8_t *to = piece->buffer;
  unsigned i;

  for (i = 0; i < piece->range_count; ++i) {
    const struct range *range = &piece->ranges[i];

    if (vdisk_pread (disk, to, range->length, range->offset, error) == -1)
      return -1;
    to += range->length;
  }
  return 0;
}

struct putting {
  const struct units *units;
  struct pipeline *pipeline;
};

static int
put_run (void *opaque, const struct unit_run *run, struct vdisk_error *error)
{
  const struct putting *putting = opaque;

  if (run->zero)
    return 0;
  return pipeline_put (putting->pipeline,
                       unit_run_offset (putting->units, run),
                       unit_run_length (putting->units, run), error);
}

int
export_units_through (struct export *export, const struct units *units,
                      const struct pipeline_ops *ops, void *opaque,
                      struct vdisk_error *error)
{
  struct putting putting = { .units = units };
  int r = -1;

  putting.pipeline = pipeline_new (ops, opaque, export->options->threads,
                                   error);
  if (putting.pipeline && units_walk (units, put_run, &putting, error) == 0)
    r = pipeline_finish (putting.pipeline, error);
  pipeline_free (putting.pipeline);
  return r;
}

struct counting {
  const struct units *units;
  struct unit_count *count;
};

static int
count_run (void *opaque, const struct unit_run *run,
           struct vdisk_error *error)
{
  const struct counting *counting = opaque;

  (void) error;
  if (!run->zero) {
    counting->count->units += run->count;
    counting->count->bytes += unit_run_length (counting->units, run);
  }
  return 0;
}

int
export_count_units (const struct units *units, struct unit_count *count,
                    struct vdisk_error *error)
{
  struct counting counting = { .units = units, .count = count };

  *count = (struct unit_count) { 0 };
  return units_walk (units, count_run, &counting, error);
}
