/* SPDX-License-Identifier: BSD-3-Clause */
/* VHD, in the order of vhd-tool's streams:
 *
 *   footer copy | header | locators' data (one sector at least) | BAT |
 *   blocks, each with its bitmap | footer
 *
 * The BAT is written from a walk over the map, so that nothing has to be
 * kept; but where blocks of zeros are left out it is not known before the
 * blocks are read, and is written last.
 *
 * A fixed disk is the disk's bytes and the footer.
 */

#include "export/vhd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "export/raw.h"
#include "util/align.h"
#include "util/iszero.h"
#include "util/minmax.h"

struct vhd {
  struct export *export;
  struct vhd_footer footer;
  struct vhd_parent parent;     /* of differencing disks */
  struct vhd_layout layout;
  be32 *late_table;             /* if the BAT is written last: 0 where a
                                   block is unused */
};

static bool
writes_table_last (const struct export *export)
{
  return export->options->detect_zeroes && !export->options->fixed;
}

static struct vhd_settings
settings_of (const struct export_options *options)
{
  return (struct vhd_settings) {
    .block_size = options->block_size, .fixed = options->fixed,
    .uuid = options->uuid, .round = options->round,
  };
}

/* --- Planning ----------------------------------------------------------- */

static int
find_units (struct vhd *vhd, struct units *units, struct vdisk_error *error)
{
  if (export_units (vhd->export, vhd->layout.block_size, units, error) == -1)
    return -1;
  /* There are no other zeros in a VHD. */
  units->zeros_are_data = true;
  return 0;
}

static int
plan_blocks (struct vhd *vhd, struct vdisk_error *error)
{
  struct export *export = vhd->export;
  const struct vhd_settings settings = settings_of (export->options);
  struct unit_count count;
  struct units units;

  if (export->base &&
      vhd_parent_describe (&vhd->parent, export, VHD_LOCATORS_OFFSET,
                           error) == -1)
    return -1;
  vhd_layout_init (&vhd->layout, export->disks[0], &settings,
                   vhd->parent.data_size);
  if (find_units (vhd, &units, error) == -1 ||
      export_count_units (&units, &count, error) == -1)
    return -1;
  export->total = count.bytes;
  export->size = vhd_file_size (&vhd->layout, export->disks[0], count.units,
                                error);
  return export->size == 0 ? -1 : 0;
}

static uint64_t
recorded_size (const struct export *export)
{
  const struct vhd_settings settings = settings_of (export->options);

  return vhd_recorded_size (export->disks[0], &settings);
}

static int
plan_fixed (struct export *export, struct vdisk_error *error)
{
  if (raw_plan (export, error) == -1)
    return -1;
  export->size = recorded_size (export) + sizeof (struct vhd_footer);
  return 0;
}

static int
vhd_plan (struct export *export, struct vdisk_error *error)
{
  const struct vhd_settings settings = settings_of (export->options);
  struct vhd *vhd = calloc (1, sizeof *vhd);

  export->state = vhd;
  if (vhd == NULL)
    return error_no_memory (error, "export");
  vhd->export = export;
  if (vhd_check_disk_size (export->disks[0], error) == -1 ||
      vhd_make_footer (&vhd->footer, export->disks[0], &settings,
                       settings.fixed ? VHD_FIXED
                       : export->base ? VHD_DIFFERENCING : VHD_DYNAMIC,
                       error) == -1)
    return -1;
  return settings.fixed ? plan_fixed (export, error)
    : plan_blocks (vhd, error);
}

/* --- Before the blocks -------------------------------------------------- */

static int
put_footer (struct vhd *vhd, struct vdisk_error *error)
{
  return sink_put (vhd->export->sink, &vhd->footer, sizeof vhd->footer,
                   error);
}

static int
put_header (struct vhd *vhd, struct vdisk_error *error)
{
  struct export *export = vhd->export;
  struct sink *sink = export->sink;
  struct vhd_dynamic_header header;

  vhd_make_header (&header, &vhd->layout, export->base ? &vhd->parent
                   : NULL);
  if (put_footer (vhd, error) == -1 ||
      sink_put (sink, &header, sizeof header, error) == -1 ||
      sink_put (sink, vhd->parent.data, vhd->parent.data_size, error) == -1)
    return -1;
  return sink_put_zeros (sink, vhd->layout.table_offset - sink->position,
                         error);
}

#define PART_ENTRIES 16384

/* A BAT on its way to the sink. */
struct table {
  struct sink *sink;
  uint64_t position, end;       /* of the part, in entries; of the table */
  uint64_t sector, stride;      /* of the next block; from one to another */
  be32 part[PART_ENTRIES];
};

static void
clear_part (struct table *table)
{
  memset (table->part, 0xff, sizeof table->part);
}

