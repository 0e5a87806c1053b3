/* SPDX-License-Identifier: BSD-3-Clause */
/* QCOW2 without compression: all tables before the data, in the order of
 * QEMU's qcow2-to-stdout, which readers of streams depend on:
 *
 *   header | refcount table | refcount blocks | L1 | L2 tables | data
 *
 * Only L2 tables that have entries are there.  Over a base, clusters that
 * have become zeros are entries alone.
 */

#include "output/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "output/entries.h"
#include "output/qcow2-index.h"
#include "output/qcow2-layout.h"
#include "util/align.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/minmax.h"

struct qcow2_output {
  /* The names in it are the caller's: for the plan only. */
  struct qcow2_settings settings;
  bool has_own_data;            /* and not in an external file, where data
                                   clusters are found at guest offsets */
  struct qcow2_layout layout;
  struct unit_index *clusters;  /* NULL: all, as QEMU wants a raw data file
                                   to be allocated */
  struct unit_index *changed;   /* those, and those of zeros; NULL: there are
                                   none of zeros */
  struct qcow2_index tables;
};

/* --- Refcounts ---------------------------------------------------------- */

static int
fill_refcount_table (const struct vdisk_output *output, uint64_t first,
                     void *entries, size_t count, struct vdisk_error *error)
{
  const struct qcow2_output *qcow2 = output->state;

  (void) error;
  qcow2_fill_refcount_table (&qcow2->layout, first, entries, count);
  return 0;
}

static int
read_refcount_table (const struct vdisk_output *output,
                     const struct output_region *region, void *buffer,
                     size_t count, uint64_t offset,
                     struct vdisk_error *error)
{
  (void) region;
  return entries_read (output, fill_refcount_table, sizeof (be64), buffer,
                       count, offset, error);
}

static int
read_refcounts (const struct vdisk_output *output,
                const struct output_region *region, void *buffer,
                size_t count, uint64_t offset, struct vdisk_error *error)
{
  const struct qcow2_output *qcow2 = output->state;

  (void) region;
  (void) error;
  qcow2_fill_refcounts (&qcow2->layout, offset, buffer, count);
  return 0;
}

/* --- L1 and L2 tables --------------------------------------------------- */

static int
fill_l1 (const struct vdisk_output *output, uint64_t first, void *buffer,
         size_t count, struct vdisk_error *error)
{
  const struct qcow2_output *qcow2 = output->state;
  const struct qcow2_layout *layout = &qcow2->layout;
  be64 *entries = buffer;
  size_t i;

  (void) error;
  memset (entries, 0, count * sizeof *entries);
  for (i = 0; i < count && first + i < layout->l1_entries; ++i)
    if (qcow2_index_has (&qcow2->tables, first + i))
      entries[i] = to_be64 ((qcow2_l2_offset (layout) +
                             qcow2_index_rank (&qcow2->tables, first + i) *
                             layout->cluster_size) | QCOW2_COPIED);
  return 0;
}

static int
read_l1 (const struct vdisk_output *output,
         const struct output_region *region, void *buffer, size_t count,
         uint64_t offset, struct vdisk_error *error)
{
  (void) region;
  return entries_read (output, fill_l1, sizeof (be64), buffer, count, offset,
                       error);
}

/* Set the entries of clusters that follow each other, also where they are
 * stored. */
static void
set_entries (be64 *entries, uint64_t count, uint64_t offset, uint64_t size)
{
  uint64_t i;

  for (i = 0; i < count; ++i)
    entries[i] = to_be64 ((offset + i * size) | QCOW2_COPIED);
}

/* Set the entries of those clusters that have changed to zeros. */
static int
set_zeros (const struct qcow2_output *qcow2, uint64_t first, be64 *entries,
           uint64_t count, struct vdisk_error *error)
{
  struct unit_run run = { .first = first };
  uint64_t i;

  if (qcow2->changed == NULL)
    return 0;
  do {
    if (unit_index_next_run (qcow2->changed, run.first + run.count,
                             first + count, &run, error) == -1)
      return -1;
    for (i = 0; i < run.count; ++i)
      entries[run.first - first + i] = to_be64 (QCOW2_ZERO);
  } while (run.count > 0);
  return 0;
}

/* Set the entries of those clusters from 'first' on that are stored. */
static int
set_stored (const struct qcow2_output *qcow2, uint64_t first, be64 *entries,
            uint64_t count, struct vdisk_error *error)
{
  const uint64_t size = qcow2->layout.cluster_size;
  struct unit_run run = { .first = first };
  uint64_t rank;

  if (set_zeros (qcow2, first, entries, count, error) == -1 ||
      unit_index_rank (qcow2->clusters, first, &rank, error) == -1)
    return -1;
  for (;;) {
    if (unit_index_next_run (qcow2->clusters, run.first + run.count,
                             first + count, &run, error) == -1)
      return -1;
    if (run.count == 0)
      return 0;
    set_entries (entries + (run.first - first), run.count,
                 qcow2->has_own_data ? qcow2_data_offset (&qcow2->layout) +
                 rank * size : run.first * size, size);
    rank += run.count;
  }
}

