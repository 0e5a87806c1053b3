/* SPDX-License-Identifier: BSD-3-Clause */
/* From L1 and L2 entries to intervals.  Tables are read in the pieces
 * that a range needs and not kept: the interval map above is the cache.
 */

#include <errno.h>
#include <inttypes.h>
#include <sys/types.h>

#include "util/error.h"
#include "format/qcow2/disk.h"
#include "format/qcow2/driver.h"
#include "source/source.h"
#include "util/align.h"
#include "util/iszero.h"
#include "util/minmax.h"

/* Bytes of an L2 table read at a time. */
#define PIECE_SIZE 32768

/* Entries of the L1 table read at a time. */
#define L1_PIECE 64

/* Plain entries mapped at a time: room is made for the worst, and mostly a
 * few intervals come of it. */
#define PLAIN_ENTRIES 256

/* The guest range that is being mapped, and where to. */
struct mapping {
  const struct layer *layer;
  const struct qcow2 *qcow2;
  uint64_t offset, end;
  struct interval_list *out;
  struct vdisk_error *error;
};

/* An L2 entry that breaks a rule. */
static int
bad_entry (const struct mapping *m, uint64_t entry, uint64_t guest,
           const char *rule)
{
  return layer_error (m->layer, m->error, EIO, "L2 table: entry 0x%016"
                      PRIx64 " for guest offset %" PRIu64 " %s",
                      entry, guest, rule);
}

/* Append what part of [guest, guest + length) is in the range as an
 * interval of a kind, with its host offset if it has one. */
static inline int
append (const struct mapping *m, enum vdisk_kind kind, uint64_t guest,
        uint64_t length, uint64_t host)
{
  const uint64_t offset = max_u64 (guest, m->offset);
  const uint64_t end = min_u64 (guest + length, m->end);

  if (host != VDISK_NO_HOST_OFFSET)
    host += offset - guest;
  if (kind == VDISK_DATA)
    return layer_append_data (m->layer, m->out, offset, end - offset, host,
                              "L2 table", m->error);
  return layer_append (m->layer, m->out, kind, offset, end - offset, host,
                       m->error);
}

static bool
has_external_data (const struct mapping *m)
{
  return m->qcow2->info.incompatible_features & QCOW2_EXTERNAL_DATA;
}

static int
append_packed (const struct mapping *m, uint64_t entry, uint64_t guest)
{
  const struct qcow2_info *info = &m->qcow2->info;
  const unsigned bits = QCOW2_COMPRESSED_OFFSET_BITS (info->cluster_bits);
  struct interval whole, part;
  uint64_t host, sectors;

  if (has_external_data (m))
    return bad_entry (m, entry, guest, "is compressed, but the data is in "
                      "an external file");
  host = entry & ((UINT64_C (1) << bits) - 1);
  if (host > QCOW2_HOST_OFFSET_MAX)
    return bad_entry (m, entry, guest, "has reserved bits set");
  sectors = ((entry & ~(QCOW2_COPIED | QCOW2_COMPRESSED)) >> bits) + 1;
  whole = (struct interval) {
    .offset = guest, .length = m->layer->cluster_size, .host = host,
    .packed_size = sectors * QCOW2_SECTOR_SIZE - host % QCOW2_SECTOR_SIZE,
    .kind = VDISK_PACKED, .depth = m->layer->depth,
  };
  part = interval_clip (&whole, m->offset, m->end);
  if (interval_list_append (m->out, &part) == -1)
    return error_no_memory (m->error, m->layer->source->name);
  return 0;
}

/* Is there a host cluster?  Offset 0 is the header's, but in an external
 * data file it is a cluster like any other, known by its COPIED bit; not if
 * it reads as zeros, as QEMU has it. */
static bool
has_host_cluster (const struct mapping *m, uint64_t entry)
{
  const uint64_t features = m->qcow2->info.incompatible_features;

  if ((entry & QCOW2_OFFSET_MASK) != 0)
    return true;
  if (!(features & QCOW2_EXTERNAL_DATA) || !(entry & QCOW2_COPIED))
    return false;
  return !(entry & QCOW2_ZERO) || (features & QCOW2_EXTENDED_L2);
}

/* Rules that standard and extended entries share.  'reserved' are the
 * bits that must be clear. */
