/* SPDX-License-Identifier: BSD-3-Clause */
/* QCOW2 as a stream: all tables before the data, in the order of QEMU's
 * qcow2-to-stdout, which readers of streams depend on:
 *
 *   header | refcount table | refcount blocks | L1 | L2 tables | data
 *
 * So that nothing has to be kept, the map is walked once to count the
 * clusters, once for the L1 table, once for the L2 tables, and once for
 * the data.
 */

#include "export/qcow2.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "format/qcow2/disk.h"
#include "util/align.h"
#include "util/cleanup.h"
#include "util/minmax.h"

#define PIECE_LENGTH (1 << 20)

/* Data clusters are found at their guest offsets in an external file. */
static bool
has_own_data (const struct export *export)
{
  return export->options->data_file == NULL;
}

static bool
needs_file (const struct export_options *options)
{
  return options->compression != COMPRESSION_NONE || options->detect_zeroes;
}

/* The clusters to be written. */
static int
find_units (struct export *export, struct units *units,
            struct vdisk_error *error)
{
  if (export_units (export, export->options->cluster_size, units,
                    error) == -1)
    return -1;
  /* QEMU wants all of a raw data file to be allocated. */
  units->all = export->options->data_file_raw;
  return 0;
}

/* --- Counting ----------------------------------------------------------- */

struct counting {
  struct qcow2_layout *layout;
  uint64_t data, tables;
  uint64_t next_table;          /* those below are counted */
};

static int
count_run (void *opaque, const struct unit_run *run,
           struct vdisk_error *error)
{
  struct counting *counting = opaque;
  const uint64_t entries = qcow2_entries (counting->layout);
  const uint64_t first = max_u64 (run->first / entries,
                                  counting->next_table);
  const uint64_t end = (run->first + run->count - 1) / entries + 1;

  (void) error;
  if (!run->zero)
    counting->data += run->count;
  if (end > first)
    counting->tables += end - first;
  counting->next_table = end;
  return 0;
}

static int
count_clusters (struct export *export, struct qcow2_layout *layout,
                struct vdisk_error *error)
{
  struct counting counting = { .layout = layout };
  struct units units;

  if (find_units (export, &units, error) == -1 ||
      units_walk (&units, count_run, &counting, error) == -1)
    return -1;
  layout->l2_clusters = counting.tables;
  if (has_own_data (export))
    layout->data_clusters = counting.data;
  return 0;
}

static int
plan_layout (struct export *export, struct qcow2_layout *layout,
             struct vdisk_error *error)
{
  const struct qcow2_settings settings = qcow2_settings_of (export->options);

  if (qcow2_layout_init (layout, export->disks[0], &settings, error) == -1 ||
      count_clusters (export, layout, error) == -1)
    return -1;
  return qcow2_layout_refcounts (layout, export->disks[0],
                                 1 + layout->l1_clusters +
                                 layout->l2_clusters +
                                 layout->data_clusters, error);
}

/* Find out before anything is written whether all fits in the header. */
static int
check_header (const struct export *export,
              const struct qcow2_layout *layout, struct vdisk_error *error)
{
  const struct qcow2_settings settings = qcow2_settings_of (export->options);
  CLEANUP_FREE uint8_t *cluster = malloc (layout->cluster_size);

  if (cluster == NULL)
    return error_no_memory (error, "export");
  return qcow2_make_header (export->disks[0], &settings, layout, 0, 0,
                            cluster, error);
}

static int
qcow2_plan (struct export *export, struct vdisk_error *error)
{
  struct qcow2_layout *layout = calloc (1, sizeof *layout);
  struct unit_count count;
  struct units units;

  export->state = layout;
  if (layout == NULL)
    return error_no_memory (error, "export");
  if (plan_layout (export, layout, error) == -1)
    return -1;
  if (check_header (export, layout, error) == -1)
    return -1;
  export->size = qcow2_all_clusters (layout) * layout->cluster_size;
  if (!has_own_data (export))
    return 0;
  if (find_units (export, &units, error) == -1 ||
      export_count_units (&units, &count, error) == -1)
    return -1;
  export->total = count.bytes;
  return 0;
}

/* --- Header and refcounts ----------------------------------------------- */

static int
write_header (struct export *export, const struct qcow2_layout *layout,
              struct vdisk_error *error)
{
  const struct qcow2_settings settings = qcow2_settings_of (export->options);
  const uint64_t size = layout->cluster_size;
  uint8_t *cluster = malloc (size);
  int r;

  if (cluster == NULL)
    return error_no_memory (error, "export");
  r = qcow2_make_header (export->disks[0], &settings, layout, size,
                         layout->l1_clusters > 0 ? qcow2_l1_offset (layout)
                         : 0, cluster, error);
  if (r == 0)
    r = sink_put (export->sink, cluster, size, error);
  free (cluster);
  return r;
}

