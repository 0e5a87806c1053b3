/* SPDX-License-Identifier: BSD-3-Clause */
/* QCOW2 into a file, where only reading a cluster tells how much of it is
 * written: compressed clusters, and all zeros, which are left out.
 *
 *   header | refcount table | L1 | clusters, L2 tables, refcount blocks
 *
 * An L2 table follows the last cluster it refers to; what comes before all
 * of them is written last.
 */

#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "export/compressor.h"
#include "export/qcow2-space.h"
#include "export/qcow2.h"
#include "format/qcow2/disk.h"
#include "util/align.h"
#include "util/iszero.h"
#include "util/minmax.h"

/* Little enough for the threads to have their share of a small disk. */
#define PIECE_LENGTH (512 << 10)

struct packed {
  struct export *export;
  const struct qcow2_layout *layout;
  struct qcow2_space *space;
  struct compressors *compressors;      /* NULL: none */
  be64 *l1;
  be64 *l2;                     /* table number 'table' */
  uint64_t table;
  bool has_entries;             /* it does not stay empty */
};

/* What a thread leaves of a piece. */
struct outcome {
  /* Bytes of each cluster: 0 for one of zeros, a whole cluster for one
   * that does not compress. */
  uint32_t *sizes;
  uint8_t *bytes;               /* compressed: a cluster's room for each */
};

static size_t
clusters_in_piece (uint64_t cluster_size)
{
  return max_u64 (PIECE_LENGTH, cluster_size) / cluster_size;
}

static struct outcome
outcome_of (const struct packed *packed, const struct piece *piece)
{
  struct outcome outcome = { .sizes = piece->extra };

  outcome.bytes = (uint8_t *) (outcome.sizes +
                               clusters_in_piece (packed->layout
                                                  ->cluster_size));
  return outcome;
}

/* Find out how a cluster is to be written. */
static int
pack_cluster (const struct packed *packed, const uint8_t *from, uint8_t *to,
              uint32_t *size, struct vdisk_error *error)
{
  const uint64_t cluster_size = packed->layout->cluster_size;
  size_t r;

  *size = cluster_size;
  if (is_zero (from, cluster_size))
    *size = 0;
  else if (packed->compressors) {
    r = compress_cluster (packed->compressors, from, cluster_size, to,
                          cluster_size - 1);
    if (r == (size_t) -1)
      return error_no_memory (error, "export");
    if (r > 0)
      *size = r;
  }
  return 0;
}

static int
pack_piece (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  const struct packed *packed = opaque;
  const uint64_t size = packed->layout->cluster_size;
  const struct outcome outcome = outcome_of (packed, piece);
  size_t i;

  if (export_read_piece (packed->export->disks[0], piece, error) == -1)
    return -1;
  piece->size = round_up (piece->length, size);
  memset (piece->buffer + piece->length, 0, piece->size - piece->length);
  for (i = 0; i < piece->size / size; ++i)
    if (pack_cluster (packed, piece->buffer + i * size,
                      outcome.bytes + i * size, &outcome.sizes[i],
                      error) == -1)
      return -1;
  return 0;
}

/* Append the L2 table, and begin another. */
static int
change_table (struct packed *packed, uint64_t table,
              struct vdisk_error *error)
{
  uint64_t offset;

  if (packed->has_entries) {
    if (qcow2_space_put (packed->space, packed->l2, &offset, error) == -1)
      return -1;
    packed->l1[packed->table] = to_be64 (offset | QCOW2_COPIED);
    memset (packed->l2, 0, packed->layout->cluster_size);
    packed->has_entries = false;
  }
  packed->table = table;
  return 0;
}

/* The descriptor of a compressed cluster. */
static uint64_t
packed_entry (const struct packed *packed, uint64_t offset, uint32_t size)
{
  const uint64_t sectors = (offset + size - 1) / QCOW2_SECTOR_SIZE -
    offset / QCOW2_SECTOR_SIZE;

  return QCOW2_COMPRESSED | offset |
    sectors << QCOW2_COMPRESSED_OFFSET_BITS (packed->layout->cluster_bits);
}

/* Append a cluster: its entry, or 0 if it needs none. */
static int
put_cluster (struct packed *packed, const uint8_t *plain,
             const uint8_t *bytes, uint32_t size, uint64_t *entry,
             struct vdisk_error *error)
{
  uint64_t offset;

