/* SPDX-License-Identifier: BSD-3-Clause */
/* QCOW2: a copy of an output, but where only reading a cluster tells how much
 * of it is written: compressed clusters, and all zeros, which are left out.
 * Then a file is written in order:
 *
 *   header | refcount table | L1 | clusters, L2 tables, refcount blocks
 *
 * An L2 table follows the last cluster it refers to; what comes before all
 * of them is written last.
 */

#include "export/qcow2-layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/compressor.h"
#include "export/export.h"
#include "export/outputs.h"
#include "export/qcow2-space.h"
#include "util/align.h"
#include "util/error.h"
#include "util/iszero.h"
#include "util/minmax.h"

/* Little enough for the threads to have their share of a small disk. */
#define PIECE_LENGTH (512 << 10)

struct packed {
  struct export *export;
  struct qcow2_image image;
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
                               clusters_in_piece (packed->image
                                                  .cluster_size));
  return outcome;
}

/* Find out how a cluster is to be written. */
static int
pack_cluster (const struct packed *packed, const uint8_t *from, uint8_t *to,
              uint32_t *size, struct vdisk_error *error)
{
  const uint64_t cluster_size = packed->image.cluster_size;
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
  const uint64_t size = packed->image.cluster_size;
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
    memset (packed->l2, 0, packed->image.cluster_size);
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

  /* The number of sectors after the first takes as many bits as a cluster's
   * has. */
  return QCOW2_COMPRESSED | offset |
    sectors << (62 - (log2_of (packed->image.cluster_size) - 8));
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
  if (size == packed->image.cluster_size) {
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
  const uint64_t entries = qcow2_entries (&packed->image);
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
  const uint64_t size = packed->image.cluster_size;
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
  const uint64_t size = packed->image.cluster_size;
  const size_t n = clusters_in_piece (size);
  const struct pipeline_ops ops = {
    .piece_length = n * size, .buffer_size = n * size,
    .extra_size = n * (sizeof (uint32_t) + size),
    .work = pack_piece, .write = write_piece,
  };
  struct units units;

  export->exporter->units (export, 0, &units);
  if (export_units_through (export, &units, &ops, packed, error) == -1)
    return -1;
  return change_table (packed, 0, error);
}

/* Write what comes first in the file. */
static int
write_start (struct packed *packed, struct vdisk_error *error)
{
  const struct qcow2_image *image = &packed->image;
  const uint64_t size = image->cluster_size;
  const uint64_t l1_offset = (1 + image->table_clusters) * size;
  const be64 l1_field = to_be64 (l1_offset);
  struct sink *sink = packed->export->sink;

  if (image->l1_clusters > 0)
    memcpy (image->header + QCOW2_L1_OFFSET, &l1_field, sizeof l1_field);
  if (packed->export->options->compression == COMPRESSION_ZSTD) {
    image->header[QCOW2_INCOMPATIBLE_LAST] |=
      QCOW2_INCOMPATIBLE_COMPRESSION_TYPE;
    image->header[QCOW2_COMPRESSION_TYPE] = QCOW2_COMPRESSION_ZSTD;
  }
  if (qcow2_space_finish (packed->space, size, &sink->position,
                          error) == -1 ||
      sink_write (sink, packed->l1, image->l1_clusters * size, l1_offset,
                  error) == -1)
    return -1;
  return sink_write (sink, image->header, size, 0, error);
}

/* Take what follows from the map from the output: the file has as many
 * clusters at most. */
static int
read_header (struct packed *packed, struct vdisk_error *error)
{
  const struct export_options *options = packed->export->options;
  struct qcow2_image *image = &packed->image;
  be32 clusters, entries;

  image->cluster_size = options->cluster_size;
  image->refcount_bits = options->refcount_bits;
  image->header = malloc (image->cluster_size);
  if (image->header == NULL)
    return error_no_memory (error, "export");
  if (vdisk_output_pread (packed->export->outputs[0], image->header,
                          image->cluster_size, 0, error) == -1)
    return -1;
  memcpy (&clusters, image->header + QCOW2_REFCOUNT_TABLE_CLUSTERS,
          sizeof clusters);
  memcpy (&entries, image->header + QCOW2_L1_SIZE, sizeof entries);
  image->table_clusters = get_be32 (clusters);
  image->l1_clusters = divide_up (get_be32 (entries), qcow2_entries (image));
  return 0;
}

static int
prepare (struct packed *packed, struct vdisk_error *error)
{
  const struct qcow2_image *image = &packed->image;
  const struct export_options *options = packed->export->options;

  if (read_header (packed, error) == -1)
    return -1;
  packed->space = qcow2_space_new (packed->export->sink, image,
                                   1 + image->table_clusters +
                                   image->l1_clusters, error);
  if (packed->space == NULL)
    return -1;
  packed->l1 = calloc (image->l1_clusters + 1, image->cluster_size);
  packed->l2 = calloc (1, image->cluster_size);
  if (packed->l1 == NULL || packed->l2 == NULL)
    return error_no_memory (error, "export");
  if (options->compression == COMPRESSION_NONE)
    return 0;
  packed->compressors =
    compressors_new (options->compression == COMPRESSION_ZSTD,
                     options->compression_level);
  return packed->compressors ? 0 : error_no_memory (error, "export");
}

static int
write_packed (struct export *export, struct vdisk_error *error)
{
  struct packed packed = { .export = export };
  int r = -1;

  if (sink_begin (export->sink, 0, false, error) == 0 &&
      prepare (&packed, error) == 0 && write_clusters (&packed, error) == 0)
    r = write_start (&packed, error);
  qcow2_space_free (packed.space);
  compressors_free (packed.compressors);
  free (packed.l1);
  free (packed.l2);
  free (packed.image.header);
  return r;
}

/* --- The exporter ------------------------------------------------------- */

static bool
is_packed (const struct export_options *options)
{
  return options->compression != COMPRESSION_NONE || options->detect_zeroes;
}

static bool
qcow2_units (const struct export *export, size_t i, struct units *units)
{
  *units = (struct units) {
    .disk = export->disks[i], .size = export->options->cluster_size,
    .difference = export->difference,
    /* They read as zeros, and so are found out. */
    .zeros_are_data = is_packed (export->options),
  };
  return !export->options->data_file && !export->options->data_file_raw;
}

static int
qcow2_check_destination (const struct export *export,
                         const struct sink *sink, struct vdisk_error *error)
{
  if (is_packed (export->options) && sink->is_stream)
    return error_set (error, EINVAL, "%s: with --%s the tables come after "
                      "the data, so that this needs a file and no stream",
                      sink->name, export->options->compression !=
                      COMPRESSION_NONE ? "compression" : "detect-zeroes");
  return 0;
}

static int
qcow2_write (struct export *export, struct vdisk_error *error)
{
  return is_packed (export->options) ? write_packed (export, error)
    : outputs_write (export, error);
}

const struct exporter exporter_qcow2 = {
  .name = "qcow2",
  .help = "QCOW2 version 3",
  .units = qcow2_units,
  .check_destination = qcow2_check_destination,
  .is_size_unknown = is_packed,
  .plan = outputs_plan,
  .write = qcow2_write,
};
