/* SPDX-License-Identifier: BSD-3-Clause */
/* Checking the header of a dynamic or differencing disk and what it leads
 * to: BAT, batmap, parent locators.  None of them may lie upon another.
 */

#include "format/vhd/check/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/source.h"
#include "util/align.h"
#include "util/minmax.h"

/* Remember an area, of which what is not in the file doesn't count. */
static struct vhd_area *
add_area (struct vhd_walk *walk, const char *name, uint64_t offset,
          uint64_t size)
{
  const uint64_t file_size = walk->layer->source->size;
  struct vhd_area *area = &walk->areas[walk->area_count++];

  *area = (struct vhd_area) { .offset = min_u64 (offset, file_size) };
  area->end = area->offset + min_u64 (size, file_size - area->offset);
  snprintf (area->name, sizeof area->name, "%s", name);
  return area;
}

static uint64_t
blocks_of (const struct vhd_walk *walk, uint64_t size)
{
  return divide_up (size, walk->header.block_size);
}

/* The disk may be smaller than current_size says, or larger, by its
 * geometry.  The BAT covers the disk, or it could not be opened.  If it
 * can't be as large as is said, only what the disk may use is believed. */
static void
check_bat_size (struct vhd_walk *walk)
{
  const struct dynamic_header *header = &walk->header;
  const uint64_t current_size = walk->vhd->footer.current_size;
  const uint64_t file_size = walk->layer->source->size;
  const uint64_t room =
    (file_size - header->table_offset) / sizeof (be32);

  walk->blocks = blocks_of (walk, walk->layer->size);
  walk->entries_max = min_u64 (min_u64 (header->max_table_entries, room),
                               VHD_BAT_ENTRIES_MAX);
  walk->entries = max_u64 (walk->blocks, blocks_of (walk, current_size));
  walk->entries = min_u64 (walk->entries, walk->entries_max);
  if (blocks_of (walk, current_size) > header->max_table_entries)
    report_finding (walk->report, VDISK_ERROR, "header: %" PRIu32 " BAT "
                    "entries for blocks of %" PRIu32 " bytes do not cover the current "
                    "size (%" PRIu64 " bytes)", header->max_table_entries,
                    header->block_size, current_size);
  if (room < header->max_table_entries) {
    report_finding (walk->report, VDISK_ERROR, "header: BAT of %" PRIu32
                    " entries at offset %" PRIu64 " reaches beyond the end of "
                    "the file (%" PRIu64 " bytes)", header->max_table_entries,
                    header->table_offset, file_size);
    walk->entries_max = walk->entries;
  }
}

static int
check_batmap (struct vhd_walk *walk)
{
  struct vhd_batmap batmap;

  if (vhd_find_batmap (walk->layer, &walk->vhd->footer, &walk->header,
                       &batmap, walk->error) == -1)
    return -1;
  free (batmap.bits);
  if (!batmap.found)
    return 0;
  add_area (walk, "batmap header", batmap.header_offset, VHD_SECTOR_SIZE);
  if (batmap.problem.errnum != 0)
    report_finding (walk->report, VDISK_ERROR, "batmap: %s",
                    error_raw (&batmap.problem));
  else
    add_area (walk, "batmap", batmap.offset, batmap.size);
  return 0;
}

static int
check_locator (struct vhd_walk *walk, size_t number)
{
  const struct locator *locator = &walk->header.locators[number];
  struct vdisk_error problem = { 0 };
  char name[VHD_LOCATOR_NAME_SIZE], text[VHD_NAME_SIZE];

  if (locator->code == VHD_LOCATOR_NONE)
    return 0;
  if (vhd_read_locator (walk->layer, locator, text, &problem,
                        walk->error) == -1)
    return -1;
  vhd_locator_name (number, locator, name);
  if (problem.errnum != 0)
    report_finding (walk->report, VDISK_WARNING, "%s: %s", name,
                    error_raw (&problem));
  if (vhd_locator_has_place (walk->layer, locator))
    add_area (walk, name, locator->offset,
              locator->length)->is_locator = true;
  return 0;
}

static int
check_parent (struct vhd_walk *walk)
{
  const struct footer *footer = &walk->vhd->footer;
  const uint8_t *uuid = walk->header.parent_uuid;
  char text[UUID_TEXT_SIZE];
  size_t i;

  if (footer->type != VHD_DIFFERENCING)
    return 0;
  if (memcmp (uuid, footer->uuid, sizeof footer->uuid) == 0)
    report_finding (walk->report, VDISK_ERROR, "header: parent UUID %s is that "
                    "of the disk itself", uuid_text (uuid, text));
  else if (uuid_is_null (uuid) && !vhd_creator_is_xen (footer))
    report_finding (walk->report, VDISK_WARNING, "header: parent UUID %s, "
                    "which means a raw parent to Xen's tools only",
                    uuid_text (uuid, text));
  for (i = 0; i < VHD_LOCATORS; ++i)
    if (check_locator (walk, i) == -1)
      return -1;
  return 0;
}

static int
compare_areas (const void *one, const void *other)
{
  const struct vhd_area *a = one, *b = other;

  return (a->offset > b->offset) - (a->offset < b->offset);
}

/* Locators may say the same in the same place. */
static void
check_areas (struct vhd_walk *walk)
{
  size_t i, j;

  qsort (walk->areas, walk->area_count, sizeof walk->areas[0],
         compare_areas);
  for (i = 0; i < walk->area_count; ++i)
    for (j = i + 1; j < walk->area_count; ++j) {
      const struct vhd_area *a = &walk->areas[i], *b = &walk->areas[j];

      if (b->offset < a->end && b->end > a->offset &&
          !(a->is_locator && b->is_locator))
        report_finding (walk->report, VDISK_ERROR, "%s at offset %" PRIu64
                        " overlaps %s at offset %" PRIu64, b->name, b->offset,
                        a->name, a->offset);
    }
}

int
vhd_check_header (struct vhd_walk *walk)
{
  const struct footer *footer = &walk->vhd->footer;
  struct dynamic_header *header = &walk->header;

  if (vhd_read_header (walk->layer, footer, header, walk->error) == -1)
    return -1;
  walk->block_size = walk->vhd->bitmap_size + header->block_size;
  check_bat_size (walk);
  add_area (walk, "footer copy", 0, sizeof (struct vhd_footer));
  add_area (walk, "header", footer->header_offset,
            sizeof (struct vhd_dynamic_header));
  if (walk->entries_max > 0)
    add_area (walk, "BAT", header->table_offset,
              walk->entries_max * sizeof (be32));
  if (check_batmap (walk) == -1 ||
      check_parent (walk) == -1)
    return -1;
  if (walk->footers.end_problem.errnum == 0)
    add_area (walk, "footer", footer->offset,
              sizeof (struct vhd_footer))->is_end_footer = true;
  check_areas (walk);
  return 0;
}
