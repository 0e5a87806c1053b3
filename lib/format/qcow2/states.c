/* SPDX-License-Identifier: BSD-3-Clause */
/* The states of an image: which there are, opening one, and where two of
 * them say the same.
 */

#include "format/qcow2/driver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format/qcow2/disk.h"
#include "source/source.h"
#include "util/checked.h"
#include "util/align.h"
#include "util/error.h"
#include "util/escape.h"
#include "util/minmax.h"

/* --- Listing ------------------------------------------------------------ */

struct listing {
  layer_take_view *take;
  void *opaque;
  uint32_t number;
  bool stopped;
};

#define TEXT_SIZE ESCAPED_SIZE (QCOW2_NAME_SIZE_MAX)

/* Read a name, or as much of it as is shown. */
static int
read_text (const struct layer *layer, uint64_t offset, size_t length,
           char text[TEXT_SIZE], struct vdisk_error *error)
{
  char bytes[QCOW2_NAME_SIZE_MAX];

  length = min_u64 (length, sizeof bytes);
  if (length > 0 &&
      source_pread (layer->source, bytes, length, offset, error) == -1)
    return -1;
  escape_text (text, TEXT_SIZE, bytes, length);
  return 0;
}

static int
pass_on (struct listing *listing, struct layer_view *view,
         struct vdisk_error *error)
{
  int r;

  view->number = listing->number++;
  r = listing->take (listing->opaque, view, error);
  listing->stopped = r == 1;
  return r;
}

static int
list_snapshot (void *opaque, const struct layer *layer,
               const struct qcow2_snapshot_entry *entry,
               struct vdisk_error *error)
{
  char id[TEXT_SIZE], name[TEXT_SIZE];
  struct layer_view view = {
    .id = id, .name = name, .size = entry->disk_size,
    .date_sec = entry->date_sec, .date_nsec = entry->date_nsec,
    .vm_state_size = entry->vm_state_size,
  };

  if (read_text (layer, entry->id_offset, entry->id_size, id, error) == -1 ||
      read_text (layer, entry->name_offset, entry->name_size, name,
                 error) == -1)
    return -1;
  return pass_on (opaque, &view, error);
}

static int
list_bitmap (void *opaque, const struct layer *layer,
             const struct qcow2_bitmap_entry *entry,
             struct vdisk_error *error)
{
  char name[TEXT_SIZE];
  struct layer_view view = {
    .is_bitmap = true, .id = "", .name = name, .size = layer->size,
    .is_in_use = entry->flags & QCOW2_BITMAP_IN_USE,
  };

  if (qcow2_bitmap_fault (layer, entry) == NULL)
    view.granularity = UINT64_C (1) << entry->granularity_bits;
  if (read_text (layer, entry->name_offset, entry->name_size, name,
                 error) == -1)
    return -1;
  return pass_on (opaque, &view, error);
}

int
qcow2_list_views (const struct layer *layer, layer_take_view *take,
                  void *opaque, struct vdisk_error *error)
{
  struct listing listing = { .take = take, .opaque = opaque };

  if (qcow2_each_snapshot (layer, list_snapshot, &listing, error) == -1)
    return -1;
  if (listing.stopped)
    return 0;
  listing.number = 0;
  return qcow2_each_bitmap (layer, list_bitmap, &listing, error);
}

/* --- Opening ------------------------------------------------------------ */

struct seeking {
  uint32_t left;                /* entries before the one that is wanted */
  struct layer *snapshot;
  struct qcow2_bitmap_entry *bitmap;
};

static int
open_if_wanted (void *opaque, const struct layer *layer,
                const struct qcow2_snapshot_entry *entry,
                struct vdisk_error *error)
{
  struct seeking *seeking = opaque;

  if (seeking->left-- > 0)
    return 0;
  seeking->snapshot = qcow2_open_snapshot (layer, entry, error);
  return seeking->snapshot ? 1 : -1;
}

struct layer *
qcow2_open_snapshot_number (const struct layer *layer, uint32_t number,
                            struct vdisk_error *error)
{
  struct seeking seeking = { .left = number };

  if (qcow2_each_snapshot (layer, open_if_wanted, &seeking, error) == 0 &&
      seeking.snapshot == NULL)
    layer_record_error (layer, error, ENOENT, "snapshot table: there is no "
                        "entry %" PRIu32, number);
  return seeking.snapshot;
}

static int
copy_if_wanted (void *opaque, const struct layer *layer,
                const struct qcow2_bitmap_entry *entry,
                struct vdisk_error *error)
{
  struct seeking *seeking = opaque;

  if (seeking->left-- > 0)
    return 0;
  if (qcow2_check_bitmap (layer, entry, error) == -1)
    return -1;
  if (entry->flags & QCOW2_BITMAP_IN_USE)
    return layer_error (layer, error, EINVAL, "bitmap at offset %" PRIu64
                        ": it is marked as in use: the program that kept it "
                        "has not closed the image, and what it says is out "
                        "of date; a full copy, and a new bitmap, are needed",
                        entry->offset);
  seeking->bitmap = malloc (sizeof *entry);
  if (seeking->bitmap == NULL)
    return error_no_memory (error, layer->source->name);
  *seeking->bitmap = *entry;
  return 1;
}

