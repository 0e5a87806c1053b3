/* SPDX-License-Identifier: BSD-3-Clause */
/* Appending to a qcow2 file, and counting.
 *
 * Clusters are counted in the order of the file, each once nothing more
 * can be put into it.  The one that compressed clusters are put into is
 * still open.
 */

#include "export/qcow2-space.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "util/align.h"
#include "util/bytes.h"

/* The most that a refcount of 16 bits can count. */
#define SHARED_MAX 65535

struct qcow2_space {
  struct sink *sink;
  const struct qcow2_image *image;
  uint64_t end;                 /* of what is written, bytes: aligned but
                                   in an open cluster */
  uint64_t counted;             /* clusters */
  bool is_open;
  uint64_t shared;              /* the cluster that is open, or was last */
  uint64_t shared_count;        /* references to it */
  uint8_t *block;               /* the refcount block being filled */
  be64 *table;                  /* of refcount blocks */
};

/* Set entry i of a refcount block.  Counts of less than a byte: the first is
 * in the lowest bits. */
static void
set_refcount (uint8_t *block, unsigned bits, uint64_t i, uint64_t count)
{
  const unsigned bytes = bits / 8;
  unsigned k;

  if (bits < 8) {
    block[i / (8 / bits)] |= count << i % (8 / bits) * bits;
    return;
  }
  for (k = 0; k < bytes; ++k)
    block[i * bytes + k] = count >> 8 * (bytes - 1 - k);
}

struct qcow2_space *
qcow2_space_new (struct sink *sink, const struct qcow2_image *image,
                 uint64_t reserved, struct vdisk_error *error)
{
  struct qcow2_space *space = calloc (1, sizeof *space);

  if (space == NULL)
    goto no_memory;
  space->sink = sink;
  space->image = image;
  space->end = reserved * image->cluster_size;
  space->shared = UINT64_MAX;
  space->block = calloc (1, image->cluster_size);
  space->table = calloc (image->table_clusters, image->cluster_size);
  if (space->block && space->table)
    return space;

 no_memory:
  qcow2_space_free (space);
  error_no_memory (error, "export");
  return NULL;
}

void
qcow2_space_free (struct qcow2_space *space)
{
  if (space == NULL)
    return;
  free (space->block);
  free (space->table);
  free (space);
}

/* Append the refcount block that counts the cluster before 'counted'. */
static int
append_block (struct qcow2_space *space, struct vdisk_error *error)
{
  const uint64_t size = space->image->cluster_size;
  const uint64_t offset = round_up (space->end, size);
  const uint64_t i = (space->counted - 1) /
    qcow2_block_entries (space->image);

  if (i >= space->image->table_clusters * qcow2_entries (space->image))
    return error_set (error, EFBIG, "%s: the refcount table is full",
                      space->sink->name);
  if (sink_write (space->sink, space->block, size, offset, error) == -1)
    return -1;
  space->table[i] = to_be64 (offset);
  space->end = offset + size;
  memset (space->block, 0, size);
  return 0;
}

static void
count_next (struct qcow2_space *space)
{
  const uint64_t count = space->counted == space->shared
    ? space->shared_count : 1;

  set_refcount (space->block, space->image->refcount_bits,
                      space->counted %
                      qcow2_block_entries (space->image), count);
  space->counted++;
}

static bool
is_at_block_end (const struct qcow2_space *space)
{
  return space->counted % qcow2_block_entries (space->image) == 0;
}

/* Close the cluster that is open, and count all there are, including the
 * refcount blocks that this fills. */
static int
settle (struct qcow2_space *space, struct vdisk_error *error)
{
  const uint64_t size = space->image->cluster_size;

  space->is_open = false;
  space->end = round_up (space->end, size);
  while (space->counted < space->end / size) {
    count_next (space);
    if (is_at_block_end (space) && append_block (space, error) == -1)
      return -1;
  }
  return 0;
}

int
qcow2_space_put (struct qcow2_space *space, const void *cluster,
                 uint64_t *offset, struct vdisk_error *error)
{
  if (settle (space, error) == -1)
    return -1;
  *offset = space->end;
  space->end += space->image->cluster_size;
  return sink_write (space->sink, cluster, space->image->cluster_size,
                     *offset, error);
}

/* Open a new cluster. */
static int
open_cluster (struct qcow2_space *space, struct vdisk_error *error)
{
  if (settle (space, error) == -1)
    return -1;
  space->is_open = true;
  space->shared = space->end / space->image->cluster_size;
  space->shared_count = 0;
  return 0;
}

/* The open cluster has been filled: count it.  What went beyond it is in
 * the next one, which is open then, unless a refcount block follows it. */
static int
leave_cluster (struct qcow2_space *space, struct vdisk_error *error)
{
  const uint64_t end = space->end;

  count_next (space);
  space->is_open = false;
  if (is_at_block_end (space) && append_block (space, error) == -1)
    return -1;
  if (space->end == end && !is_aligned (end, space->image->cluster_size)) {
    space->is_open = true;
    space->shared++;
    space->shared_count = 1;
  }
  return 0;
}

int
qcow2_space_put_packed (struct qcow2_space *space, const void *bytes,
                        size_t size, uint64_t *offset,
                        struct vdisk_error *error)
{
  const uint64_t cluster_size = space->image->cluster_size;

  if ((!space->is_open || space->shared_count == SHARED_MAX) &&
      open_cluster (space, error) == -1)
    return -1;
  *offset = space->end;
  if (sink_write (space->sink, bytes, size, *offset, error) == -1)
    return -1;
  space->end += size;
  space->shared_count++;
  return space->end < (space->shared + 1) * cluster_size ? 0
    : leave_cluster (space, error);
}

int
qcow2_space_finish (struct qcow2_space *space, uint64_t table_offset,
                    uint64_t *size, struct vdisk_error *error)
{
  const struct qcow2_image *image = space->image;

  if (settle (space, error) == -1)
    return -1;
  /* The last block counts itself. */
  if (!is_at_block_end (space)) {
    count_next (space);
    if (append_block (space, error) == -1)
      return -1;
  }
  *size = space->end;
  return sink_write (space->sink, space->table, image->table_clusters *
                     image->cluster_size, table_offset, error);
}
