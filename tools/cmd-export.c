/* SPDX-License-Identifier: BSD-3-Clause */
/* vdisk export: open what is to be exported, and let the exporter of the
 * format do it.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/export.h"
#include "export/interrupt.h"
#include "export/partial.h"
#include "export/request.h"
#include "export/verify.h"
#include "image-options.h"
#include "tool.h"

static void
close_disks (struct export *export)
{
  size_t i;

  for (i = 0; export->disks && i < export->disk_count; ++i)
    vdisk_close (export->disks[i]);
  free (export->disks);
  free (export->prefixes);
  vdisk_close (export->changed);
  if (export->base != export->since)
    vdisk_close (export->base);
  vdisk_close (export->since);
}

static struct vdisk *
open_disk (const char *name, const struct vdisk_options *options)
{
  struct vdisk_error error;
  struct vdisk *disk = vdisk_open (name, options, &error);

  if (disk == NULL)
    complain ("%s", error.message);
  return disk;
}

/* The view of it that is asked for. */
static struct vdisk *
open_source (const struct export_request *request, const char *name)
{
  const struct view_options shown = { .view = request->view.view };
  struct vdisk_error error;
  struct vdisk *disk = view_options_open (&shown, name,
                                          request->image_options, &error);

  if (disk == NULL)
    complain ("%s", error.message);
  return disk;
}

/* The name by which QEMU knows a format. */
static const char *
qemu_format (const char *name)
{
  return strcmp (name, "vhd") == 0 ? "vpc" : name;
}

/* The base of a VHD is one, and will be read as a parent, which is at least
 * as large as its current size, whatever counts for the source. */
static bool
set_options_of_parent (struct vdisk_options *options,
                       struct vdisk_error *error)
{
  return vdisk_options_set (options, "format", "vhd", error) == 0 &&
    vdisk_options_set (options, "size", "auto", error) == 0;
}

/* The base is opened as the disk is, but for the format, and what lies under
 * it. */
static bool
open_base (struct export_request *request, struct export *export)
{
  struct vdisk_error error;
  const char *format = request->base_format ? request->base_format : "auto";

  if (vdisk_options_set (request->image_options, "layer", "auto",
                         &error) == -1 ||
      (request->exporter == &exporter_vhd
       ? !set_options_of_parent (request->image_options, &error)
       : vdisk_options_set (request->image_options, "format", format,
                            &error) == -1)) {
    complain ("%s", error.message);
    return false;
  }
  export->base = open_disk (request->base, request->image_options);
  if (export->base == NULL)
    return false;
  if (request->options.backing && request->options.backing_format == NULL)
    request->options.backing_format =
      qemu_format (vdisk_layer_format (export->base, 0));
  return true;
}

/* Is what the disk was a file of its own, and no view of the same image? */
static bool
is_other_file (const struct export *export)
{
  return strcmp (vdisk_view_name (export->since), "active") == 0 &&
    strcmp (vdisk_layer_file (export->since, 0),
            vdisk_layer_file (export->disks[0], 0)) != 0;
}

/* Where nobody says what format the backing file has, it is that file. */
static bool
find_backing_format (struct export_options *options,
                     const struct export *export)
{
  if (options->backing == NULL || options->backing_format)
    return true;
  if (is_other_file (export)) {
    options->backing_format =
      qemu_format (vdisk_layer_format (export->since, 0));
    return true;
  }
  complain ("--backing: --since tells nothing of the format of '%s': say it "
            "with --backing-format", options->backing);
  return false;
}

/* What is left of the image's options is that of the last that is opened. */
static bool
open_since (struct export_request *request, struct export *export)
{
  struct vdisk *disk = export->disks[0];
  struct vdisk_error error;

  export->since = view_options_open_since (&request->view, disk,
                                           request->image_options, &error);
  if (export->since)
    export->changed = view_options_compare (&request->view, export->since,
                                            disk, &error);
  if (export->changed == NULL) {
    complain ("%s", error.message);
    return false;
  }
  if (request->base)
    return open_base (request, export);
  export->base = export->since;
  return find_backing_format (&request->options, export);
}

static bool
open_disks (struct export_request *request, struct export *export)
{
  size_t i;

  export->disks = calloc (request->source_count, sizeof *export->disks);
  export->prefixes = calloc (request->source_count,
                             sizeof *export->prefixes);
  if (export->disks == NULL || export->prefixes == NULL) {
    complain ("out of memory");
    return false;
  }
  for (i = 0; i < request->source_count; ++i) {
    export->prefixes[i] = request->sources[i].prefix;
    export->disks[i] = open_source (request, request->sources[i].name);
    if (export->disks[i] == NULL)
      return false;
    export->disk_count++;
  }
  if (request->view.since)
    return open_since (request, export);
  return request->base == NULL || open_base (request, export);
}

static void
start_progress (const struct export_request *request,
                struct progress *progress)
{
  const bool to_stdout = strcmp (request->destination, "-") == 0;
  enum progress_style style = request->progress;

  if (!request->has_progress)
    style = isatty (STDERR_FILENO) ? PROGRESS_BAR : PROGRESS_NONE;
  progress_start_bytes (progress, style,
                        style == PROGRESS_BAR || to_stdout ? stderr
                        : stdout);
}

static int
run_export (const struct export_request *request, struct export *export)
{
  struct vdisk_error error;

  if (request->measure) {
    if (export_measure (export, &error) == 0) {
      printf ("%" PRIu64 "\n", export->size);
      return STATUS_OK;
    }
  }
  else {
    start_progress (request, &export->progress);
    interrupt_catch ();
    if ((parts_wanted (&request->parts)
         ? partial_run (export, &request->parts, &error)
         : export_run (export, &error)) == 0)
      return STATUS_OK;
    interrupt_no_more ();
  }
  complain ("%s", error.message);
  return export->destination_is_wrong ? STATUS_USAGE : STATUS_ERROR;
}

static int
export_disks (struct export_request *request)
{
  struct export export = {
    .exporter = request->exporter, .options = &request->options,
    .destination = request->destination,
  };
  int status = STATUS_ERROR;

  if (open_disks (request, &export)) {
    status = run_export (request, &export);
    export_free (&export);
  }
  close_disks (&export);
  return status;
}

static int
verify (const struct export_request *request)
{
  struct progress progress = { 0 };
  struct vdisk_error error;

  start_progress (request, &progress);
  interrupt_catch ();
  if (verify_file (request->destination, request->parts.verify, &progress,
                   &error) == 0)
    return STATUS_OK;
  complain ("%s", error.message);
  return STATUS_ERROR;
}

static int
run (int argc, char **argv)
{
  struct export_request request = { 0 };
  int status = STATUS_USAGE;

  if (export_request_parse (&request, argc, argv)) {
    status = STATUS_OK;
    if (request.help)
      export_request_print_help ();
    else if (request.parts.verify)
      status = verify (&request);
    else
      status = export_disks (&request);
  }
  export_request_free (&request);
  return status;
}

const struct command command_export = {
  .name = "export",
  .summary = "write what the disk holds in another format",
  .run = run,
};