/* Tables are made in memory in parts of so many bytes. */
#define PART_SIZE (64 << 10)

/* A table of 8-byte entries on its way to the sink.  Entries are added in
 * ascending order; those between are 0. */
struct table {
  struct sink *sink;
  uint64_t position;            /* of the part, in entries */
  be64 part[PART_SIZE / sizeof (be64)];
};

#define PART_ENTRIES (PART_SIZE / sizeof (be64))

static int
flush_part (struct table *table, uint64_t entries, struct vdisk_error *error)
{
  if (sink_put (table->sink, table->part, entries * sizeof (be64),
                error) == -1)
    return -1;
  table->position += entries;
  memset (table->part, 0, sizeof table->part);
  return 0;
}

static int
table_put (struct table *table, uint64_t i, uint64_t entry,
           struct vdisk_error *error)
{
  while (i - table->position >= PART_ENTRIES)
    if (flush_part (table, PART_ENTRIES, error) == -1)
      return -1;
  table->part[i - table->position] = to_be64 (entry);
  return 0;
}

/* Put what is left of a table that has so many entries. */
static int
table_finish (struct table *table, uint64_t entries,
              struct vdisk_error *error)
{
  while (table->position < entries)
    if (flush_part (table, min_u64 (entries - table->position,
                                    PART_ENTRIES), error) == -1)
      return -1;
  return 0;
}

static struct table *
table_new (struct sink *sink, struct vdisk_error *error)
{
  struct table *table = calloc (1, sizeof *table);

  if (table)
    table->sink = sink;
  else
    error_no_memory (error, "export");
  return table;
}

static int
write_refcount_table (struct export *export,
                      const struct qcow2_layout *layout,
                      struct vdisk_error *error)
{
  struct table *table = table_new (export->sink, error);
  uint64_t i;
  int r = table ? 0 : -1;

  for (i = 0; i < layout->block_clusters && r == 0; ++i)
    r = table_put (table, i, (1 + layout->table_clusters + i) *
                   layout->cluster_size, error);
  if (r == 0)
    r = table_finish (table, layout->table_clusters * qcow2_entries (layout),
                      error);
  free (table);
  return r;
}

/* Every cluster of the file is used once. */
static int
write_refcount_blocks (struct export *export,
                       const struct qcow2_layout *layout,
                       struct vdisk_error *error)
{
  const uint64_t entries = qcow2_block_entries (layout);
  uint64_t left = qcow2_all_clusters (layout), i, k;
  uint8_t *block = calloc (1, layout->cluster_size);
  int r = block ? 0 : error_no_memory (error, "export");

  for (k = 0; block && k < entries; ++k)
    qcow2_set_refcount (block, layout->refcount_bits, k, 1);
  for (i = 0; i < layout->block_clusters && r == 0; ++i) {
    if (left < entries) {
      memset (block, 0, layout->cluster_size);
      for (k = 0; k < left; ++k)
        qcow2_set_refcount (block, layout->refcount_bits, k, 1);
    }
    left -= min_u64 (left, entries);
    r = sink_put (export->sink, block, layout->cluster_size, error);
  }
  free (block);
  return r;
}

/* --- L1 and L2 tables --------------------------------------------------- */

struct tables {
  const struct export *export;
  const struct qcow2_layout *layout;
  struct table *table;
  uint64_t next_table;          /* number of the next L2 table, of all */
  uint64_t used_tables;         /* L2 tables so far that are not empty */
  uint64_t offset;              /* of the next L2 table, or data cluster */
};

static int
add_l1_entries (void *opaque, const struct unit_run *run,
                struct vdisk_error *error)
{
  struct tables *tables = opaque;
  const uint64_t entries = qcow2_entries (tables->layout);
  const uint64_t last = (run->first + run->count - 1) / entries;
  uint64_t i = max_u64 (run->first / entries, tables->next_table);

  for (; i <= last; ++i) {
    if (table_put (tables->table, i, tables->offset | QCOW2_COPIED,
                   error) == -1)
      return -1;
    tables->offset += tables->layout->cluster_size;
  }
  tables->next_table = last + 1;
  return 0;
}

/* The entry of the next data cluster. */
static uint64_t
data_entry (struct tables *tables, uint64_t cluster)
{
  const uint64_t size = tables->layout->cluster_size;

  if (!has_own_data (tables->export))
    return cluster * size | QCOW2_COPIED;
  tables->offset += size;
  return (tables->offset - size) | QCOW2_COPIED;
}

static int
add_l2_entries (void *opaque, const struct unit_run *run,
                struct vdisk_error *error)
{
  struct tables *tables = opaque;
  const uint64_t entries = qcow2_entries (tables->layout);
  uint64_t i;

