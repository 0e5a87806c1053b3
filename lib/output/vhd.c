/* SPDX-License-Identifier: BSD-3-Clause */
/* VHD, in the order of vhd-tool's streams:
 *
 *   footer copy | header | locators' data (one sector at least) | BAT |
 *   blocks, each with its bitmap | footer
 *
 * A fixed disk is the disk's bytes and the footer.
 */

#include "output/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "output/entries.h"
#include "output/vhd-layout.h"
#include "util/align.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/minmax.h"
#include "util/uuid.h"

struct vhd_output {
  /* The strings are the caller's: for the plan only. */
  struct vhd_settings settings;
  const char *parent_path;
  struct vhd_parent parent;     /* of differencing disks */
  struct vhd_footer footer;
  struct vhd_layout layout;
  struct unit_index *blocks;
};

/* --- BAT and bitmaps ---------------------------------------------------- */

static void
set_entries (be32 *entries, uint64_t count, uint64_t sector, uint64_t stride)
{
  uint64_t i;

  for (i = 0; i < count; ++i)
    entries[i] = to_be32 (sector + i * stride);
}

static int
fill_bat (const struct vdisk_output *output, uint64_t first, void *buffer,
          size_t count, struct vdisk_error *error)
{
  const struct vhd_output *vhd = output->state;
  const uint64_t stride = vhd_stride (&vhd->layout) / VHD_SECTOR_SIZE;
  const uint64_t start = vhd_blocks_offset (&vhd->layout) / VHD_SECTOR_SIZE;
  struct unit_run run = { .first = first };
  be32 *entries = buffer;
  uint64_t rank;

  memset (entries, 0xff, count * sizeof *entries);
  if (first >= unit_index_units (vhd->blocks))
    return 0;
  if (unit_index_rank (vhd->blocks, first, &rank, error) == -1)
    return -1;
  for (;;) {
    if (unit_index_next_run (vhd->blocks, run.first + run.count,
                             first + count, &run, error) == -1)
      return -1;
    if (run.count == 0)
      return 0;
    set_entries (entries + (run.first - first), run.count,
                 start + rank * stride, stride);
    rank += run.count;
  }
}

static int
read_bat (const struct vdisk_output *output,
          const struct output_region *region, void *buffer, size_t count,
          uint64_t offset, struct vdisk_error *error)
{
  (void) region;
  return entries_read (output, fill_bat, sizeof (be32), buffer, count,
                       offset, error);
}

struct marking {
  uint8_t *bitmap;
  uint64_t offset;              /* of the block on the guest disk */
};

/* Mark the sectors that the map says have data. */
static int
mark_extent (void *opaque, const struct vdisk_extent *extent)
{
  const struct marking *marking = opaque;
  const uint64_t start = extent->offset - marking->offset;

  if (extent->kind == VDISK_DATA || extent->kind == VDISK_PACKED)
    vhd_set_bits (marking->bitmap, start / VHD_SECTOR_SIZE,
                  divide_up (start + extent->length, VHD_SECTOR_SIZE));
  return 0;
}

/* Read what there is of a block, and zeros past the end of the disk. */
static int
read_block (struct vdisk *disk, uint64_t offset, uint8_t *to, uint64_t count,
            struct vdisk_error *error)
{
  const uint64_t size = vdisk_size (disk);
  const uint64_t left = offset < size ? size - offset : 0;
  const uint64_t present = min_u64 (count, left);

  memset (to + present, 0, count - present);
  return present == 0 ? 0 : vdisk_pread (disk, to, present, offset, error);
}

/* Mark the sectors of the disk that differ from the base's.  'data' is the
 * block, or NULL if it is to be read. */
static int
mark_differences (const struct vdisk_output *output,
                  const struct marking *marking, const uint8_t *data,
                  struct vdisk_error *error)
{
  const struct vhd_output *vhd = output->state;
  const uint64_t count =
    min_u64 (vhd->layout.block_size,
             vhd_recorded_size (output->disk, &vhd->settings) -
             marking->offset);
  CLEANUP_FREE uint8_t *base = malloc (2 * count);
  uint64_t at;