static int
check_entry (const struct mapping *m, uint64_t entry, uint64_t guest,
             uint64_t reserved)
{
  if (entry & reserved)
    return bad_entry (m, entry, guest, "has reserved bits set");
  if (!is_aligned (entry & QCOW2_OFFSET_MASK, m->layer->cluster_size))
    return bad_entry (m, entry, guest, "has an offset that is not "
                      "cluster-aligned");
  if (has_external_data (m) && has_host_cluster (m, entry) &&
      (entry & QCOW2_OFFSET_MASK) != guest)
    return bad_entry (m, entry, guest, "must have that offset in the "
                      "external data file");
  return 0;
}

/* Map the cluster that 'entry' is for. */
static int
map_standard (const struct mapping *m, uint64_t entry, uint64_t guest)
{
  const uint64_t length = m->layer->cluster_size;
  uint64_t host = VDISK_NO_HOST_OFFSET;
  uint64_t used = QCOW2_OFFSET_MASK | QCOW2_COPIED;

  if (entry == 0)
    return append (m, VDISK_HOLE, guest, length, host);
  if (entry & QCOW2_COMPRESSED)
    return append_packed (m, entry, guest);
  if (m->qcow2->info.version >= 3)
    used |= QCOW2_ZERO;
  if (check_entry (m, entry, guest, ~used) == -1)
    return -1;
  if (has_host_cluster (m, entry))
    host = entry & QCOW2_OFFSET_MASK;
  if (entry & QCOW2_ZERO)
    return append (m, VDISK_ZERO, guest, length, host);
  if (host == VDISK_NO_HOST_OFFSET)
    return append (m, VDISK_HOLE, guest, length, host);
  return append (m, VDISK_DATA, guest, length, host);
}

/* How many entries say the same, but for going on in the host file by
 * 'step' each. */
static inline size_t
count_run (const be64 *entries, size_t count, uint64_t step)
{
  const uint64_t first = get_be64 (entries[0]) & ~QCOW2_COPIED;
  size_t n = 1;

  while (n < count &&
         (get_be64 (entries[n]) & ~QCOW2_COPIED) == first + n * step)
    n++;
  return n;
}

/* Map as many entries from the first on as are of the plain kind: nothing,
 * or a cluster of data that lies wholly in the file.  Their clusters lie in
 * the range.  Returns how many it has mapped, which may be 0; the next one
 * needs map_standard.  -1 if out of memory.
 *
 * This is what a walk over a large disk does most, so every run of entries
 * becomes an interval without a detour: those after the first cannot be
 * merged with the one before. */
static ssize_t
map_plain (const struct mapping *m, const be64 *entries, size_t count,
           uint64_t guest)
{
  const uint64_t size = m->layer->cluster_size;
  const uint64_t end = m->layer->data->size;
  const uint64_t odd_bits = ~(QCOW2_OFFSET_MASK & ~(size - 1));
  const unsigned size_bits = m->qcow2->info.cluster_bits;
  const struct interval hole = {
    .depth = m->layer->depth, .kind = VDISK_HOLE,
  };
  const struct interval data = {
    .depth = m->layer->depth, .kind = VDISK_DATA,
  };
  struct interval first, *next = &first;        /* then one of the list */
  size_t i, n;

  if (has_external_data (m) || end < size || count == 0)
    return 0;
  if (interval_list_reserve (m->out, count) == -1)
    return error_no_memory (m->error, m->layer->source->name);
  for (i = 0; i < count; i += n) {
    const uint64_t entry = get_be64 (entries[i]) & ~QCOW2_COPIED;

    if (entry == 0) {
      n = count_run (entries + i, count - i, 0);
      next->host = VDISK_NO_HOST_OFFSET;
      next->nature = hole.nature;
    }
    else if ((entry & odd_bits) == 0 && entry <= end - size) {
      n = count_run (entries + i,
                     min_u64 (count - i, (end - entry) >> size_bits),
                     size);
      next->host = entry;
      next->nature = data.nature;
    }
    else
      break;
    next->offset = guest;
    next->length = n * size;
    guest += next->length;
    if (i == 0) {
      interval_list_append (m->out, &first);
      next = m->out->at + m->out->count;
    }
    else
      next++;
  }
  if (i > 0)
    m->out->count = next - m->out->at;
  return i;
}

/* Map so many empty entries: those of a layer of a chain mostly are.  Like
 * map_plain. */
static ssize_t
map_nothing (const struct mapping *m, size_t count, uint64_t guest)
{
  return append (m, VDISK_HOLE, guest, count * m->layer->cluster_size,
                 VDISK_NO_HOST_OFFSET) == -1 ? -1 : (ssize_t) count;
}

