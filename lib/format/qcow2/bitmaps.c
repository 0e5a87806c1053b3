/* SPDX-License-Identifier: BSD-3-Clause */
/* Persistent dirty bitmaps: the directory that lists them, and what one of
 * them says of a range.
 *
 * Bit n stands for the granule n of the disk, the least significant bit of
 * a byte first.  A bitmap lies in clusters that a table of its own leads to;
 * an entry without a cluster says that all its bits are clear, or all set.
 */

#include "format/qcow2/driver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "format/qcow2/disk.h"
#include "source/source.h"
#include "util/align.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/minmax.h"

/* Bytes of a bitmap, and entries of its table, read at a time. */
#define CHUNK 4096

void
qcow2_parse_bitmap (const struct qcow2_bitmap *disk, uint64_t offset,
                    struct qcow2_bitmap_entry *entry)
{
  *entry = (struct qcow2_bitmap_entry) {
    .offset = offset,
    .table_offset = get_be64 (disk->table_offset),
    .table_size = get_be32 (disk->table_size),
    .flags = get_be32 (disk->flags),
    .type = disk->type,
    .granularity_bits = disk->granularity_bits,
    .extra_size = get_be32 (disk->extra_data_size),
    .name_offset = offset + sizeof *disk + get_be32 (disk->extra_data_size),
    .name_size = get_be16 (disk->name_size),
  };
}

int
qcow2_each_bitmap (const struct layer *layer, qcow2_take_bitmap *take,
                   void *opaque, struct vdisk_error *error)
{
  const struct qcow2 *qcow2 = layer->state;
  const struct qcow2_info *info = &qcow2->info;
  struct qcow2_bitmap_entry entry;
  struct qcow2_bitmap disk;
  uint64_t offset = info->bitmap_directory_offset;
  uint32_t i;
  int r;

  if (info->bitmap_count == 0 ||
      !(info->autoclear_features & QCOW2_BITMAPS_VALID))
    return 0;
  if (info->bitmap_count > QCOW2_BITMAPS_MAX)
    return layer_error (layer, error, EINVAL, "bitmaps extension: %u "
                        "bitmaps, must be at most %d", info->bitmap_count,
                        QCOW2_BITMAPS_MAX);
  for (i = 0; i < info->bitmap_count; ++i) {
    if (source_pread (layer->source, &disk, sizeof disk, offset, error) == -1)
      return -1;
    qcow2_parse_bitmap (&disk, offset, &entry);
    r = take (opaque, layer, &entry, error);
    if (r != 0)
      return r == -1 ? -1 : 0;
    offset = round_up (entry.name_offset + entry.name_size, 8);
    if (offset - info->bitmap_directory_offset > QCOW2_LIST_SIZE_MAX)
      return layer_error (layer, error, EINVAL, "bitmap directory: more than "
                          "%d bytes are too many", QCOW2_LIST_SIZE_MAX);
  }
  return 0;
}

/* --- What a bitmap says ------------------------------------------------- */

const char *
qcow2_bitmap_fault (const struct layer *layer,
                    const struct qcow2_bitmap_entry *entry)
{
  const uint64_t size = (uint64_t) entry->table_size * layer->cluster_size;

  if (entry->table_offset == 0 ||
      !is_aligned (entry->table_offset, layer->cluster_size))
    return "the offset of the table must be cluster-aligned, and not 0";
  if (size == 0 || size > QCOW2_BITMAP_SIZE_MAX)
    return "the table must have entries, for 512 MiB at most";
  if (entry->flags & QCOW2_BITMAP_FLAGS_RESERVED)
    return "reserved flags are set";
  if (entry->type != QCOW2_BITMAP_DIRTY_TRACKING)
    return "the type must be 1";
  if (entry->granularity_bits < QCOW2_BITMAP_GRANULARITY_BITS_MIN ||
      entry->granularity_bits > QCOW2_BITMAP_GRANULARITY_BITS_MAX)
    return "the granularity must be 2^9 to 2^31";
  if (entry->name_size > QCOW2_NAME_SIZE_MAX)
    return "the name must have 1023 bytes at most";
  if (entry->extra_size != 0)
    return "there must be no extra data";
  if (!(entry->flags & QCOW2_BITMAP_IN_USE) &&
      size * 8 < divide_up (layer->size,
                            UINT64_C (1) << entry->granularity_bits))
    return "the table has not enough entries for the disk";
  return NULL;
}

int
qcow2_check_bitmap (const struct layer *layer,
                    const struct qcow2_bitmap_entry *entry,
                    struct vdisk_error *error)
{
  const char *fault = qcow2_bitmap_fault (layer, entry);

