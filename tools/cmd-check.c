/* SPDX-License-Identifier: BSD-3-Clause */
/* vdisk check: is the metadata of an image right?  The library finds and
 * counts; this prints as it goes, so that any number of findings takes no
 * memory.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "human.h"
#include "image-options.h"
#include "progress.h"
#include "report-request.h"
#include "tool.h"
#include "util/escape-json.h"

/* Findings printed without --all. */
#define FINDINGS_MAX 100

struct job {
  const char *path;
  const char *format;
  enum output output;
  bool all;
  uint64_t findings;
  struct progress progress;
};

static const char help[] =
  "Usage: vdisk check [OPTION]... IMAGE\n"
  "Look for errors in the metadata of an image, and for space that is lost\n"
  "in it.  Nothing is changed.\n\n"
  REPORT_OPTIONS_HELP
  "                          'qemu-img check' and all findings\n"
  "  --all                   print all findings, not just the first 100\n"
  "  --help                  this text\n\n"
  "Exit status: 0 if nothing is wrong, 2 for errors, 3 for leaked space\n"
  "only, 1 if the image could not be checked or the command line is wrong,\n"
  "63 for a format that has nothing to check.\n\n"
  IMAGE_OPTIONS_HELP;

static const char *
finding_name (enum vdisk_finding finding)
{
  switch (finding) {
  case VDISK_ERROR: return "error";
  case VDISK_LEAK: return "leak";
  case VDISK_WARNING: return "warning";
  }
  return "";
}

/* Print a string, which is released, as JSON has it. */
static void
print_json_string (json_t *string)
{
  json_dumpf (string, stdout, JSON_ENCODE_ANY);
  json_decref (string);
}

/* Begin the document: with the first finding, or at the end. */
static void
print_json_start (const struct job *job)
{
  fputs ("{\n    \"filename\": ", stdout);
  print_json_string (escape_json (job->path, strlen (job->path)));
  fputs (",\n    \"format\": ", stdout);
  print_json_string (json_string (job->format));
  fputs (",\n    \"findings\": [", stdout);
}

static void
print_json_finding (const struct job *job, enum vdisk_finding finding,
                    const char *message)
{
  if (job->findings == 1)
    print_json_start (job);
  printf ("%s\n        { \"kind\": \"%s\", \"message\": ",
          job->findings > 1 ? "," : "", finding_name (finding));
  print_json_string (json_string (message));
  fputs (" }", stdout);
}

static void
take_finding (void *opaque, enum vdisk_finding finding, const char *message)
{
  struct job *job = opaque;

  job->findings++;
  if (job->findings > FINDINGS_MAX && !job->all)
    return;
  progress_hide (&job->progress);
  if (job->output == OUTPUT_JSON)
    print_json_finding (job, finding, message);
  else
    printf ("%s: %s\n", finding_name (finding), message);
}

static int
take_progress (void *opaque, uint64_t done, uint64_t total)
{
  struct job *job = opaque;

  progress_update (&job->progress, done, total);
  return output_failed ();
}

static uint64_t
findings_left_out (const struct job *job)
{
  return job->all || job->findings <= FINDINGS_MAX ? 0
    : job->findings - FINDINGS_MAX;
}

static void
print_json_end (const struct job *job, const struct vdisk_check *check,
                bool failed)
{
  if (job->findings == 0 && failed)
    return;
  if (job->findings == 0)
    print_json_start (job);
  printf ("%s],\n    \"findings-left-out\": %" PRIu64 ",\n",
          job->findings > 0 ? "\n    " : "", findings_left_out (job));
  printf ("    \"check-errors\": %d,\n    \"corruptions\": %" PRIu64 ",\n"
          "    \"leaks\": %" PRIu64 ",\n    \"warnings\": %" PRIu64 ",\n",
          failed, check->errors, check->leaks, check->warnings);
  if (check->image_end_offset > 0)
    printf ("    \"image-end-offset\": %" PRIu64 ",\n",
            check->image_end_offset);
  printf ("    \"total-clusters\": %" PRIu64 ",\n"
          "    \"allocated-clusters\": %" PRIu64 ",\n"
          "    \"fragmented-clusters\": %" PRIu64 ",\n"
          "    \"compressed-clusters\": %" PRIu64 "\n}\n",
          check->total_clusters, check->allocated_clusters,
          check->fragmented_clusters, check->compressed_clusters);
}

