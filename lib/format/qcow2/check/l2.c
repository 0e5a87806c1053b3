/* SPDX-License-Identifier: BSD-3-Clause */
/* L2 tables: what is wrong with their entries, and the clusters that they
 * refer to.
 */

#include "format/qcow2/check/check.h"

#include <inttypes.h>

#include "source/padded.h"
#include "util/align.h"
#include "util/minmax.h"

/* Bits of a standard entry that mean nothing in any image, and the one
 * that means something in some. */
#define RESERVED_BITS \
  (~(QCOW2_OFFSET_MASK | QCOW2_COPIED | QCOW2_COMPRESSED | QCOW2_ZERO))

#define ALLOCATED_SUBCLUSTERS UINT32_MAX

/* An L2 table that is being walked. */
struct table {
  struct qcow2_walk *walk;
  const struct qcow2_l2 *l2;
  struct qcow2_place place;     /* the present entry */
  uint64_t guest;               /* what the first entry is for */
  uint64_t bitmap;              /* of the present entry's subclusters */
  uint64_t next;                /* where data would not be fragmented; 0:
                                   anywhere */
};

static uint64_t
entries_of (const struct qcow2_walk *walk)
{
  return UINT64_C (1) << walk->qcow2->l2_bits;
}

static struct qcow2_place
l2_place (const struct qcow2_walk *walk, const struct qcow2_l2 *l2)
{
  return (struct qcow2_place) {
    .structure = l2->active ? "L2 table" : "L2 table of a snapshot",
    .offset = l2->offset,
    .has_guest = l2->active,
    .guest = (l2->index * entries_of (walk)) <<
      walk->qcow2->info.cluster_bits,
    .times = l2->active + l2->others,
  };
}

/* Entries that the file lacks cannot be read, though qemu-img takes them
 * for zeros. */
static void
check_whole (struct qcow2_walk *walk, const struct qcow2_place *place)
{
  const uint64_t size = walk->layer->source->size;

  if (walk->first && place->offset < size &&
      size - place->offset < walk->layer->cluster_size)
    qcow2_found (walk, place, VDISK_ERROR, "the table is cut short by the "
                 "end of the file (%" PRIu64 " bytes)", size);
}

int
qcow2_use_l2 (struct qcow2_walk *walk, struct qcow2_l2 *l2)
{
  const struct qcow2_place place = l2_place (walk, l2);

  qcow2_use (walk, &place, l2->offset, walk->layer->cluster_size, true);
  check_whole (walk, &place);
  if (walk->first && l2->first_window > l2->last_window)
    qcow2_found (walk, &place, VDISK_ERROR, "the table overlaps others, and "
                 "is left out: there are too many like that");
  if (l2->active == 0)
    return 0;
  return qcow2_check_copied (walk, &place, l2->offset, l2->copied,
                             l2->active - l2->copied);
}

/* What can be said of an entry without counting, once. */
#define found_in_entry(t, ...)                                  \
  do {                                                          \
    if ((t)->walk->first)                                       \
      qcow2_found ((t)->walk, &(t)->place, VDISK_ERROR,         \
                   __VA_ARGS__);                                \
  } while (0)

/* Entries of the disk itself count for the summary. */
static void
count_allocated (const struct table *t, bool compressed, bool fragmented)
{
  struct vdisk_check *check = t->walk->report->check;

  if (!t->walk->first)
    return;
  check->allocated_clusters += t->l2->active;
  check->compressed_clusters += compressed ? t->l2->active : 0;
  check->fragmented_clusters += fragmented ? t->l2->active : 0;
}

static void
check_packed (struct table *t, uint64_t entry)
{
  const struct qcow2_info *info = &t->walk->qcow2->info;
  const unsigned bits = QCOW2_COMPRESSED_OFFSET_BITS (info->cluster_bits);
  uint64_t offset, sectors;

  if (entry & QCOW2_COPIED)
    found_in_entry (t, "COPIED is set for a compressed cluster");
  if (info->incompatible_features & QCOW2_EXTERNAL_DATA) {
    found_in_entry (t, "the cluster is compressed, but the data is in an "
                    "external file");
    return;
  }
  if (t->bitmap != 0) {
    found_in_entry (t, "the cluster is compressed, but has subclusters (0x%"
                    "016" PRIx64 ")", t->bitmap);
    return;
  }
  entry &= ~(QCOW2_COPIED | QCOW2_COMPRESSED);
  offset = entry & ((UINT64_C (1) << bits) - 1);
  sectors = (entry >> bits) + 1;
  count_allocated (t, true, true);
  qcow2_use (t->walk, &t->place, offset, sectors * QCOW2_SECTOR_SIZE -
             offset % QCOW2_SECTOR_SIZE, false);
}

