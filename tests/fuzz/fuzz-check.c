/* SPDX-License-Identifier: BSD-3-Clause */
/* Fuzz target: check and describe an image of any format, opened without
 * what it refers to.  The promises are those of vdisk.h:
 *
 *   what is found is counted, and told in printable lines;
 *   progress goes from 0 to its total, and stops a check;
 *   checking again finds the same, also in small windows of the file;
 *   an image without errors can be mapped;
 *   a description is JSON, and says what the handle says;
 *   the work is in proportion to the size of the file;
 *   a read of the file that fails is an error, and no finding.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "bounds.h"
#include "chain.h"
#include "util/error.h"
#include "explore.h"
#include "files.h"
#include "check-report.h"
#include "format/format.h"
#include "format/qcow2/driver.h"
#include "format/vhd/check/check.h"
#include "fuzz.h"

/* Tables that overlap are followed for so many bytes: see qcow2-check-l1.c
 * and qcow2-check-roots.c. */
#define OVERLAP_MAX (16 << 20)

/* As in one-image.c. */
#define OPEN_READS_MAX (2048 + 2 * (VHD_EVIDENCE_SIZE_MAX / 512) + \
                        VHD_EVIDENCE_ENTRIES_MAX / 128)

/* What has been told of a check. */
struct told {
  uint64_t findings[3];
  uint64_t done, total;
  uint64_t stop_after;          /* words on progress */
};

static void
take_finding (void *opaque, enum vdisk_finding finding, const char *message)
{
  struct told *told = opaque;

  fuzz_assert (finding <= VDISK_WARNING, "a finding of kind %d", finding);
  fuzz_check_message ("finding", message);
  told->findings[finding]++;
}

static int
take_progress (void *opaque, uint64_t done, uint64_t total)
{
  struct told *told = opaque;

  fuzz_assert (done <= total, "%" PRIu64 " of %" PRIu64 " is done", done,
               total);
  told->done = done;
  told->total = total;
  return told->stop_after > 0 && --told->stop_after == 0;
}

static void
check_count (const char *what, uint64_t told, uint64_t counted)
{
  fuzz_assert (told <= counted, "%" PRIu64 " %s are told, %" PRIu64
               " counted", told, what, counted);
  fuzz_assert ((told == 0) == (counted == 0), "%" PRIu64 " %s are counted, "
               "none told", counted, what);
}

/* Check; 0 or an errno value. */
static int
run_check (struct vdisk *vdisk, struct told *told,
           struct vdisk_check *check)
{
  struct vdisk_error error = { .errnum = -1 };
  int r;

  fuzz_meter_start ();
  r = vdisk_check (vdisk, take_finding, take_progress, told, check, &error);
  fuzz_meter_check ("check", 8192 + OVERLAP_MAX / 256 +
                    64 * fuzz_files_total ());
  if (r == -1) {
    fuzz_check_error ("check", &error);
    return error.errnum;
  }
  check_count ("errors", told->findings[VDISK_ERROR], check->errors);
  check_count ("leaks", told->findings[VDISK_LEAK], check->leaks);
  check_count ("warnings", told->findings[VDISK_WARNING], check->warnings);
  fuzz_assert (told->done == told->total, "a check ends after %" PRIu64
               " of %" PRIu64, told->done, told->total);
  return 0;
}

/* Check again, and perhaps stop it, or let a read fail. */
static void
check_again (struct vdisk *vdisk, int r, const struct vdisk_check *check,
             struct fuzz_control *control)
{
  struct told told = {
    .stop_after = random_below (&control->random, 6),
  };
  const bool may_stop = told.stop_after > 0;
  struct vdisk_check again = VDISK_CHECK_INIT;
  bool has_failed;
  int r2;

  fuzz_files_arm (control->faulty
                  ? random_below (&control->random, 32) : 0);
  r2 = run_check (vdisk, &told, &again);
  has_failed = fuzz_files_has_failed ();
  fuzz_files_arm (0);
  if (r2 == ECANCELED && may_stop && told.stop_after == 0)
    return;
  if (r2 == EIO && has_failed)
    return;
  fuzz_assert (r == r2, "a check has the result %d, and then %d", r, r2);
  fuzz_assert (r != 0 || memcmp (check, &again, sizeof again) == 0,
               "a check finds %" PRIu64 " errors, and then %" PRIu64,
               check->errors, again.errors);
}

static void
check_description (struct vdisk *vdisk)
{
  struct vdisk_error error = { .errnum = -1 };
  json_t *document, *size;
  char *text, *again;

  fuzz_meter_start ();
  text = vdisk_describe (vdisk, 0, &error);
  fuzz_meter_check ("describe", OPEN_READS_MAX + fuzz_files_total ());
  if (text == NULL) {
    fuzz_check_error ("describe", &error);
    return;
  }
  document = json_loads (text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                         NULL);
  fuzz_assert (document, "not JSON: %s", text);
  size = json_object_get (document, "virtual-size");
  fuzz_assert (json_integer_value (size) ==
               (json_int_t) vdisk_size (vdisk),
               "the size is %" PRIu64 ": %s", vdisk_size (vdisk), text);
  again = json_dumps (document, JSON_INDENT (4));
  fuzz_assert (again && strcmp (text, again) == 0,
               "parsed and printed again it is different: %s", text);
  free (again);
  free (text);
  json_decref (document);
}