  if (base == NULL)
    return error_no_memory (error, "output");
  if (read_block (output->changes.base, marking->offset, base, count,
                  error) == -1 ||
      (data == NULL && read_block (output->disk, marking->offset,
                                   base + count, count, error) == -1))
    return -1;
  if (data == NULL)
    data = base + count;
  for (at = 0; at < count; at += VHD_SECTOR_SIZE)
    if (memcmp (data + at, base + at, VHD_SECTOR_SIZE) != 0)
      vhd_set_bits (marking->bitmap, at / VHD_SECTOR_SIZE,
                    at / VHD_SECTOR_SIZE + 1);
  return 0;
}

static int
make_bitmap (const struct vdisk_output *output,
             const struct output_region *region, uint64_t unit,
             const uint8_t *data, uint8_t *bytes, struct vdisk_error *error)
{
  const struct vhd_output *vhd = output->state;
  struct marking marking = {
    .bitmap = bytes, .offset = unit * vhd->layout.block_size,
  };

  (void) region;
  memset (bytes, 0, vhd->layout.bitmap_size);
  if (output->changes.base)
    return mark_differences (output, &marking, data, error);
  return vdisk_extents (output->disk, marking.offset,
                        min_u64 (vhd->layout.block_size,
                                 vdisk_size (output->disk) - marking.offset),
                        mark_extent, &marking, error);
}

/* --- Planning ----------------------------------------------------------- */

static int
add_footer (struct vdisk_output *output, struct vdisk_error *error)
{
  const struct vhd_output *vhd = output->state;

  return output_add_bytes (output, &vhd->footer, sizeof vhd->footer, error);
}

static int
plan_fixed (struct vdisk_output *output, struct vdisk_error *error)
{
  const struct vhd_output *vhd = output->state;

  if (output_add_disk (output, error) == -1 ||
      output_add_hole (output, vhd_recorded_size (output->disk,
                                                  &vhd->settings) -
                       vdisk_size (output->disk), error) == -1)
    return -1;
  return add_footer (output, error);
}

static int
add_before_blocks (struct vdisk_output *output, struct vdisk_error *error)
{
  const struct vhd_output *vhd = output->state;
  const struct vhd_parent *parent = &vhd->parent;
  const uint8_t sector[VHD_SECTOR_SIZE] = { 0 };
  struct vhd_dynamic_header header;

  vhd_make_header (&header, &vhd->layout, output->changes.base ? parent
                   : NULL);
  if (add_footer (output, error) == -1 ||
      output_add_bytes (output, &header, sizeof header, error) == -1 ||
      (parent->data_size > 0
       ? output_add_bytes (output, parent->data, parent->data_size, error)
       : output_add_bytes (output, sector, sizeof sector, error)) == -1)
    return -1;
  return output_add_table (output, vhd->layout.table_size, read_bat, error);
}

static int
plan_dynamic (struct vdisk_output *output, struct vdisk_error *error)
{
  struct vhd_output *vhd = output->state;
  struct output_region blocks = { .frame_before = make_bitmap };

  if (output->changes.base &&
      vhd_parent_describe (&vhd->parent, output->changes.base,
                           vhd->parent_path, error) == -1)
    return -1;
  vhd_layout_init (&vhd->layout, output->disk, &vhd->settings,
                   vhd->parent.data_size);
  vhd->blocks = output->changes.base
    ? unit_index_new_changes (output->disk, &output->changes, false, error)
    : unit_index_new (output->disk, vhd->layout.block_size, UNITS_WITH_DATA,
                      error);
  if (vhd->blocks == NULL ||
      vhd_file_size (&vhd->layout, output->disk,
                     unit_index_stored (vhd->blocks), error) == 0 ||
      add_before_blocks (output, error) == -1)
    return -1;
  blocks.index = vhd->blocks;
  blocks.before = vhd->layout.bitmap_size;
  blocks.last_length = vhd->layout.block_size;
  if (output_add_units (output, &blocks, error) == -1)
    return -1;
  return add_footer (output, error);
}