/* The kind of subcluster i, from its two bits. */
static enum vdisk_kind
subcluster_kind (uint64_t bitmap, unsigned i)
{
  if (bitmap >> i & 1)
    return VDISK_DATA;
  if (bitmap >> (QCOW2_SUBCLUSTERS + i) & 1)
    return VDISK_ZERO;
  return VDISK_HOLE;
}

static int
map_extended (const struct mapping *m, uint64_t entry, uint64_t bitmap,
              uint64_t guest)
{
  const uint32_t size = m->layer->cluster_size / QCOW2_SUBCLUSTERS;
  bool has_host;
  unsigned i;

  if (entry & QCOW2_COMPRESSED) {
    if (bitmap != 0)
      return bad_entry (m, entry, guest, "is compressed and has "
                        "subclusters");
    return append_packed (m, entry, guest);
  }
  if (check_entry (m, entry, guest,
                   ~(QCOW2_OFFSET_MASK | QCOW2_COPIED)) == -1)
    return -1;
  if ((bitmap & bitmap >> QCOW2_SUBCLUSTERS & UINT32_MAX) != 0)
    return bad_entry (m, entry, guest, "has a subcluster that is both "
                      "allocated and zero");
  has_host = has_host_cluster (m, entry);
  if (!has_host && (bitmap & UINT32_MAX) != 0)
    return bad_entry (m, entry, guest, "has allocated subclusters, but no "
                      "cluster");

  for (i = 0; i < QCOW2_SUBCLUSTERS; ++i) {
    uint64_t offset = guest + (uint64_t) i * size;
    uint64_t host = has_host ? (entry & QCOW2_OFFSET_MASK) +
                               (uint64_t) i * size : VDISK_NO_HOST_OFFSET;

    if (offset + size <= m->offset || offset >= m->end)
      continue;
    if (append (m, subcluster_kind (bitmap, i), offset, size, host) == -1)
      return -1;
  }
  return 0;
}

/* How many of 'count' clusters from 'guest' on lie wholly in the range,
 * counted up to the first that does not. */
static size_t
count_whole (const struct mapping *m, size_t count, uint64_t guest)
{
  return guest < m->offset ? 0
    : min_u64 (count, (m->end - guest) / m->layer->cluster_size);
}

/* Map standard entries: see map_piece. */
static int
map_standard_piece (const struct mapping *m, const be64 *piece,
                    size_t count, uint64_t guest)
{
  const uint64_t size = m->layer->cluster_size;
  size_t i = 0;

  while (i < count) {
    const uint64_t start = guest + i * size;
    const size_t whole = count_whole (m, min_u64 (count - i, PLAIN_ENTRIES),
                                      start);
    const ssize_t n = whole > 0 && is_zero (piece + i, whole * sizeof *piece)
      ? map_nothing (m, whole, start)
      : map_plain (m, piece + i, whole, start);

    if (n == -1)
      return -1;
    i += n;
    if (whole > 0 && (size_t) n == whole)
      continue;
    /* It has stopped at an entry that is not plain, or not wholly in the
     * range. */
    if (map_standard (m, get_be64 (piece[i]), guest + i * size) == -1)
      return -1;
    i++;
  }
  return 0;
}

/* Map 'count' entries in 'piece', the first of which is for the guest
 * offset 'guest'. */
static int
map_piece (const struct mapping *m, const be64 *piece, size_t count,
           uint64_t guest)
{
  const uint64_t cluster_size = m->layer->cluster_size;
  size_t i;

  if (m->qcow2->info.incompatible_features & QCOW2_EXTENDED_L2) {
    for (i = 0; i < count; ++i, guest += cluster_size)
      if (map_extended (m, get_be64 (piece[2 * i]),
                        get_be64 (piece[2 * i + 1]), guest) == -1)
        return -1;
  }
  else
    return map_standard_piece (m, piece, count, guest);
  return 0;
}

/* Make *count, of L2 entries at 'at', what there are of them in the file. */
static int
limit_to_file (const struct mapping *m, uint64_t at, uint64_t guest,
               size_t *count)
{
  const uint64_t size = m->layer->source->size;
  const uint64_t present = at < size ? (size - at) / m->qcow2->entry_size
    : 0;

  if (present == 0)
    return layer_error (m->layer, m->error, EIO, "L2 table: entry for guest "
                        "offset %" PRIu64 " is at offset %" PRIu64
                        ", beyond the end of the file (%" PRIu64 " bytes)",
                        guest, at, size);
  *count = min_u64 (*count, present);
  return 0;
}