  if (fault)
    return layer_error (layer, error, EINVAL, "bitmap at offset %" PRIu64
                        ": %s", entry->offset, fault);
  if (!range_within (entry->table_offset,
                     (uint64_t) entry->table_size * sizeof (be64),
                     layer->source->size))
    return layer_error (layer, error, EINVAL, "bitmap at offset %" PRIu64
                        ": its table of %" PRIu32 " entries at offset %"
                        PRIu64 " reaches beyond the end of the file (%"
                        PRIu64 " bytes)", entry->offset, entry->table_size,
                        entry->table_offset, layer->source->size);
  return 0;
}

struct marking {
  const struct layer *layer;
  const struct qcow2_bitmap_entry *entry;
  uint64_t end;                 /* of the range that is asked for */
  struct interval_list *out;
  struct vdisk_error *error;
};

/* Append [where the list ends, or offset; end), all set or all clear. */
static int
mark (const struct marking *m, uint64_t *offset, uint64_t end, bool set)
{
  const struct interval run = {
    .offset = *offset, .length = min_u64 (end, m->end) - *offset,
    .host = VDISK_NO_HOST_OFFSET, .kind = set ? VDISK_DATA : VDISK_HOLE,
  };

  if (interval_list_append (m->out, &run) == -1)
    return error_no_memory (m->error, m->layer->source->name);
  *offset = run.offset + run.length;
  return 0;
}

/* Mark from the bits 'first' on that 'bytes' have, to the bit 'end'. */
static int
mark_bits (const struct marking *m, uint64_t *offset, const uint8_t *bytes,
           uint64_t base, uint64_t first, uint64_t end)
{
  uint64_t n, stop;

  for (n = first; n < end; n = stop) {
    const bool set = bytes[(n - base) / 8] >> n % 8 & 1;
    const uint8_t same = set ? 0xff : 0;

    for (stop = n + 1; stop < end; )
      if (stop % 8 == 0 && end - stop >= 8 &&
          bytes[(stop - base) / 8] == same)
        stop += 8;
      else if ((bytes[(stop - base) / 8] >> stop % 8 & 1) == set)
        stop++;
      else
        break;
    if (mark (m, offset, stop << m->entry->granularity_bits, set) == -1)
      return -1;
  }
  return 0;
}

/* Mark the bits [first, end) of the cluster at 'host' that starts with bit
 * 'base'. */
static int
mark_cluster (const struct marking *m, uint64_t *offset, uint64_t host,
              uint64_t base, uint64_t first, uint64_t end)
{
  uint8_t chunk[CHUNK];
  uint64_t stop;

  for (; first < end; first = stop) {
    const uint64_t start = (first - base) / 8;

    stop = min_u64 (end, base + (start + sizeof chunk) * 8);
    if (source_pread (m->layer->source, chunk,
                      divide_up (stop - base, 8) - start, host + start,
                      m->error) == -1 ||
        mark_bits (m, offset, chunk, base + start * 8, first, stop) == -1)
      return -1;
  }
  return 0;
}

/* Mark what the table's entry 'number' says of the bits [first, end). */
static int
mark_entry (const struct marking *m, uint64_t *offset, uint64_t number,
            uint64_t value, uint64_t first, uint64_t end)
{
  const uint64_t host = value & QCOW2_OFFSET_MASK;
  const uint64_t base = number * m->layer->cluster_size * 8;

  if ((value & ~(QCOW2_OFFSET_MASK | QCOW2_BITMAP_ALL_SET)) != 0 ||
      (host != 0 && (value & QCOW2_BITMAP_ALL_SET)) ||
      !is_aligned (host, m->layer->cluster_size))
    return layer_error (m->layer, m->error, EIO, "bitmap at offset %" PRIu64
                        ": table: entry %" PRIu64 ": 0x%016" PRIx64
                        " breaks a rule", m->entry->offset, number, value);
  if (host == 0)
    return mark (m, offset, end << m->entry->granularity_bits,
                 value & QCOW2_BITMAP_ALL_SET);
  m->out->work += divide_up (end - first, 8);
  return mark_cluster (m, offset, host, base, first, end);
}

int
qcow2_map_bitmap (const struct layer *layer, const void *bitmap,
                  uint64_t offset, uint64_t count, struct interval_list *out,
                  struct vdisk_error *error)
{
  const struct qcow2_bitmap_entry *entry = bitmap;
  const struct marking m = {
    .layer = layer, .entry = entry, .end = offset + count, .out = out,
    .error = error,
  };
  const unsigned bits = entry->granularity_bits;
  const uint64_t bits_of_entry = (uint64_t) layer->cluster_size * 8;
  const uint64_t end = divide_up (m.end, UINT64_C (1) << bits);
  uint64_t first = offset >> bits, stop;
  be64 value;

  for (; first < end; first = stop) {
    const uint64_t number = first / bits_of_entry;

    stop = min_u64 (end, (number + 1) * bits_of_entry);
    if (source_pread (layer->source, &value, sizeof value,
                      entry->table_offset + number * sizeof value,
                      error) == -1 ||
        mark_entry (&m, &offset, number, get_be64 (value), first,
                    stop) == -1)
      return -1;
    m.out->work += sizeof value;
  }
  return 0;
}