static int
flush_part (struct table *table, uint64_t entries, struct vdisk_error *error)
{
  if (sink_put (table->sink, table->part, entries * sizeof (be32),
                error) == -1)
    return -1;
  table->position += entries;
  clear_part (table);
  return 0;
}

static int
add_entries (void *opaque, const struct unit_run *run,
             struct vdisk_error *error)
{
  struct table *table = opaque;
  uint64_t i;

  for (i = run->first; i < run->first + run->count; ++i) {
    while (i - table->position >= PART_ENTRIES)
      if (flush_part (table, PART_ENTRIES, error) == -1)
        return -1;
    table->part[i - table->position] = to_be32 (table->sector);
    table->sector += table->stride;
  }
  return 0;
}

static int
put_table (struct vhd *vhd, const struct units *units,
           struct vdisk_error *error)
{
  struct table *table = calloc (1, sizeof *table);
  int r;

  if (table == NULL)
    return error_no_memory (error, "export");
  table->sink = vhd->export->sink;
  table->end = vhd->layout.table_size / sizeof (be32);
  table->sector = vhd_blocks_offset (&vhd->layout) / VHD_SECTOR_SIZE;
  table->stride = vhd_stride (&vhd->layout) / VHD_SECTOR_SIZE;
  clear_part (table);
  r = units_walk (units, add_entries, table, error);
  while (r == 0 && table->position < table->end)
    r = flush_part (table, min_u64 (table->end - table->position,
                                    PART_ENTRIES), error);
  free (table);
  return r;
}

/* --- Blocks ------------------------------------------------------------- */

/* A thread's work on a block. */
struct block {
  const struct vhd *vhd;
  uint64_t offset;              /* of the guest */
  uint8_t *bitmap, *data;
};

/* Mark the sectors that the map says have data. */
static int
mark_extent (void *opaque, const struct vdisk_extent *extent)
{
  const struct block *block = opaque;
  const uint64_t start = extent->offset - block->offset;

  if (extent->kind == VDISK_DATA || extent->kind == VDISK_PACKED)
    vhd_set_bits (block->bitmap, start / VHD_SECTOR_SIZE,
              divide_up (start + extent->length, VHD_SECTOR_SIZE));
  return 0;
}

/* Mark the sectors that are not all zeros. */
static void
mark_contents (const struct block *block)
{
  const uint64_t sectors = block->vhd->layout.block_size / VHD_SECTOR_SIZE;
  uint64_t i;

  for (i = 0; i < sectors; ++i)
    if (!is_zero (block->data + i * VHD_SECTOR_SIZE, VHD_SECTOR_SIZE))
      vhd_set_bits (block->bitmap, i, i + 1);
}

/* Read what there is of a block, and zeros past the end of the disk. */
static int
read_block (struct vdisk *disk, const struct block *block, uint8_t *to,
            struct vdisk_error *error)
{
  const uint64_t size = vdisk_size (disk);
  const uint64_t left = block->offset < size ? size - block->offset : 0;
  const uint64_t present = min_u64 (block->vhd->layout.block_size, left);

  memset (to + present, 0, block->vhd->layout.block_size - present);
  return present == 0 ? 0
    : vdisk_pread (disk, to, present, block->offset, error);
}

/* Mark the sectors of the disk that differ from the parent's. */
static int
mark_differences (const struct block *block, uint8_t *parent,
                  struct vdisk_error *error)
{
  const uint64_t size = recorded_size (block->vhd->export);
  const uint64_t sectors = min_u64 (block->vhd->layout.block_size,
                                    size - block->offset) / VHD_SECTOR_SIZE;
  uint64_t i;

  if (read_block (block->vhd->export->base, block, parent, error) == -1)
    return -1;
  for (i = 0; i < sectors; ++i)
    if (memcmp (block->data + i * VHD_SECTOR_SIZE,
                parent + i * VHD_SECTOR_SIZE, VHD_SECTOR_SIZE) != 0)
      vhd_set_bits (block->bitmap, i, i + 1);
  return 0;
}

static int
make_block (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  const struct vhd *vhd = opaque;
  const struct range *range = &piece->ranges[0];
  struct vdisk *disk = vhd->export->disks[0];
  struct block block = {
    .vhd = vhd, .offset = range->offset, .bitmap = piece->buffer,
    .data = piece->buffer + vhd->layout.bitmap_size,
  };

  piece->size = vhd_stride (&vhd->layout);
  memset (block.bitmap, 0, vhd->layout.bitmap_size);
  if (read_block (disk, &block, block.data, error) == -1)
    return -1;
  if (vhd->export->base)
    return mark_differences (&block, block.data + vhd->layout.block_size,
                             error);
  if (vhd->export->options->detect_zeroes) {
    mark_contents (&block);
    return 0;
  }
  return vdisk_extents (disk, range->offset, range->length, mark_extent,
                        &block, error);
}