/* The bits that must be clear in an entry of this image. */
static void
check_reserved (struct table *t, uint64_t entry)
{
  const struct qcow2_info *info = &t->walk->qcow2->info;

  if (entry & RESERVED_BITS)
    found_in_entry (t, "reserved bits are set");
  if (entry & QCOW2_ZERO) {
    if (info->version < 3)
      found_in_entry (t, "the zero flag is set in a version 2 image");
    else if (info->incompatible_features & QCOW2_EXTENDED_L2)
      found_in_entry (t, "the zero flag is set in an extended entry");
  }
}

/* In an external data file a cluster is where the guest has it. */
static void
check_external (struct table *t, uint64_t offset)
{
  if (t->l2->active == 1 && offset != t->place.guest &&
      is_aligned (offset, t->walk->layer->cluster_size))
    found_in_entry (t, "the offset in the external data file must be the "
                    "guest offset");
}

static int
check_data (struct table *t, uint64_t entry)
{
  struct qcow2_walk *walk = t->walk;
  const uint32_t cluster_size = walk->layer->cluster_size;
  const uint64_t offset = entry & QCOW2_OFFSET_MASK;
  const uint32_t set = entry & QCOW2_COPIED ? t->l2->active : 0;

  if (t->bitmap & t->bitmap >> QCOW2_SUBCLUSTERS)
    found_in_entry (t, "subclusters are both allocated and zero (0x%016"
                    PRIx64 ")", t->bitmap);
  if (!is_aligned (offset, cluster_size))
    found_in_entry (t, "the offset is not cluster-aligned");
  count_allocated (t, false, t->next != 0 && offset != t->next);
  t->next = offset + cluster_size;

  if (walk->qcow2->info.incompatible_features & QCOW2_EXTERNAL_DATA) {
    if (set < t->l2->active) {
      t->place.times = t->l2->active;
      found_in_entry (t, "COPIED is not set, as it must be with an external "
                      "data file");
    }
    check_external (t, offset);
    return 0;
  }
  qcow2_use (walk, &t->place, offset, cluster_size, false);
  if (t->l2->active == 0)
    return 0;
  return qcow2_check_copied (walk, &t->place, offset, set,
                             t->l2->active - set);
}

/* Does an entry without an offset refer to a cluster?  Offset 0 is that of
 * the header, but in an external data file it is a cluster like any other,
 * known by its COPIED bit. */
static bool
is_cluster_0 (const struct table *t, uint64_t entry)
{
  const uint64_t features = t->walk->qcow2->info.incompatible_features;

  if (!(features & QCOW2_EXTERNAL_DATA) || !(entry & QCOW2_COPIED))
    return false;
  return !(entry & QCOW2_ZERO) || (features & QCOW2_EXTENDED_L2);
}

static int
check_entry (struct table *t, uint64_t entry)
{
  if (entry & QCOW2_COMPRESSED) {
    check_packed (t, entry);
    return 0;
  }
  if (entry & (RESERVED_BITS | QCOW2_ZERO))
    check_reserved (t, entry);
  if ((entry & QCOW2_OFFSET_MASK) || is_cluster_0 (t, entry))
    return check_data (t, entry);
  if (t->bitmap & ALLOCATED_SUBCLUSTERS)
    found_in_entry (t, "subclusters are allocated (0x%016" PRIx64 "), but "
                    "there is no cluster", t->bitmap);
  return 0;
}

static int
check_entries (struct table *t)
{
  struct qcow2_walk *walk = t->walk;
  const unsigned words = walk->qcow2->entry_size / sizeof (be64);
  const uint64_t entries = entries_of (walk);
  uint64_t i, entry;

  for (i = 0; i < entries; ++i) {
    entry = get_be64 (walk->table[i * words]);
    t->bitmap = words > 1 ? get_be64 (walk->table[i * words + 1]) : 0;
    if (entry == 0 && t->bitmap == 0)
      continue;
    t->place.entry = i;
    t->place.value = entry;
    t->place.guest = t->guest + (i << walk->qcow2->info.cluster_bits);
    t->place.times = t->l2->active + t->l2->others;
    if (check_entry (t, entry) == -1)
      return -1;
  }
  return 0;
}

int
qcow2_walk_l2 (struct qcow2_walk *walk, struct qcow2_l2 *l2)
{
  struct table t = {
    .walk = walk, .l2 = l2, .place = l2_place (walk, l2),
  };
  uint64_t hole;

  if (walk->window < l2->first_window || walk->window > l2->last_window)
    return 0;
  walk->first_window = UINT32_MAX;
  walk->last_window = 0;
  if (source_zeros (walk->layer->source, l2->offset,
                    walk->layer->cluster_size, &hole, walk->error) == -1)
    return -1;
  if (hole < walk->layer->cluster_size) {
    t.guest = t.place.guest;
    t.place.has_entry = true;
    if (source_pread_padded (walk->layer->source, walk->table,
                             walk->layer->cluster_size, l2->offset,
                             walk->error) == -1 ||
        check_entries (&t) == -1)
      return -1;
  }
  /* What other windows need not read again. */
  if (walk->first) {
    l2->first_window = walk->first_window;
    l2->last_window = walk->last_window;
  }
  return 0;
}
