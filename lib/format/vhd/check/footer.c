/* SPDX-License-Identifier: BSD-3-Clause */
/* Checking footers: one against the other, and the sizes they tell. */

#include "format/vhd/check/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "source/source.h"
#include "util/align.h"
#include "util/minmax.h"

/* Where a footer that is not at the end of the file is looked for: so many
 * bytes from the end of the last block on. */
#define SEARCH_MAX 65536

#define FIELD(text, field) \
  { text, offsetof (struct vhd_footer, field), \
    sizeof ((struct vhd_footer *) 0)->field }

/* In which two footers that are valid may differ; the checksum differs if
 * anything does. */
static const struct {
  const char *name;
  size_t offset, size;
} fields[] = {
  FIELD ("features", features),
  FIELD ("version", version),
  FIELD ("header offset", header_offset),
  FIELD ("time stamp", time_stamp),
  FIELD ("creator", creator),
  FIELD ("creator version", creator_version),
  FIELD ("creator host OS", creator_os),
  FIELD ("original size", original_size),
  FIELD ("current size", current_size),
  FIELD ("cylinders", cylinders),
  FIELD ("heads", heads),
  FIELD ("sectors", sectors),
  FIELD ("type", type),
  FIELD ("UUID", uuid),
  FIELD ("saved state", saved_state),
  FIELD ("hidden flag", hidden),
  FIELD ("reserved bytes", reserved),
};

#define FIELDS (sizeof fields / sizeof fields[0])

/* Both are valid. */
static void
compare (struct vhd_walk *walk)
{
  const uint8_t *end = (const uint8_t *) &walk->footers.end;
  const uint8_t *copy = (const uint8_t *) &walk->footers.copy;
  char names[256] = "";
  size_t i, used = 0;

  for (i = 0; i < FIELDS; ++i)
    if (memcmp (end + fields[i].offset, copy + fields[i].offset,
                fields[i].size) != 0)
      used += snprintf (names + used, sizeof names - used, "%s%s",
                        used > 0 ? ", " : "", fields[i].name);
  if (used > 0)
    report_finding (walk->report, VDISK_ERROR, "footer copy: differs from the "
                    "footer at the end of the file: %s", names);
}

static void
check_copy (struct vhd_walk *walk)
{
  const struct vhd_footers *footers = &walk->footers;

  if (!footers->has_copy)
    return;
  if (footers->copy_problem.errnum != 0)
    report_finding (walk->report, VDISK_ERROR, "footer copy: %s",
                    error_raw (&footers->copy_problem));
  else if (footers->end_problem.errnum == 0)
    compare (walk);
}

/* The creator means the geometry, which gives less than the current size:
 * tell what speaks for which. */
static int
check_evidence (struct vhd_walk *walk)
{
  const struct footer *footer = &walk->vhd->footer;
  struct vhd_evidence evidence;

  if (vhd_find_evidence (walk->layer, &evidence, walk->error) == -1)
    return -1;
  report_finding (walk->report, VDISK_WARNING, "footer: geometry %" PRIu16 "/%"
                  PRIu8 "/%" PRIu8 " gives %" PRIu64 " bytes, which is what "
                  "creator \"%.4s\" means, and the current size is %" PRIu64
                  ": %s, which speaks for the %s", footer->cylinders,
                  footer->heads, footer->sectors, vhd_chs_size (footer),
                  (const char *) footer->creator, footer->current_size,
                  evidence.found ? evidence.what
                  : "this file has nothing beyond the former",
                  evidence.found ? "current size" : "geometry");
  return 0;
}

/* A geometry is made for a size, and covers it but for a part of a track
 * and of a cylinder.  If not, someone has changed the size, and those who
 * go by the geometry see another disk. */
static int
check_geometry (struct vhd_walk *walk)
{
  const struct footer *footer = &walk->vhd->footer;
  const uint64_t chs = vhd_chs_size (footer);
  const uint64_t current = footer->current_size;
  const uint64_t rounding = (uint64_t) (footer->heads + 1) *
    footer->sectors * VHD_SECTOR_SIZE;

  if (vhd_size_in_doubt (walk->vhd))
    return check_evidence (walk);
  if (!vhd_has_chs (footer))
    return 0;
  if ((chs > current ? chs - current : current - chs) > rounding)
    report_finding (walk->report, VDISK_WARNING, "footer: geometry %" PRIu16
                    "/%" PRIu8 "/%" PRIu8 " gives %" PRIu64 " bytes, but the "
                    "current size is %" PRIu64 ": not all programs will see a "
                    "disk of the same size", footer->cylinders, footer->heads,
                    footer->sectors, chs, current);
  return 0;
}

int
vhd_check_footer (struct vhd_walk *walk)
{
  const struct footer *footer = &walk->vhd->footer;

  check_copy (walk);
  if (check_geometry (walk) == -1)
    return -1;
  if (!is_aligned (footer->current_size, VHD_SECTOR_SIZE))
    report_finding (walk->report, VDISK_WARNING, "footer: current size %" PRIu64
                    ", not a multiple of %d", footer->current_size,
                    VHD_SECTOR_SIZE);
  return 0;
}

/* Find a footer like the copy in the sectors from '*offset' on: it follows
 * the last block, or something that we know nothing of.  Sets *offset to
 * where it is. */
static int
find_footer (const struct vhd_walk *walk, uint64_t *offset, bool *found)
{
  struct source *source = walk->layer->source;
  const uint64_t end = min_u64 (*offset + SEARCH_MAX, source->size);
  struct vhd_footer raw;

  for (; range_within (*offset, sizeof raw, end); *offset += sizeof raw) {
    if (source_pread (source, &raw, sizeof raw, *offset, walk->error) == -1)
      return -1;
    *found = memcmp (&raw, &walk->footers.copy, sizeof raw) == 0;
    if (*found)
      return 0;
  }
  return 0;
}

/* On a volume, which is rarely as large as the file that was copied to it,
 * something may follow the footer. */
int
vhd_check_end_footer (struct vhd_walk *walk)
{
  const struct vhd_footers *footers = &walk->footers;
  const uint64_t size = walk->layer->source->size;
  uint64_t place = round_up (walk->report->check->image_end_offset,
                             VHD_SECTOR_SIZE);
  bool found = false;

  if (footers->end_problem.errnum == 0) {
    if (size - footers->end_offset < sizeof footers->end)
      report_finding (walk->report, VDISK_WARNING, "footer: only %d bytes "
                      "long, as very old tools wrote it", VHD_SHORT_FOOTER_SIZE);
    return 0;
  }
  if (find_footer (walk, &place, &found) == -1)
    return -1;
  if (found)
    report_finding (walk->report, VDISK_WARNING, "footer: at offset %" PRIu64
                    ", followed by %" PRIu64 " bytes: programs that look for "
                    "it at the end of the file do not find it", place,
                    size - place - sizeof footers->end);
  else
    report_finding (walk->report, VDISK_ERROR, "footer: %s",
                    error_raw (&footers->end_problem));
  return 0;
}
