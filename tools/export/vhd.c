/* SPDX-License-Identifier: BSD-3-Clause */
/* VHD: a copy of an output, but for two kinds.
 *
 * Of a fixed disk the disk's bytes are written as a raw disk is, which may
 * share them.  Where blocks of zeros are left out, the BAT is not known before
 * the blocks are read, and is written last.
 */

#include "export/export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/outputs.h"
#include "export/raw.h"
#include "util/align.h"
#include "util/bytes.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/iszero.h"
#include "util/minmax.h"

#define SECTOR_SIZE 512
#define FOOTER_SIZE 512
#define UNUSED 0xffffffff               /* of an entry of the BAT */

/* Of the header, which follows the copy of the footer. */
#define HEADER_TABLE_OFFSET 16

static bool
writes_table_last (const struct export_options *options)
{
  return options->detect_zeroes && !options->fixed;
}

/* --- Blocks without zeros, and the BAT after them ----------------------- */

struct late {
  struct export *export;
  uint64_t block_size, bitmap_size;
  uint64_t table_offset;
  uint64_t count;               /* entries of the BAT that are for blocks */
  be32 *table;                  /* the output's; in front of 'next', ours */
  uint64_t next;                /* the entry of the next block */
};

/* Mark the sectors that are not all zeros, and no others. */
static void
mark_contents (const struct late *late, uint8_t *block)
{
  const uint8_t *data = block + late->bitmap_size;
  uint64_t i;

  memset (block, 0, late->bitmap_size);
  for (i = 0; i < late->block_size / SECTOR_SIZE; ++i)
    if (!is_zero (data + i * SECTOR_SIZE, SECTOR_SIZE))
      block[i / 8] |= 0x80 >> i % 8;
}

static int
read_block (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  const struct late *late = opaque;

  if (vdisk_output_pread (late->export->outputs[0], piece->buffer,
                          piece->length, piece->ranges[0].offset,
                          error) == -1)
    return -1;
  /* What differs from a base is marked already. */
  if (late->export->base == NULL)
    mark_contents (late, piece->buffer);
  return 0;
}

static int
put_block (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  struct late *late = opaque;
  struct export *export = late->export;
  uint64_t sector = export->sink->position / SECTOR_SIZE;
  int r = 0;

  while (get_be32 (late->table[late->next]) == UNUSED)
    late->next++;
  export_advance (export, min_u64 (late->block_size,
                                   vdisk_size (export->disks[0]) -
                                   late->next * late->block_size));
  if (is_zero (piece->buffer, late->bitmap_size))
    sector = UNUSED;
  else
    r = sink_put (export->sink, piece->buffer, piece->size, error);
  late->table[late->next++] = to_be32 (sector);
  return r;
}

static int
put_blocks (struct late *late, struct vdisk_error *error)
{
  const size_t stride = late->bitmap_size + late->block_size;
  const struct pipeline_ops ops = {
    .piece_length = stride, .one_range = true, .buffer_size = stride,
    .work = read_block, .write = put_block,
  };
  struct pipeline *pipeline = pipeline_new (&ops, late, late->export->options
                                            ->threads, error);
  int r = pipeline ? 0 : -1;
  uint64_t i;

  for (i = 0; i < late->count && r == 0; ++i) {
    const uint64_t sector = get_be32 (late->table[i]);

    if (sector != UNUSED)
      r = pipeline_put (pipeline, sector * SECTOR_SIZE, stride, error);
  }
  if (r == 0)
    r = pipeline_finish (pipeline, error);
  pipeline_free (pipeline);
  return r;
}

/* Copy so many bytes of the output to where the sink is. */
static int
put_bytes (struct late *late, uint64_t offset, size_t count,
           struct vdisk_error *error)
{
  CLEANUP_FREE uint8_t *bytes = malloc (count);

  if (bytes == NULL)
    return error_no_memory (error, "export");
  if (vdisk_output_pread (late->export->outputs[0], bytes, count, offset,
                          error) == -1)
    return -1;
  return sink_put (late->export->sink, bytes, count, error);
}

static int
put_all (struct late *late, uint64_t table_size, struct vdisk_error *error)
{
  struct sink *sink = late->export->sink;

  if (vdisk_output_pread (late->export->outputs[0], late->table, table_size,
                          late->table_offset, error) == -1 ||
      put_bytes (late, 0, late->table_offset, error) == -1)
    return -1;
  sink->position += table_size;
  if (put_blocks (late, error) == -1 ||
      put_bytes (late, late->export->size - FOOTER_SIZE, FOOTER_SIZE,
                 error) == -1)
    return -1;
  return sink_write (sink, late->table, table_size, late->table_offset,
                     error);
}

static int
write_table_last (struct export *export, struct vdisk_error *error)
{
  const uint64_t block_size = export->options->block_size;
  struct late late = {
    .export = export, .block_size = block_size,
    .bitmap_size = round_up (block_size / SECTOR_SIZE / 8, SECTOR_SIZE),
    .count = divide_up (vdisk_size (export->disks[0]), block_size),
  };
  const uint64_t table_size = round_up (late.count * sizeof (be32),
                                        SECTOR_SIZE);
  be64 table_offset;
  int r = -1;

  if (vdisk_output_pread (export->outputs[0], &table_offset,
                          sizeof table_offset,
                          FOOTER_SIZE + HEADER_TABLE_OFFSET, error) == -1 ||
      sink_begin (export->sink, 0, false, error) == -1)
    return -1;
  late.table_offset = get_be64 (table_offset);
  late.table = malloc (table_size);
  if (late.table)
    r = put_all (&late, table_size, error);
  else
    error_no_memory (error, "export");
  free (late.table);
  return r;
}

/* --- The exporter ------------------------------------------------------- */

static int
write_fixed (struct export *export, struct vdisk_error *error)
{
  if (sink_begin (export->sink, export->size, false, error) == -1 ||
      raw_write_disk (export, error) == -1)
    return -1;
  return outputs_copy (export, vdisk_size (export->disks[0]), error);
}

static bool
vhd_units (const struct export *export, size_t i, struct units *units)
{
  const struct export_options *options = export->options;

  /* There are no other zeros in a VHD. */
  *units = (struct units) {
    .disk = export->disks[i], .size = options->fixed ? 1
                                      : options->block_size,
    .difference = export->difference, .zeros_are_data = true,
  };
  return true;
}

static int
vhd_check_destination (const struct export *export, const struct sink *sink,
                       struct vdisk_error *error)
{
  if (writes_table_last (export->options) && sink->is_stream)
    return error_set (error, EINVAL, "%s: with --detect-zeroes the table "
                      "comes after the data, so that this needs a file and "
                      "no stream", sink->name);
  return 0;
}

static int
vhd_write (struct export *export, struct vdisk_error *error)
{
  if (writes_table_last (export->options))
    return write_table_last (export, error);
  return export->options->fixed ? write_fixed (export, error)
    : outputs_write (export, error);
}

const struct exporter exporter_vhd = {
  .name = "vhd",
  .help = "VHD: dynamic, fixed or differencing",
  .units = vhd_units,
  .check_destination = vhd_check_destination,
  .is_size_unknown = writes_table_last,
  .plan = outputs_plan,
  .write = vhd_write,
};
