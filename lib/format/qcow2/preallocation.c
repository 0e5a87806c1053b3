/* SPDX-License-Identifier: BSD-3-Clause */
/* QEMU's rule for telling that an image was made with
 * preallocation=metadata: its file takes less space on the host than the
 * clusters in use would, by a tenth and by two clusters.  Only then does
 * QEMU's map look for holes of the file.
 */

#include "format/qcow2/refcount.h"
#include "format/qcow2/driver.h"
#include "util/align.h"
#include "util/minmax.h"

/* Are at least 'enough' of the file's clusters in use?  Where refcounts
 * cannot be read QEMU looks for no holes either. */
static bool
has_used_clusters (const struct qcow2_refcounts *refcounts,
                   uint64_t clusters, uint64_t enough)
{
  uint64_t numbers[QCOW2_REFCOUNT_RUN];
  uint64_t cluster, used = 0;
  bool known;
  int i, n;

  for (cluster = 0; cluster < clusters && used < enough; cluster += n) {
    n = qcow2_refcounts_read (refcounts, cluster, clusters - cluster,
                              numbers, &known, NULL);
    if (n == -1 || !known)
      return false;
    for (i = 0; i < n; ++i)
      used += numbers[i] != 0;
  }
  return used >= enough;
}

bool
qcow2_qemu_finds_holes (const struct layer *layer)
{
  const struct qcow2_info *info =
    &((const struct qcow2 *) layer->state)->info;
  const uint64_t entries =
    min_u64 ((uint64_t) info->refcount_table_clusters << info->cluster_bits,
             QCOW2_REFCOUNT_TABLE_SIZE_MAX) / sizeof (be64);
  const uint64_t clusters =
    min_u64 (divide_up (layer->source->size, layer->cluster_size),
             entries << (info->cluster_bits + 3 - info->refcount_order));
  struct qcow2_refcounts refcounts;
  const int64_t allocated = source_allocated_size (layer->source);
  bool r = false;
  uint64_t taken;

  if (allocated == -1)
    return false;
  taken = allocated / layer->cluster_size;
  if (qcow2_refcounts_open (&refcounts, layer->source, info->cluster_bits,
                            info->refcount_order,
                            info->refcount_table_offset, entries,
                            NULL) == 0)
    r = has_used_clusters (&refcounts, clusters,
                           max_u64 (taken * 10 / 9, taken + 2));
  qcow2_refcounts_close (&refcounts);
  return r;
}