/* Set entries of one L2 table, all of which are 0; 'first' is the number of
 * an entry of all tables. */
static int
fill_l2_table (const struct qcow2_output *qcow2, uint64_t first,
               be64 *entries, uint64_t count, struct vdisk_error *error)
{
  const struct qcow2_layout *layout = &qcow2->layout;
  const uint64_t per_table = qcow2_entries (layout);
  const uint64_t clusters = divide_up (layout->disk_size,
                                       layout->cluster_size);
  const uint64_t cluster = first % per_table + per_table *
    qcow2_index_select (&qcow2->tables, first / per_table);

  if (cluster >= clusters)
    return 0;
  count = min_u64 (count, clusters - cluster);
  if (qcow2->clusters)
    return set_stored (qcow2, cluster, entries, count, error);
  set_entries (entries, count, cluster * layout->cluster_size,
               layout->cluster_size);
  return 0;
}

static int
fill_l2 (const struct vdisk_output *output, uint64_t first, void *buffer,
         size_t count, struct vdisk_error *error)
{
  const struct qcow2_output *qcow2 = output->state;
  const uint64_t per_table = qcow2_entries (&qcow2->layout);
  be64 *entries = buffer;
  size_t i, n;

  memset (entries, 0, count * sizeof *entries);
  for (i = 0; i < count; i += n) {
    n = min_u64 (count - i, per_table - (first + i) % per_table);
    if (fill_l2_table (qcow2, first + i, entries + i, n, error) == -1)
      return -1;
  }
  return 0;
}

static int
read_l2 (const struct vdisk_output *output,
         const struct output_region *region, void *buffer, size_t count,
         uint64_t offset, struct vdisk_error *error)
{
  (void) region;
  return entries_read (output, fill_l2, sizeof (be64), buffer, count, offset,
                       error);
}

/* --- Planning ----------------------------------------------------------- */

static int
index_clusters (struct vdisk_output *output, struct vdisk_error *error)
{
  struct qcow2_output *qcow2 = output->state;
  const struct vdisk_changes *changes = &output->changes;
  bool made;

  if (changes->base) {
    qcow2->changed = unit_index_new_changes (output->disk, changes, false,
                                             error);
    qcow2->clusters = unit_index_new_changes (output->disk, changes, true,
                                              error);
    made = qcow2->changed && qcow2->clusters;
  }
  else {
    qcow2->clusters = unit_index_new (output->disk,
                                      qcow2->layout.cluster_size,
                                      UNITS_WITH_DATA, error);
    made = qcow2->clusters;
  }
  return made ? 0 : -1;
}

static int
find_clusters (struct vdisk_output *output, struct vdisk_error *error)
{
  struct qcow2_output *qcow2 = output->state;
  struct qcow2_layout *layout = &qcow2->layout;

  qcow2->has_own_data = qcow2->settings.data_file == NULL;
  if ((!qcow2->settings.data_file_raw &&
       index_clusters (output, error) == -1) ||
      qcow2_index_init (&qcow2->tables, qcow2->changed ? qcow2->changed
                        : qcow2->clusters, layout->l1_entries,
                        qcow2_entries (layout), error) == -1)
    return -1;
  layout->l2_clusters = qcow2->tables.tables;
  if (qcow2->has_own_data)
    layout->data_clusters = unit_index_stored (qcow2->clusters);
  return qcow2_layout_refcounts (layout, output->disk, 1 +
                                 layout->l1_clusters + layout->l2_clusters +
                                 layout->data_clusters, error);
}

/* Add the header: what is said in it, and the rest of its cluster. */
static int
add_header (struct vdisk_output *output, struct vdisk_error *error)
{
  const struct qcow2_output *qcow2 = output->state;
  const struct qcow2_layout *layout = &qcow2->layout;
  CLEANUP_FREE uint8_t *cluster = malloc (layout->cluster_size);

  if (cluster == NULL)
    return error_no_memory (error, "output");
  if (qcow2_make_header (output->disk, &qcow2->settings, layout,
                         layout->cluster_size, layout->l1_clusters > 0
                         ? qcow2_l1_offset (layout) : 0, cluster,
                         error) == -1)
    return -1;
  return output_add_bytes (output, cluster, layout->cluster_size, error);
}

