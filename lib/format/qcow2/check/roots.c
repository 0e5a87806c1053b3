/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables that clusters hang from: L1 tables of the disk and of its
 * snapshots, and bitmap tables.
 */

#include "format/qcow2/check/check.h"

#include <inttypes.h>
#include <stdlib.h>

#include "util/error.h"
#include "source/padded.h"
#include "util/align.h"
#include "util/minmax.h"

/* Bytes of a table read at a time. */
#define PIECE_SIZE 8192

#define BITMAP_ALL_ONES UINT64_C (1)

int
qcow2_add_root (struct qcow2_walk *walk, const struct qcow2_root *root)
{
  if (walk->root_count == walk->root_room) {
    const size_t room = walk->root_room ? 2 * walk->root_room : 8;
    struct qcow2_root *roots = realloc (walk->roots, room * sizeof *roots);

    if (roots == NULL)
      return error_no_memory (walk->error, walk->layer->source->name);
    walk->roots = roots;
    walk->root_room = room;
  }
  walk->roots[walk->root_count++] = *root;
  return 0;
}

static int
compare_roots (const void *a, const void *b)
{
  const struct qcow2_root *x = a, *y = b;

  if (x->offset != y->offset)
    return x->offset < y->offset ? -1 : 1;
  if (x->entries != y->entries)
    return x->entries < y->entries ? -1 : 1;
  return (int) x->bitmap - (int) y->bitmap;
}

static struct qcow2_place
root_place (const struct qcow2_root *root)
{
  return (struct qcow2_place) {
    .structure = root->bitmap ? "bitmap table" :
      root->active ? "L1 table" : "L1 table of a snapshot",
    .offset = root->offset, .times = root->active + root->others,
  };
}

/* Is a root clear of those before it, which end at 'end', or may it still
 * overlap?  Tables do not unless the image is damaged.  A little overlap is
 * followed; one that is out of all proportion is an attempt to keep us
 * busy. */
static bool
root_is_fresh (const struct qcow2_root *root, uint64_t end,
               uint64_t *overlap)
{
  const uint64_t size = (uint64_t) root->entries * sizeof (be64);

  if (root->active || root->offset >= end)
    return true;
  *overlap += size;
  return *overlap <= QCOW2_CHECK_OVERLAP_MAX;
}

void
qcow2_settle_roots (struct qcow2_walk *walk)
{
  struct qcow2_root *roots = walk->roots;
  uint64_t end = 0, overlap = 0;
  size_t i, n = 0;

  if (walk->root_count == 0)
    return;
  qsort (roots, walk->root_count, sizeof *roots, compare_roots);
  for (i = 1; i < walk->root_count; ++i) {
    if (compare_roots (&roots[n], &roots[i]) == 0) {
      roots[n].active += roots[i].active;
      roots[n].others += roots[i].others;
    }
    else
      roots[++n] = roots[i];
  }
  walk->root_count = n + 1;

  for (i = 0; i < walk->root_count; ++i) {
    roots[i].followed = root_is_fresh (&roots[i], end, &overlap);
    if (!roots[i].followed) {
      const struct qcow2_place place = root_place (&roots[i]);

      qcow2_found (walk, &place, VDISK_ERROR, "the table of %" PRIu32
                   " entries overlaps others, and is left out: there are "
                   "too many like that", roots[i].entries);
    }
    end = max_u64 (end, roots[i].offset +
                   (uint64_t) roots[i].entries * sizeof (be64));
  }
}

int
qcow2_read_root (struct qcow2_walk *walk, const struct qcow2_root *root,
                 int (*take) (struct qcow2_walk *walk,
                              const struct qcow2_root *root,
                              uint64_t index, uint64_t entry))
{
  be64 piece[PIECE_SIZE / sizeof (be64)];
  uint64_t done, i, count, entry, hole;

  if (!root->followed || root->offset >= walk->layer->source->size)
    return 0;
  for (done = 0; done < root->entries; done += count) {
    const uint64_t offset = root->offset + done * sizeof (be64);

    count = root->entries - done;
    if (source_zeros (walk->layer->source, offset, count * sizeof (be64),
                      &hole, walk->error) == -1)
      return -1;
    if (hole >= sizeof (be64)) {
      count = hole / sizeof (be64);
      continue;
    }
    count = min_u64 (count, PIECE_SIZE / sizeof (be64));
    if (source_pread_padded (walk->layer->source, piece,
                             count * sizeof (be64), offset,
                             walk->error) == -1)
      return -1;
    for (i = 0; i < count; ++i) {
      entry = get_be64 (piece[i]);
      if (entry != 0 && take (walk, root, done + i, entry) == -1)
        return -1;
    }
  }
  return 0;
}

/* Check an entry of a bitmap table, and count its cluster. */
static int
take_bitmap_entry (struct qcow2_walk *walk, const struct qcow2_root *root,
                   uint64_t index, uint64_t entry)
{
  const uint64_t offset = entry & QCOW2_OFFSET_MASK;
  const uint64_t reserved = ~(QCOW2_OFFSET_MASK |
                              (offset == 0 ? BITMAP_ALL_ONES : 0));
  struct qcow2_place place = root_place (root);

  place.has_entry = true;
  place.entry = index;
  place.value = entry;
  if ((entry & reserved) ||
      !is_aligned (offset, walk->layer->cluster_size)) {
    if (walk->first)
      qcow2_found (walk, &place, VDISK_ERROR, entry & reserved ?
                   "reserved bits are set" :
                   "the offset is not cluster-aligned");
  }
  else if (offset != 0)
    qcow2_use (walk, &place, offset, walk->layer->cluster_size, true);
  return 0;
}

int
qcow2_use_roots (struct qcow2_walk *walk)
{
  size_t i;

  for (i = 0; i < walk->root_count; ++i) {
    const struct qcow2_root *root = &walk->roots[i];
    const struct qcow2_place place = root_place (root);

    if (root->followed)
      qcow2_use (walk, &place, root->offset,
                 (uint64_t) root->entries * sizeof (be64), true);
  }
  for (i = 0; i < walk->root_count; ++i)
    if (walk->roots[i].bitmap &&
        qcow2_read_root (walk, &walk->roots[i], take_bitmap_entry) == -1)
      return -1;
  return 0;
}
