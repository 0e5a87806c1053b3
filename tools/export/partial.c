/* SPDX-License-Identifier: BSD-3-Clause */
/* Which bytes of an output are written, and what else is made with them. */

#include "export/partial.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "export/copy.h"
#include "export/digests.h"
#include "export/export.h"
#include "export/identity.h"
#include "export/interrupt.h"
#include "export/manifest.h"
#include "export/output-options.h"
#include "export/outputs.h"
#include "export/parts.h"
#include "export/resume.h"
#include "util/error.h"

/* An export under way. */
struct running {
  struct export *export;
  const struct export_parts *parts;
  struct manifest manifest;     /* also if none is asked for */
  struct resume resume;
  uint64_t start, end;          /* of the output: what is to be there */
  uint64_t from;                /* before it, everything is there */
  struct digests *digests;
};

static bool
needs_digests (const struct export_parts *parts)
{
  return parts->resume || parts->manifest;
}

static char *
digest_text (const uint8_t digest[IDENTITY_SIZE])
{
  char *text = malloc (2 * IDENTITY_SIZE + 1);

  if (text)
    identity_to_hex (digest, text);
  return text;
}

/* Each byte of a raw output has its place; others are laid out by what is
 * data. */
static bool
depends_on_holes (const struct export *export)
{
  return strcmp (export->exporter->name, "raw") != 0;
}

/* What the manifest says but for digests. */
static int
describe (struct running *running, const uint8_t *identity,
          const uint8_t *extents, struct vdisk_error *error)
{
  const bool laid_out = depends_on_holes (running->export);
  struct manifest *manifest = &running->manifest;
  struct vdisk *disk = running->export->disks[0];

  manifest->format = strdup (running->export->exporter->name);
  manifest->image = strdup (vdisk_layer_file (disk, 0));
  manifest->image_size = vdisk_size (disk);
  manifest->identity = digest_text (identity);
  manifest->extents = laid_out ? digest_text (extents) : NULL;
  if (manifest->format == NULL || manifest->image == NULL ||
      manifest->identity == NULL || (laid_out && manifest->extents == NULL))
    return error_no_memory (error, "manifest");
  if (running->parts->resume) {
    manifest->stamps = identity_stamps (disk, error);
    if (manifest->stamps == NULL)
      return -1;
  }
  return 0;
}

/* Open the output, whose options are the manifest's. */
static int
open_output (struct running *running, struct vdisk_error *error)
{
  struct export *export = running->export;
  struct manifest *manifest = &running->manifest;
  uint8_t identity[IDENTITY_SIZE] = { 0 }, extents[IDENTITY_SIZE] = { 0 };

  if ((needs_digests (running->parts) || output_needs_identity (export)) &&
      identity_of_image (export->disks[0], identity, extents, error) == -1)
    return -1;
  manifest->options = output_options (export, 0, identity, error);
  if (manifest->options == NULL ||
      describe (running, identity, extents, error) == -1 ||
      outputs_open (export, identity, error) == -1)
    return -1;
  manifest->size = export->size;
  manifest->part_size = parts_unit (manifest->size);
  return 0;
}

/* Find which bytes are to be written. */
static int
locate (struct running *running, struct vdisk_error *error)
{
  const struct export_parts *parts = running->parts;
  const uint64_t size = running->manifest.size;

  running->end = size;
  if (parts->shard > 0)
    parts_locate_shard (parts, size, &running->start, &running->end);
  if (parts->has_range) {
    if (parts->last >= size)
      return error_set (error, EINVAL, "--range=%" PRIu64 "-%" PRIu64
                        ": the output has %" PRIu64 " bytes", parts->first,
                        parts->last, size);
    running->start = parts->first;
    running->end = parts->last + 1;
  }
  running->from = running->start;
  return 0;
}

/* Other shards' manifest is of the same output. */
static int
check_manifest (const struct running *running, struct vdisk_error *error)
{
  const char *path = running->parts->manifest;
  struct manifest other = { 0 };
  int r;

  if (path == NULL || running->parts->shard == 0)
    return 0;
  r = manifest_read (&other, path, error);
  if (r == 0)
    r = manifest_check_same (&running->manifest, &other, path, error);
  manifest_clear (&other);
  return r == -1 ? -1 : 0;
}

static int
wrong_destination (struct running *running, const char *rule,
                   struct vdisk_error *error)
{
  running->export->destination_is_wrong = true;
  return error_set (error, EINVAL, "%s: %s", running->export->sink->name,
                    rule);
}