  for (i = run->first; i < run->first + run->count; ++i) {
    if (i / entries >= tables->next_table) {
      tables->next_table = i / entries + 1;
      tables->used_tables++;
    }
    if (table_put (tables->table,
                   (tables->used_tables - 1) * entries + i % entries,
                   run->zero ? QCOW2_ZERO : data_entry (tables, i),
                   error) == -1)
      return -1;
  }
  return 0;
}

/* Write one of the two kinds of tables, which has so many clusters, and
 * whose entries point to clusters from 'offset' up to 'end'. */
static int
write_tables (struct export *export, const struct units *units,
              unit_visitor *add_entries, uint64_t clusters, uint64_t offset,
              uint64_t end, struct vdisk_error *error)
{
  const struct qcow2_layout *layout = export->state;
  struct tables tables = {
    .export = export, .layout = layout, .offset = offset,
    .table = table_new (export->sink, error),
  };
  const uint64_t entries = clusters * qcow2_entries (layout);
  int r = tables.table ? 0 : -1;

  if (r == 0)
    r = units_walk (units, add_entries, &tables, error);
  /* A table of more entries than there is room for was being put. */
  if (r == 0 && (tables.offset != end || tables.table->position > entries))
    r = export_map_changed (export, error);
  if (r == 0)
    r = table_finish (tables.table, entries, error);
  free (tables.table);
  return r;
}

static int
write_l1_and_l2 (struct export *export, const struct units *units,
                 struct vdisk_error *error)
{
  const struct qcow2_layout *layout = export->state;
  const uint64_t size = layout->cluster_size;
  const uint64_t l2_offset = export->sink->position +
    layout->l1_clusters * size;
  const uint64_t data_offset = l2_offset + layout->l2_clusters * size;

  if (write_tables (export, units, add_l1_entries, layout->l1_clusters,
                    l2_offset, data_offset, error) == -1)
    return -1;
  return write_tables (export, units, add_l2_entries, layout->l2_clusters,
                       data_offset, data_offset +
                       layout->data_clusters * size, error);
}

/* --- Data --------------------------------------------------------------- */

static int
read_piece (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  const struct export *export = opaque;
  const uint64_t size = export->options->cluster_size;

  if (export_read_piece (export->disks[0], piece, error) == -1)
    return -1;
  /* The last cluster of the disk may be cut short. */
  piece->size = round_up (piece->length, size);
  memset (piece->buffer + piece->length, 0, piece->size - piece->length);
  return 0;
}

static int
write_piece (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  struct export *export = opaque;

  if (piece->size > export->size - export->sink->position)
    return export_map_changed (export, error);
  if (sink_put (export->sink, piece->buffer, piece->size, error) == -1)
    return -1;
  export_advance (export, piece->length);
  return 0;
}

static int
write_data (struct export *export, const struct units *units,
            struct vdisk_error *error)
{
  const size_t length = max_u64 (PIECE_LENGTH, units->size);
  const struct pipeline_ops ops = {
    .piece_length = length, .buffer_size = length,
    .work = read_piece, .write = write_piece,
  };

  if (!has_own_data (export))
    return 0;
  if (export_units_through (export, units, &ops, export, error) == -1)
    return -1;
  return export->sink->position == export->size ? 0
    : export_map_changed (export, error);
}

static int
write_stream (struct export *export, struct vdisk_error *error)
{
  const struct qcow2_layout *layout = export->state;
  struct units units;

  if (find_units (export, &units, error) == -1 ||
      write_header (export, layout, error) == -1 ||
      write_refcount_table (export, layout, error) == -1 ||
      write_refcount_blocks (export, layout, error) == -1 ||
      write_l1_and_l2 (export, &units, error) == -1)
    return -1;
  return write_data (export, &units, error);
}

/* --- The exporter ------------------------------------------------------- */

static int
qcow2_check_destination (const struct export *export,
                         const struct sink *sink, struct vdisk_error *error)
{
  if (needs_file (export->options) && sink->is_stream)
    return error_set (error, EINVAL, "%s: with --%s the tables come after "
                      "the data, so that this needs a file and no stream",
                      sink->name, export->options->compression !=
                      COMPRESSION_NONE ? "compression" : "detect-zeroes");
  return 0;
}

static bool
qcow2_is_size_unknown (const struct export_options *options)
{
  return needs_file (options);
}

static int
qcow2_write (struct export *export, struct vdisk_error *error)
{
  const bool packed = needs_file (export->options);

  if (sink_begin (export->sink, packed ? 0 : export->size, false,
                  error) == -1)
    return -1;
  return packed ? qcow2_write_packed (export, error)
    : write_stream (export, error);
}

static void
qcow2_free (struct export *export)
{
  free (export->state);
}

const struct exporter exporter_qcow2 = {
  .name = "qcow2",
  .help = "QCOW2 version 3",
  .check_destination = qcow2_check_destination,
  .is_size_unknown = qcow2_is_size_unknown,
  .plan = qcow2_plan,
  .write = qcow2_write,
  .free = qcow2_free,
};