/* Map what the L2 table at 'table', or no table if that is 0, says of
 * [offset, end). */
static int
map_l2 (const struct mapping *m, uint64_t table,
        uint64_t offset, uint64_t end)
{
  const struct qcow2 *qcow2 = m->qcow2;
  const uint32_t cluster_size = m->layer->cluster_size;
  const size_t entries = UINT64_C (1) << qcow2->l2_bits;
  be64 piece[PIECE_SIZE / sizeof (be64)];

  if (table == 0)
    return append (m, VDISK_HOLE, offset, end - offset,
                   VDISK_NO_HOST_OFFSET);

  for (offset = round_down (offset, cluster_size); offset < end; ) {
    size_t index = (offset / cluster_size) & (entries - 1);
    size_t count = min_u64 (divide_up (end - offset, cluster_size),
                            PIECE_SIZE / qcow2->entry_size);

    if (limit_to_file (m, table + index * qcow2->entry_size, offset,
                       &count) == -1 ||
        source_pread (m->layer->source, piece, count * qcow2->entry_size,
                      table + index * qcow2->entry_size, m->error) == -1 ||
        map_piece (m, piece, count, offset) == -1)
      return -1;
    m->out->work += count * qcow2->entry_size;
    offset += count * cluster_size;
  }
  return 0;
}

/* Where the L2 table is that L1 entry 'index' points to; 0 for none. */
static int
table_of (const struct mapping *m, uint64_t index, uint64_t entry,
          uint64_t *table)
{
  if (entry & ~(QCOW2_OFFSET_MASK | QCOW2_COPIED))
    return layer_error (m->layer, m->error, EIO, "L1 table: entry %" PRIu64
                        ": 0x%016" PRIx64 " has reserved bits set",
                        index, entry);
  *table = entry & QCOW2_OFFSET_MASK;
  if (!is_aligned (*table, m->layer->cluster_size))
    return layer_error (m->layer, m->error, EIO, "L1 table: entry %" PRIu64
                        ": offset 0x%" PRIx64 " is not cluster-aligned",
                        index, *table);
  return 0;
}

/* Map [offset, end), which 'count' L1 entries from 'index' on are for. */
static int
map_l1 (const struct mapping *m, uint64_t index, size_t count,
        uint64_t offset, uint64_t end)
{
  const struct qcow2 *qcow2 = m->qcow2;
  const unsigned shift = qcow2->info.cluster_bits + qcow2->l2_bits;
  be64 piece[L1_PIECE];
  uint64_t table, next;
  size_t i;

  if (source_pread (m->layer->source, piece, count * sizeof piece[0],
                    qcow2->info.l1_table_offset +
                    index * QCOW2_L1_ENTRY_SIZE, m->error) == -1)
    return -1;
  for (i = 0; i < count; ++i, offset = next) {
    next = min_u64 (end, (index + i + 1) << shift);
    if (table_of (m, index + i, get_be64 (piece[i]), &table) == -1 ||
        map_l2 (m, table, offset, next) == -1)
      return -1;
  }
  return 0;
}

int
qcow2_map (struct layer *layer, uint64_t offset, uint64_t count,
           struct interval_list *out, struct vdisk_error *error)
{
  const struct qcow2 *qcow2 = layer->state;
  const struct mapping m = {
    .layer = layer, .qcow2 = qcow2, .offset = offset,
    .end = offset + count, .out = out, .error = error,
  };
  const unsigned shift = qcow2->info.cluster_bits + qcow2->l2_bits;
  uint64_t index, next;

  for (; offset < m.end; offset = next) {
    index = offset >> shift;
    /* The L1 table of a snapshot need not cover all of its disk. */
    if (index >= qcow2->info.l1_size)
      return append (&m, VDISK_HOLE, offset, m.end - offset,
                     VDISK_NO_HOST_OFFSET);
    count = min_u64 (L1_PIECE, ((m.end - 1) >> shift) - index + 1);
    count = min_u64 (count, qcow2->info.l1_size - index);
    next = min_u64 (m.end, (index + count) << shift);
    if (map_l1 (&m, index, count, offset, next) == -1)
      return -1;
  }
  return 0;
}