static double
percent (uint64_t part, uint64_t whole)
{
  return whole > 0 ? 100.0 * part / whole : 0;
}

static void
print_verdict (const struct vdisk_check *check)
{
  if (check->errors > 0)
    printf ("%" PRIu64 " error%s: data may be wrong, or be lost by writing "
            "to the image\n", check->errors, check->errors == 1 ? "" : "s");
  if (check->leaks > 0)
    printf ("%" PRIu64 " leaked cluster%s: space is wasted, data is not in "
            "danger\n", check->leaks, check->leaks == 1 ? "" : "s");
  if (check->warnings > 0)
    printf ("%" PRIu64 " warning%s\n", check->warnings,
            check->warnings == 1 ? "" : "s");
  if (check->errors == 0 && check->leaks == 0)
    puts ("no errors found");
}

static void
print_human_end (const struct job *job, const struct vdisk_check *check,
                 bool failed)
{
  char size[HUMAN_SIZE_MAX];

  if (findings_left_out (job) > 0)
    printf ("... and %" PRIu64 " more findings (--all prints them)\n",
            findings_left_out (job));
  if (failed)
    return;
  if (job->findings > 0)
    putchar ('\n');
  print_verdict (check);
  printf ("clusters: %" PRIu64 " of %" PRIu64 " allocated (%.2f%%)",
          check->allocated_clusters, check->total_clusters,
          percent (check->allocated_clusters, check->total_clusters));
  if (check->allocated_clusters > 0)
    printf (", %.2f%% of them fragmented, %.2f%% compressed",
            percent (check->fragmented_clusters, check->allocated_clusters),
            percent (check->compressed_clusters,
                     check->allocated_clusters));
  putchar ('\n');
  if (check->image_end_offset > 0)
    printf ("the image ends at %" PRIu64 " (%s)\n", check->image_end_offset,
            human_size (check->image_end_offset, size));
}

static int
check (struct vdisk *vdisk, struct job *job)
{
  struct vdisk_check result = VDISK_CHECK_INIT;
  struct vdisk_error error;
  bool failed;

  job->format = vdisk_layer_format (vdisk, 0);
  progress_start (&job->progress);
  failed = vdisk_check (vdisk, take_finding, take_progress, job, &result,
                        &error) == -1;
  progress_hide (&job->progress);
  if (job->output == OUTPUT_JSON)
    print_json_end (job, &result, failed);
  else
    print_human_end (job, &result, failed);
  if (failed) {
    if (error.errnum != ECANCELED || !output_failed ())
      complain ("%s", error.message);
    return error.errnum == ENOTSUP ? STATUS_CHECK_UNSUPPORTED : STATUS_ERROR;
  }
  if (result.errors > 0)
    return STATUS_CHECK_ERRORS;
  return result.leaks > 0 ? STATUS_CHECK_LEAKS : STATUS_OK;
}

static int
check_path (const struct report_request *request)
{
  struct job job = {
    .output = request->output, .all = request->flag, .path = request->path,
  };
  struct vdisk_error error;
  struct vdisk *vdisk;
  int status;

  vdisk = vdisk_inspect (request->path, request->options, &error);
  if (vdisk == NULL) {
    complain ("%s", error.message);
    return STATUS_ERROR;
  }
  status = check (vdisk, &job);
  vdisk_close (vdisk);
  return status;
}

static int
run_check (int argc, char **argv)
{
  return report_request_run (argc, argv, "all", help, STATUS_ERROR,
                             "a check is of the whole image, with its "
                             "snapshots and bitmaps", check_path);
}

const struct command command_check = {
  .name = "check",
  .summary = "look for errors in the metadata of an image",
  .run = run_check,
};