/* What a differencing disk has, others have not, and the other way round. */
static int
check_settings (const struct vdisk_output *output, struct vdisk_error *error)
{
  const struct vhd_output *vhd = output->state;
  const struct vhd_settings *settings = &vhd->settings;
  const struct vdisk_changes *changes = &output->changes;

  if (settings->fixed && settings->block_size > 0)
    return error_set (error, EINVAL,
                      "fixed and block-size exclude each other");
  if ((changes->base == NULL) != (vhd->parent_path == NULL))
    return error_set (error, EINVAL, "output vhd: parent goes with changes "
                      "over a base");
  if (changes->base &&
      (settings->fixed || settings->round > VHD_SECTOR_SIZE))
    return error_set (error, EINVAL, "output vhd: fixed and round do not go "
                      "with parent");
  return 0;
}

static int
vhd_plan (struct vdisk_output *output, struct vdisk_error *error)
{
  struct vhd_output *vhd = output->state;
  struct vhd_settings *settings = &vhd->settings;

  if (check_settings (output, error) == -1)
    return -1;
  if (settings->block_size == 0)
    settings->block_size = VHD_BLOCK_SIZE_DEFAULT;
  if (settings->round == 0)
    settings->round = VHD_SECTOR_SIZE;
  if (output->changes.base &&
      output->changes.unit_size != settings->block_size)
    return error_set (error, EINVAL,
                      "output vhd: the changes are not of blocks");
  if (vhd_check_disk_size (output->disk, error) == -1 ||
      vhd_make_footer (&vhd->footer, output->disk, settings, settings->fixed
                       ? VHD_FIXED : output->changes.base ? VHD_DIFFERENCING
                       : VHD_DYNAMIC, error) == -1)
    return -1;
  return settings->fixed ? plan_fixed (output, error)
    : plan_dynamic (output, error);
}

/* --- The format --------------------------------------------------------- */

static int
set_time (struct vhd_settings *settings, const char *value,
          struct vdisk_error *error)
{
  char *end;

  errno = 0;
  settings->time = strtoll (value, &end, 10);
  if (*value < '0' || *value > '9' || *end != '\0' || errno != 0)
    return error_set (error, EINVAL, "time=%s: must be a number of seconds "
                      "since 1970", value);
  settings->has_time = true;
  return 0;
}

static int
set_uuid (struct vhd_settings *settings, const char *value,
          struct vdisk_error *error)
{
  uint8_t uuid[16];

  if (!uuid_parse (value, uuid))
    return error_set (error, EINVAL, "uuid=%s: must be a UUID", value);
  settings->uuid = value;
  return 0;
}

static int
vhd_set (struct vdisk_output *output, const char *name, const char *value,
         struct vdisk_error *error)
{
  struct vhd_output *vhd = output->state;
  struct vhd_settings *settings = &vhd->settings;

  if (strcmp (name, "block-size") == 0)
    return output_parse_power (name, value, VHD_BLOCK_SIZE_MIN,
                               VHD_BLOCK_SIZE_MAX, &settings->block_size,
                               error);
  if (strcmp (name, "round") == 0)
    return output_parse_power (name, value, VHD_SECTOR_SIZE, VHD_ROUND_MAX,
                               &settings->round, error);
  if (strcmp (name, "fixed") == 0)
    return output_parse_bool (name, value, &settings->fixed, error);
  if (strcmp (name, "uuid") == 0)
    return set_uuid (settings, value, error);
  if (strcmp (name, "time") == 0)
    return set_time (settings, value, error);
  if (strcmp (name, "parent") == 0) {
    vhd->parent_path = value;
    return 0;
  }
  return output_no_option (output, name, error);
}

static void
vhd_close (struct vdisk_output *output)
{
  struct vhd_output *vhd = output->state;

  unit_index_free (vhd->blocks);
  free (vhd->parent.data);
}

const struct output_format output_vhd = {
  .name = "vhd",
  .state_size = sizeof (struct vhd_output),
  .takes_changes = true,
  .set = vhd_set,
  .plan = vhd_plan,
  .close = vhd_close,
};
