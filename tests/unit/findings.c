/* SPDX-License-Identifier: BSD-3-Clause */
/* What a check finds, as text. */

#include "findings.h"

#include <stdio.h>

#include "format/format.h"
#include "support.h"

static void
take_finding (void *opaque, enum vdisk_finding finding, const char *message)
{
  static const char *const kinds[] = { "error", "leak", "warning" };
  struct findings *findings = opaque;
  const size_t room = sizeof findings->text - findings->used;

  if (findings->used < sizeof findings->text / 2)
    findings->used += snprintf (findings->text + findings->used, room,
                                "%s: %s\n", kinds[finding], message);
}

/* Progress never goes back, but for the last word. */
static int
take_progress (void *opaque, uint64_t done, uint64_t total)
{
  struct findings *findings = opaque;

  ck_assert_uint_le (done, total);
  if (done < total)
    ck_assert_uint_ge (done, findings->done);
  findings->done = done;
  return ++findings->calls == findings->stop_at;
}

struct check_report
findings_start (struct findings *findings, struct vdisk_check *check)
{
  *check = (struct vdisk_check) { 0 };
  findings->used = 0;
  findings->calls = findings->done = 0;
  findings->text[0] = '\0';
  return (struct check_report) {
    .check = check, .finding_callback = take_finding,
    .progress_callback = take_progress, .opaque = findings,
  };
}

int
findings_try (struct findings *findings, struct layer *layer,
              struct vdisk_check *check, struct vdisk_error *error)
{
  struct check_report report = findings_start (findings, check);

  return layer->format->check (layer, &report, error);
}

void
findings_check (struct findings *findings, struct layer *layer,
                struct vdisk_check *check)
{
  struct vdisk_error error = { 0 };

  ck_assert_msg (findings_try (findings, layer, check, &error) == 0, "%s",
                 error.message);
  ck_assert_int_eq (error.errnum, 0);
}