/* Check in windows of a few clusters or blocks, as files are checked that
 * are too large for one window. */
static void
check_in_windows (struct layer *layer, const struct vdisk_check *whole,
                  struct fuzz_control *control)
{
  struct random *random = &control->random;
  struct told told = { 0 };
  struct vdisk_check check = VDISK_CHECK_INIT;
  struct check_report report = {
    .check = &check, .finding_callback = take_finding,
    .progress_callback = take_progress, .opaque = &told,
  };
  struct vdisk_error error = { 0 };
  const unsigned size = random_below (random, 6) +
    (control->large ? 8 : 0);
  int r;

  if (layer->format == &format_qcow2) {
    r = qcow2_check_in_windows (layer, &report, size,
                                2 + random_below (random, 6), &error);
    fuzz_assert (r == 0 && memcmp (&check, whole, sizeof check) == 0,
                 "in windows of 2^%u a check finds %" PRIu64 " errors and %"
                 PRIu64 " leaks, as a whole %" PRIu64 " and %" PRIu64, size,
                 check.errors, check.leaks, whole->errors, whole->leaks);
  }
  else if (layer->format == &format_vhd) {
    /* Of blocks that overlap another one may be blamed. */
    r = vhd_check_in_windows (layer, 1 + size, &report, &error);
    fuzz_assert (r == 0 && (check.errors > 0) == (whole->errors > 0) &&
                 check.leaks == whole->leaks,
                 "in windows of %u a check finds %" PRIu64 " errors and %"
                 PRIu64 " leaks, as a whole %" PRIu64 " and %" PRIu64,
                 1 + size, check.errors, check.leaks, whole->errors,
                 whole->leaks);
  }
}

static void
open_and_check_in_windows (struct fuzz_control *control,
                           const struct vdisk_check *whole)
{
  struct vdisk_options *options = vdisk_options_new ();
  struct chain *chain;

  options->ignore_sector_bitmaps = control->ignore_bitmaps;
  options->size = control->size;
  chain = chain_open (fuzz_files_open (0, control), options, NULL, NULL);
  fuzz_assert (chain, "what was opened cannot be opened again");
  check_in_windows (chain->layers[0], whole, control);
  chain_close (chain);
  vdisk_options_free (options);
}

/* References lead to nothing but zeros. */
static struct source *
open_zeros (void *opaque, const struct source *from, const char *role,
            const char *name, const struct vdisk_options *options,
            struct vdisk_error *error)
{
  (void) role;
  (void) name;
  (void) options;
  if (fuzz_files_opened () == 1)
    return fuzz_files_open (1, opaque);
  error_record (error, ENOENT, "%s: no more", from->name);
  return NULL;
}

/* Map an image that a check has found no errors in.  What is in an
 * external data file no check has looked at. */
static void
map_without_errors (struct fuzz_control *control)
{
  const struct resolver resolver = {
    .open = open_zeros, .opaque = control,
  };
  static struct explored map;
  struct vdisk *vdisk = fuzz_open (NULL, control, &resolver,
                                   OPEN_READS_MAX);

  if (vdisk == NULL)
    return;
  if (strcmp (vdisk_layer_data_file (vdisk, 0),
              vdisk_layer_file (vdisk, 0)) == 0) {
    explore_map (vdisk, 0, vdisk_size (vdisk), &map);
    fuzz_assert (!map.failed && !map.exhausted, "a check finds no errors, "
                 "but the disk cannot be mapped at %" PRIu64, map.reached);
  }
  vdisk_close (vdisk);
}

static void
check_image (struct fuzz_control *control)
{
  struct vdisk *vdisk = fuzz_open (NULL, control, NULL, OPEN_READS_MAX);
  struct told told = { 0 };
  struct vdisk_check check = VDISK_CHECK_INIT;
  int r;

  if (vdisk == NULL)
    return;
  if (random_below (&control->random, 4) == 0)
    check_description (vdisk);
  r = run_check (vdisk, &told, &check);
  if (random_below (&control->random, 4) == 0)
    check_again (vdisk, r, &check, control);
  vdisk_close (vdisk);
  if (r == 0 && random_below (&control->random, 16) == 0)
    open_and_check_in_windows (control, &check);
  if (r == 0 && check.errors == 0)
    map_without_errors (control);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const uint8_t zeros[512];
  struct fuzz_control control;

  if (!fuzz_take_control (&data, &size, &control))
    return 0;
  control.anonymous = false;
  if (fuzz_files_add (data, size) && fuzz_files_add (zeros, sizeof zeros))
    check_image (&control);
  fuzz_files_clear ();
  return 0;
}
