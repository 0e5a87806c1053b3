/* SPDX-License-Identifier: BSD-3-Clause */
/* XVA, XenServer's archive of a virtual machine: a copy of an output, but
 * where blocks of zeros are left out.  Of several disks the archives come one
 * after the other, without the ends of those before the last.
 */

#include "export/export.h"

#include <stdlib.h>

#include "export/outputs.h"
#include "util/align.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/iszero.h"
#include "util/minmax.h"

#define BLOCK_LENGTH (1 << 20)
#define TAR_BLOCK 512
#define TAR_END (2 * TAR_BLOCK)
#define TAR_SIZE_OFFSET 124             /* of a member's size: octal digits */
#define TAR_SIZE_DIGITS 11

/* A block between its header and its checksum's header and bytes. */
#define STRIDE (TAR_BLOCK + BLOCK_LENGTH + 2 * TAR_BLOCK)

/* --- Archives without blocks of zeros ----------------------------------- */

/* The blocks of a disk on their way. */
struct blocks {
  struct export *export;
  struct vdisk_output *output;
  uint64_t start, end;          /* of the output */
};

static int
read_block (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  const struct blocks *blocks = opaque;
  const uint64_t offset = piece->ranges[0].offset;

  if (vdisk_output_pread (blocks->output, piece->buffer, piece->length,
                          offset, error) == -1)
    return -1;
  /* The first block and the last are always there. */
  if (offset > blocks->start && offset + piece->length < blocks->end &&
      is_zero (piece->buffer + TAR_BLOCK, BLOCK_LENGTH))
    piece->size = 0;
  return 0;
}

static int
put_block (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  const struct blocks *blocks = opaque;
  struct export *export = blocks->export;

  if (sink_put (export->sink, piece->buffer, piece->size, error) == -1)
    return -1;
  export_advance (export, min_u64 (BLOCK_LENGTH,
                                   export->total - export->done));
  return 0;
}

static int
put_blocks (struct blocks *blocks, struct vdisk_error *error)
{
  static const struct pipeline_ops ops = {
    .piece_length = STRIDE, .one_range = true, .buffer_size = STRIDE,
    .work = read_block, .write = put_block,
  };
  struct pipeline *pipeline = pipeline_new (&ops, blocks, blocks->export
                                            ->options->threads, error);
  int r = -1;

  if (pipeline &&
      pipeline_put (pipeline, blocks->start, blocks->end - blocks->start,
                    error) == 0)
    r = pipeline_finish (pipeline, error);
  pipeline_free (pipeline);
  return r;
}

/* Put the first member, which is not of a disk. */
static int
put_ova_xml (struct blocks *blocks, struct vdisk_error *error)
{
  char digits[TAR_SIZE_DIGITS + 1] = "";
  CLEANUP_FREE uint8_t *bytes = NULL;

  if (vdisk_output_pread (blocks->output, digits, TAR_SIZE_DIGITS,
                          TAR_SIZE_OFFSET, error) == -1)
    return -1;
  blocks->start = TAR_BLOCK + round_up (strtoull (digits, NULL, 8),
                                        TAR_BLOCK);
  bytes = malloc (blocks->start);
  if (bytes == NULL)
    return error_no_memory (error, "export");
  if (vdisk_output_pread (blocks->output, bytes, blocks->start, 0,
                          error) == -1)
    return -1;
  return sink_put (blocks->export->sink, bytes, blocks->start, error);
}

static int
write_without_zeros (struct export *export, struct vdisk_error *error)
{
  static const uint8_t end[TAR_END];
  size_t i;

  if (sink_begin (export->sink, 0, false, error) == -1)
    return -1;
  for (i = 0; i < export->disk_count; ++i) {
    struct vdisk_output *output = export->outputs[i];
    struct blocks blocks = {
      .export = export, .output = output,
      .end = vdisk_output_size (output) - TAR_END,
    };

    if ((i == 0 && export->options->ova_xml &&
         put_ova_xml (&blocks, error) == -1) ||
        put_blocks (&blocks, error) == -1)
      return -1;
  }
  return sink_put (export->sink, end, sizeof end, error);
}

/* --- The exporter ------------------------------------------------------- */

static bool
xva_units (const struct export *export, size_t i, struct units *units)
{
  *units = (struct units) {
    .disk = export->disks[i], .size = BLOCK_LENGTH, .ends = true,
  };
  return true;
}

static bool
xva_is_size_unknown (const struct export_options *options)
{
  return options->detect_zeroes;
}

static int
xva_write (struct export *export, struct vdisk_error *error)
{
  return export->options->detect_zeroes
    ? write_without_zeros (export, error) : outputs_write (export, error);
}

const struct exporter exporter_xva = {
  .name = "xva",
  .help = "XenServer's archive: a tar file of blocks and checksums",
  .units = xva_units,
  .is_size_unknown = xva_is_size_unknown,
  .plan = outputs_plan,
  .write = xva_write,
};