  if (size == 0) {
    *entry = packed->export->base ? QCOW2_ZERO : 0;
    return 0;
  }
  if (size == packed->layout->cluster_size) {
    if (qcow2_space_put (packed->space, plain, &offset, error) == -1)
      return -1;
    *entry = offset | QCOW2_COPIED;
    return 0;
  }
  if (qcow2_space_put_packed (packed->space, bytes, size, &offset,
                              error) == -1)
    return -1;
  *entry = packed_entry (packed, offset, size);
  return 0;
}

static int
add_cluster (struct packed *packed, uint64_t cluster, const uint8_t *plain,
             const uint8_t *bytes, uint32_t size, struct vdisk_error *error)
{
  const uint64_t entries = qcow2_entries (packed->layout);
  uint64_t entry;

  if (cluster / entries != packed->table &&
      change_table (packed, cluster / entries, error) == -1)
    return -1;
  if (put_cluster (packed, plain, bytes, size, &entry, error) == -1)
    return -1;
  if (entry != 0) {
    packed->l2[cluster % entries] = to_be64 (entry);
    packed->has_entries = true;
  }
  return 0;
}

static int
write_piece (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  struct packed *packed = opaque;
  const uint64_t size = packed->layout->cluster_size;
  const struct outcome outcome = outcome_of (packed, piece);
  size_t i = 0, range;

  for (range = 0; range < piece->range_count; ++range) {
    uint64_t cluster = piece->ranges[range].offset / size;
    uint64_t n = divide_up (piece->ranges[range].length, size);

    for (; n > 0; --n, ++cluster, ++i)
      if (add_cluster (packed, cluster, piece->buffer + i * size,
                       outcome.bytes + i * size, outcome.sizes[i],
                       error) == -1)
        return -1;
  }
  export_advance (packed->export, piece->length);
  return 0;
}

static int
write_clusters (struct packed *packed, struct vdisk_error *error)
{
  struct export *export = packed->export;
  const uint64_t size = packed->layout->cluster_size;
  const size_t n = clusters_in_piece (size);
  const struct pipeline_ops ops = {
    .piece_length = n * size, .buffer_size = n * size,
    .extra_size = n * (sizeof (uint32_t) + size),
    .work = pack_piece, .write = write_piece,
  };
  struct units units;

  if (export_units (export, size, &units, error) == -1)
    return -1;
  /* They read as zeros, and so are found out. */
  units.zeros_are_data = true;
  if (export_units_through (export, &units, &ops, packed, error) == -1)
    return -1;
  return change_table (packed, 0, error);
}

/* Write what comes first in the file. */
static int
write_start (struct packed *packed, struct vdisk_error *error)
{
  const struct qcow2_layout *layout = packed->layout;
  const uint64_t size = layout->cluster_size;
  const uint64_t table_offset = size;
  const uint64_t l1_offset = (1 + layout->table_clusters) * size;
  const struct qcow2_settings settings =
    qcow2_settings_of (packed->export->options);
  struct sink *sink = packed->export->sink;

  if (qcow2_space_finish (packed->space, table_offset, &sink->position,
                          error) == -1 ||
      sink_write (sink, packed->l1, layout->l1_clusters * size, l1_offset,
                  error) == -1 ||
      qcow2_make_header (packed->export->disks[0], &settings, layout,
                         table_offset, layout->l1_clusters > 0 ? l1_offset
                         : 0, (uint8_t *) packed->l2, error) == -1)
    return -1;
  return sink_write (sink, packed->l2, size, 0, error);
}

static int
prepare (struct packed *packed, struct vdisk_error *error)
{
  const struct qcow2_layout *layout = packed->layout;
  const struct export_options *options = packed->export->options;

  packed->space = qcow2_space_new (packed->export->sink, layout,
                                   1 + layout->table_clusters +
                                   layout->l1_clusters, error);
  if (packed->space == NULL)
    return -1;
  packed->l1 = calloc (layout->l1_clusters + 1, layout->cluster_size);
  packed->l2 = calloc (1, layout->cluster_size);
  if (packed->l1 == NULL || packed->l2 == NULL)
    return error_no_memory (error, "export");
  if (options->compression == COMPRESSION_NONE)
    return 0;
  packed->compressors =
    compressors_new (options->compression == COMPRESSION_ZSTD,
                     options->compression_level);
  return packed->compressors ? 0 : error_no_memory (error, "export");
}

int
qcow2_write_packed (struct export *export, struct vdisk_error *error)
{
  struct packed packed = { .export = export, .layout = export->state };
  int r = -1;

  if (prepare (&packed, error) == 0 &&
      write_clusters (&packed, error) == 0)
    r = write_start (&packed, error);
  qcow2_space_free (packed.space);
  compressors_free (packed.compressors);
  free (packed.l1);
  free (packed.l2);
  return r;
}