void *
qcow2_open_bitmap (const struct layer *layer, uint32_t number,
                   uint64_t *granularity, struct vdisk_error *error)
{
  struct seeking seeking = { .left = number };

  if (qcow2_each_bitmap (layer, copy_if_wanted, &seeking, error) == 0 &&
      seeking.bitmap == NULL)
    layer_record_error (layer, error, ENOENT, "bitmap directory: there is "
                        "no entry %" PRIu32, number);
  if (seeking.bitmap)
    *granularity = UINT64_C (1) << seeking.bitmap->granularity_bits;
  return seeking.bitmap;
}

/* --- Comparing ---------------------------------------------------------- */

/* Entries compared at a time. */
#define PIECE 512

struct comparing {
  const struct layer *a, *b;
  uint64_t *work;               /* bytes of entries found alike, so far */
  struct vdisk_error *error;
};

/* Read L1 entries; what the table does not have is 0. */
static int
read_l1 (const struct layer *layer, uint64_t index, size_t count,
         be64 entries[PIECE], struct vdisk_error *error)
{
  const struct qcow2 *qcow2 = layer->state;
  const uint64_t size = qcow2->info.l1_size;
  const size_t present = index < size ? min_u64 (count, size - index) : 0;

  memset (entries + present, 0, (count - present) * sizeof *entries);
  return present == 0 ? 0
    : source_pread (layer->source, entries, present * sizeof *entries,
                    qcow2->info.l1_table_offset +
                    index * QCOW2_L1_ENTRY_SIZE, error);
}

/* Bits that do not count.  In an external data file COPIED tells a cluster at
 * offset 0 from none. */
static uint64_t
bits_ignored (const struct comparing *c)
{
  const struct qcow2 *qcow2 = c->a->state;

  return qcow2->info.incompatible_features & QCOW2_EXTERNAL_DATA ? 0
    : QCOW2_COPIED;
}

/* How many of 'count' words, or of groups of 'step' of them, are the same
 * but for such bits of the first of each. */
static size_t
count_same (const struct comparing *c, const be64 *a, const be64 *b,
            size_t count, size_t step)
{
  const uint64_t mask = ~bits_ignored (c);
  size_t i;

  for (i = 0; i < count; ++i) {
    const be64 *x = a + i * step, *y = b + i * step;

    if (((get_be64 (x[0]) ^ get_be64 (y[0])) & mask) != 0 ||
        (step == 2 && get_be64 (x[1]) != get_be64 (y[1])))
      break;
  }
  return i;
}

/* Of two L2 tables, how many of 'count' entries from 'index' on are the
 * same.  Tables that cannot be read differ: mapping them tells why. */
static int
compare_l2 (const struct comparing *c, uint64_t a, uint64_t b,
            uint64_t index, uint64_t count, uint64_t *same)
{
  const struct qcow2 *qcow2 = c->a->state;
  const unsigned size = qcow2->entry_size;
  struct source *source = c->a->source;
  be64 left[PIECE], right[PIECE];
  uint64_t n, found;

  for (*same = 0; *same < count; *same += n) {
    const uint64_t at = (index + *same) * size;

    n = min_u64 (count - *same, sizeof left / size);
    if (!range_within (a + at, n * size, source->size) ||
        !range_within (b + at, n * size, source->size))
      return 0;
    if (source_pread (source, left, n * size, a + at, c->error) == -1 ||
        source_pread (source, right, n * size, b + at, c->error) == -1)
      return -1;
    found = count_same (c, left, right, n, size / sizeof (be64));
    *c->work += 2 * found * size;
    if (found < n) {
      *same += found;
      return 0;
    }
  }
  return 0;
}

/* An L1 entry that differs leads to two tables: where do they? */
static int
compare_tables (const struct comparing *c, be64 a, be64 b, uint64_t offset,
                uint64_t *end)
{
  const struct qcow2 *qcow2 = c->a->state;
  const unsigned bits = qcow2->info.cluster_bits;
  const uint64_t mask = (UINT64_C (1) << qcow2->l2_bits) - 1;
  const uint64_t first = offset >> bits;
  const uint64_t left = get_be64 (a) & QCOW2_OFFSET_MASK;
  const uint64_t right = get_be64 (b) & QCOW2_OFFSET_MASK;
  uint64_t same;

  if (left == 0 || right == 0) {
    *end = offset;
    return 0;
  }
  if (compare_l2 (c, left, right, first & mask,
                  divide_up (*end, UINT64_C (1) << bits) - first,
                  &same) == -1)
    return -1;
  *end = max_u64 (offset, min_u64 (*end, (first + same) << bits));
  return 0;
}

int
qcow2_find_change (const struct layer *a, const struct layer *b,
                   uint64_t offset, uint64_t *end, uint64_t *work,
                   struct vdisk_error *error)
{
  const struct qcow2 *qcow2 = a->state;
  const unsigned shift = qcow2->info.cluster_bits + qcow2->l2_bits;
  const struct comparing c = {
    .a = a, .b = b, .work = work, .error = error,
  };
  const uint64_t stop = *end;
  be64 left[PIECE], right[PIECE];
  uint64_t index, count, same;

  for (index = offset >> shift; index <= (stop - 1) >> shift; index += count) {
    count = min_u64 (PIECE, ((stop - 1) >> shift) - index + 1);
    if (read_l1 (a, index, count, left, error) == -1 ||
        read_l1 (b, index, count, right, error) == -1)
      return -1;
    same = count_same (&c, left, right, count, 1);
    *work += 2 * same * QCOW2_L1_ENTRY_SIZE;
    if (same < count) {
      offset = max_u64 (offset, (index + same) << shift);
      *end = min_u64 (stop, (index + same + 1) << shift);
      return compare_tables (&c, left[same], right[same], offset, end);
    }
  }
  return 0;
}