/* A destination of which others write other parts. */
static void
set_joint (struct sink *sink)
{
  sink->is_joint = true;
  sink->in_place = true;
  sink->is_kept = true;
  interrupt_set_partial (NULL);
}

/* Go on where the last one broke off, if one did. */
static int
go_on (struct running *running, struct vdisk_error *error)
{
  struct sink *sink = running->export->sink;
  bool found;

  if (resume_init (&running->resume, sink, running->parts, error) == -1) {
    running->export->destination_is_wrong = true;
    return -1;
  }
  if (resume_read (&running->resume, sink, &running->manifest, &found,
                   error) == -1)
    return -1;
  sink->in_place = sink->in_place || found;
  sink->is_kept = true;
  running->from = manifest_covered (&running->manifest, running->start);
  return 0;
}

static int
open_sink (struct running *running, struct vdisk_error *error)
{
  struct export *export = running->export;
  struct sink *sink = export->sink = export_open_sink (export, error);

  if (sink == NULL)
    return -1;
  if (running->parts->shard > 0) {
    if (sink->is_stream)
      return wrong_destination (running, "--shard needs a file or a device, "
                                "in which the part has a place", error);
    set_joint (sink);
  }
  if (sink_lock (sink, error) == -1 ||
      (running->parts->resume && go_on (running, error) == -1))
    return -1;
  return sink_begin (sink, running->parts->has_range
                     ? running->end - running->start
                     : running->manifest.size, false, error);
}

static int
advance (void *opaque, uint64_t position, uint64_t copied,
         struct vdisk_error *error)
{
  struct running *running = opaque;
  struct export *export = running->export;

  (void) copied;
  export->done = position - running->start;
  progress_update (&export->progress, export->done, export->total);
  return running->parts->resume
    ? resume_advance (&running->resume, export->sink, &running->manifest,
                      error) : 0;
}

static int
copy (struct running *running, struct vdisk_error *error)
{
  struct sink *sink = running->export->sink;
  struct copy copying = {
    .output = running->export->outputs[0], .sink = sink,
    .start = running->from, .end = running->end,
    .sink_start = running->parts->has_range ? running->start : 0,
    .threads = running->export->options->threads,
    .advance = advance, .opaque = running,
  };

  if (needs_digests (running->parts)) {
    running->digests = digests_new (&running->manifest, running->from);
    if (running->digests == NULL)
      return error_no_memory (error, "digests");
  }
  copying.digests = running->digests;
  if (copy_run (&copying, error) == -1 ||
      (running->digests && digests_finish (running->digests, error) == -1))
    return -1;
  if (!sink->is_stream)
    sink->position = running->end - copying.sink_start;
  return sink_finish (sink, error);
}

/* The file is as it is to be. */
static int
conclude (struct running *running, struct vdisk_error *error)
{
  const struct export_parts *parts = running->parts;
  struct manifest *manifest = &running->manifest;

  /* For those who make a note: others have the image elsewhere. */
  json_decref (manifest->stamps);
  manifest->stamps = NULL;
  if (parts->manifest &&
      (parts->shard > 0
       ? manifest_merge (manifest, parts->manifest, error)
       : manifest_write (manifest, parts->manifest, true, error)) == -1)
    return -1;
  return parts->resume ? resume_finish (&running->resume, error) : 0;
}

static int
write_parts (struct running *running, struct vdisk_error *error)
{
  struct export *export = running->export;
  struct vdisk_error why = { 0 };

  export->total = running->end - running->start;
  if (copy (running, &why) == 0)
    return conclude (running, error);
  return error_set (error, why.errnum, "%s, after %" PRIu64 " of %" PRIu64
                    " bytes", error_raw (&why), export->done, export->total);
}

int
partial_run (struct export *export, const struct export_parts *parts,
             struct vdisk_error *error)
{
  struct running running = { .export = export, .parts = parts };
  int r = -1;

  error_clear (error);
  if (open_output (&running, error) == 0 && locate (&running, error) == 0 &&
      check_manifest (&running, error) == 0 &&
      open_sink (&running, error) == 0)
    r = write_parts (&running, error);
  progress_hide (&export->progress);
  sink_close (export->sink);
  digests_free (running.digests);
  resume_free (&running.resume);
  manifest_clear (&running.manifest);
  return r;
}