static int
add_data (struct vdisk_output *output, struct vdisk_error *error)
{
  const struct qcow2_output *qcow2 = output->state;
  const struct output_region data = {
    .index = qcow2->clusters, .last_length = qcow2->layout.cluster_size,
  };

  return qcow2->has_own_data ? output_add_units (output, &data, error) : 0;
}

/* What a file over a base has, one without has not, and the other way
 * round. */
static int
check_settings (const struct vdisk_output *output, struct vdisk_error *error)
{
  const struct qcow2_output *qcow2 = output->state;
  const struct qcow2_settings *settings = &qcow2->settings;

  if (output->changes.base == NULL && settings->backing)
    return error_set (error, EINVAL, "output qcow2: backing goes with "
                      "changes over a base");
  if (settings->backing == NULL && settings->backing_format)
    return error_set (error, EINVAL,
                      "output qcow2: backing-format goes with backing");
  if (output->changes.base && settings->data_file)
    return error_set (error, EINVAL, "output qcow2: changes over a base have "
                      "no data-file");
  if (output->changes.base &&
      output->changes.unit_size != settings->cluster_size)
    return error_set (error, EINVAL, "output qcow2: the changes are not of "
                      "clusters");
  return 0;
}

static int
qcow2_plan (struct vdisk_output *output, struct vdisk_error *error)
{
  struct qcow2_output *qcow2 = output->state;
  struct qcow2_settings *settings = &qcow2->settings;
  const struct qcow2_layout *layout = &qcow2->layout;

  if (settings->cluster_size == 0)
    settings->cluster_size = QCOW2_CLUSTER_SIZE_DEFAULT;
  if (settings->refcount_bits == 0)
    settings->refcount_bits = QCOW2_REFCOUNT_BITS_DEFAULT;
  if (check_settings (output, error) == -1 ||
      qcow2_layout_init (&qcow2->layout, output->disk, settings,
                         error) == -1 ||
      find_clusters (output, error) == -1 ||
      add_header (output, error) == -1 ||
      output_add_table (output, layout->table_clusters *
                        layout->cluster_size, read_refcount_table,
                        error) == -1 ||
      output_add_table (output, layout->block_clusters *
                        layout->cluster_size, read_refcounts, error) == -1 ||
      output_add_table (output, layout->l1_clusters * layout->cluster_size,
                        read_l1, error) == -1 ||
      output_add_table (output, layout->l2_clusters * layout->cluster_size,
                        read_l2, error) == -1)
    return -1;
  return add_data (output, error);
}

/* --- The format --------------------------------------------------------- */

static int
set_name (const char *name, const char *value, const char **to,
          struct vdisk_error *error)
{
  *to = value;
  return *value ? 0 : error_set (error, EINVAL, "%s: the name is empty",
                                 name);
}

static int
set_data_file (struct qcow2_settings *settings, const char *name,
               const char *value, bool is_raw, struct vdisk_error *error)
{
  if (settings->data_file && settings->data_file_raw != is_raw)
    return error_set (error, EINVAL,
                      "data-file and data-file-raw exclude each other");
  settings->data_file_raw = is_raw;
  return set_name (name, value, &settings->data_file, error);
}

static int
qcow2_set (struct vdisk_output *output, const char *name, const char *value,
           struct vdisk_error *error)
{
  struct qcow2_output *qcow2 = output->state;
  struct qcow2_settings *settings = &qcow2->settings;
  uint64_t bits;

  if (strcmp (name, "cluster-size") == 0)
    return output_parse_power (name, value, 1 << QCOW2_CLUSTER_BITS_MIN,
                               1 << QCOW2_CLUSTER_BITS_MAX,
                               &settings->cluster_size, error);
  if (strcmp (name, "refcount-bits") == 0) {
    if (output_parse_power (name, value, 1, 1 << QCOW2_REFCOUNT_ORDER_MAX,
                            &bits, error) == -1)
      return -1;
    settings->refcount_bits = bits;
    return 0;
  }
  if (strcmp (name, "data-file") == 0)
    return set_data_file (settings, name, value, false, error);
  if (strcmp (name, "data-file-raw") == 0)
    return set_data_file (settings, name, value, true, error);
  if (strcmp (name, "backing") == 0)
    return set_name (name, value, &settings->backing, error);
  if (strcmp (name, "backing-format") == 0)
    return set_name (name, value, &settings->backing_format, error);
  return output_no_option (output, name, error);
}

static void
qcow2_close (struct vdisk_output *output)
{
  struct qcow2_output *qcow2 = output->state;

  unit_index_free (qcow2->clusters);
  unit_index_free (qcow2->changed);
  qcow2_index_free (&qcow2->tables);
}

const struct output_format output_qcow2 = {
  .name = "qcow2",
  .state_size = sizeof (struct qcow2_output),
  .takes_changes = true,
  .set = qcow2_set,
  .plan = qcow2_plan,
  .close = qcow2_close,
};