static int
put_block (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  struct vhd *vhd = opaque;
  struct export *export = vhd->export;
  struct sink *sink = export->sink;
  const uint64_t number = piece->ranges[0].offset / vhd->layout.block_size;

  export_advance (export, piece->length);
  if (vhd->late_table) {
    if (is_zero (piece->buffer, vhd->layout.bitmap_size))
      return 0;
    vhd->late_table[number] = to_be32 (sink->position / VHD_SECTOR_SIZE);
  }
  else if (piece->size > export->size - sink->position)
    return export_map_changed (export, error);
  return sink_put (sink, piece->buffer, piece->size, error);
}

static int
put_blocks (struct vhd *vhd, const struct units *units,
            struct vdisk_error *error)
{
  const struct pipeline_ops ops = {
    .piece_length = vhd->layout.block_size, .one_range = true,
    .buffer_size = vhd->layout.bitmap_size + vhd->layout.block_size *
                   (vhd->export->base ? 2 : 1),
    .work = make_block, .write = put_block,
  };

  return export_units_through (vhd->export, units, &ops, vhd, error);
}

/* --- Writing ------------------------------------------------------------ */

/* Every block is where the BAT has said. */
static int
write_in_order (struct vhd *vhd, const struct units *units,
                struct vdisk_error *error)
{
  struct export *export = vhd->export;

  if (put_header (vhd, error) == -1 ||
      put_table (vhd, units, error) == -1 ||
      put_blocks (vhd, units, error) == -1 ||
      put_footer (vhd, error) == -1)
    return -1;
  return export->sink->position == export->size ? 0
    : export_map_changed (export, error);
}

static void
finish_late_table (struct vhd *vhd)
{
  uint64_t i;

  for (i = 0; i < vhd->layout.table_size / sizeof (be32); ++i)
    if (get_be32 (vhd->late_table[i]) == 0)
      vhd->late_table[i] = to_be32 (VHD_BAT_UNUSED);
}

static int
write_table_last (struct vhd *vhd, const struct units *units,
                  struct vdisk_error *error)
{
  struct sink *sink = vhd->export->sink;

  vhd->late_table = calloc (1, vhd->layout.table_size);
  if (vhd->late_table == NULL)
    return error_no_memory (error, "export");
  if (put_header (vhd, error) == -1)
    return -1;
  sink->position += vhd->layout.table_size;
  if (put_blocks (vhd, units, error) == -1 ||
      put_footer (vhd, error) == -1)
    return -1;
  finish_late_table (vhd);
  return sink_write (sink, vhd->late_table, vhd->layout.table_size,
                     vhd->layout.table_offset, error);
}

static int
write_fixed (struct vhd *vhd, struct vdisk_error *error)
{
  struct export *export = vhd->export;

  if (raw_write_disk (export, error) == -1 ||
      sink_put_zeros (export->sink, recorded_size (export) -
                      export->sink->position, error) == -1)
    return -1;
  return put_footer (vhd, error);
}

static int
vhd_write (struct export *export, struct vdisk_error *error)
{
  struct vhd *vhd = export->state;
  const bool last = writes_table_last (export);
  struct units units;

  if (sink_begin (export->sink, last ? 0 : export->size, false, error) == -1)
    return -1;
  if (export->options->fixed)
    return write_fixed (vhd, error);
  if (find_units (vhd, &units, error) == -1)
    return -1;
  return last ? write_table_last (vhd, &units, error)
    : write_in_order (vhd, &units, error);
}

/* --- The exporter ------------------------------------------------------- */

static int
vhd_check_destination (const struct export *export, const struct sink *sink,
                       struct vdisk_error *error)
{
  if (writes_table_last (export) && sink->is_stream)
    return error_set (error, EINVAL, "%s: with --detect-zeroes the table "
                      "comes after the data, so that this needs a file and "
                      "no stream", sink->name);
  return 0;
}

static bool
vhd_is_size_unknown (const struct export_options *options)
{
  return options->detect_zeroes && !options->fixed;
}

static void
vhd_free (struct export *export)
{
  struct vhd *vhd = export->state;

  if (vhd == NULL)
    return;
  free (vhd->parent.data);
  free (vhd->late_table);
  free (vhd);
}

const struct exporter exporter_vhd = {
  .name = "vhd",
  .help = "VHD: dynamic, fixed or differencing",
  .check_destination = vhd_check_destination,
  .is_size_unknown = vhd_is_size_unknown,
  .plan = vhd_plan,
  .write = vhd_write,
  .free = vhd_free,
};
