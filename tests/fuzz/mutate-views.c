/* SPDX-License-Identifier: BSD-3-Clause */
/* Mutating what the lists of snapshots and bitmaps of a QCOW2 image lead to:
 * L1 and L2 tables of snapshots, tables of bitmaps, and the entries of both
 * lists, so that they share more than they should.
 */

#include "mutate.h"

#include <stddef.h>

#include "format/qcow2/disk.h"
#include "util/align.h"
#include "util/minmax.h"

#define GET(m, type, at, name)                                          \
  mutate_get ((m), (at) + offsetof (struct type, name),                 \
              sizeof ((struct type *) 0)->name, true)

#define PUT(m, type, at, name, value)                                   \
  mutate_put ((m), (at) + offsetof (struct type, name),                 \
              sizeof ((struct type *) 0)->name, true, (value))

static uint64_t
cluster_size (const struct mutation *m)
{
  return UINT64_C (1) << GET (m, qcow2_header, 0, cluster_bits) % 22;
}

/* Where one of the snapshots' entries is. */
static uint64_t
pick_snapshot (struct mutation *m)
{
  uint64_t n = random_below (m->random, 1 + min_u64 (
    GET (m, qcow2_header, 0, nb_snapshots), 8));
  uint64_t at = GET (m, qcow2_header, 0, snapshots_offset);

  while (n-- > 1)
    at = round_up (at + sizeof (struct qcow2_snapshot) +
                   GET (m, qcow2_snapshot, at, extra_data_size) +
                   GET (m, qcow2_snapshot, at, id_size) +
                   GET (m, qcow2_snapshot, at, name_size), 8);
  return at;
}

static void
change_snapshot (struct mutation *m)
{
  const uint64_t at = pick_snapshot (m);
  const uint64_t extra = at + sizeof (struct qcow2_snapshot);

  switch (random_below (m->random, 7)) {
  case 0:
    PUT (m, qcow2_snapshot, at, l1_table_offset,
         mutate_place (m, cluster_size (m)));
    break;
  case 1:
    PUT (m, qcow2_snapshot, at, l1_table_offset,
         GET (m, qcow2_header, 0, l1_table_offset));
    break;
  case 2:
    PUT (m, qcow2_snapshot, at, l1_size,
         mutate_number (m, GET (m, qcow2_snapshot, at, l1_size)));
    break;
  case 3:
    PUT (m, qcow2_snapshot_extra, extra, disk_size,
         mutate_number (m, GET (m, qcow2_snapshot_extra, extra, disk_size)));
    break;
  case 4:
    PUT (m, qcow2_snapshot, at, name_size, random_below (m->random, 40));
    break;
  case 5:
    PUT (m, qcow2_snapshot, at, extra_data_size,
         random_below (m->random, 40));
    break;
  default:
    mutate_bytes (m, extra, 32);
    break;
  }
}

/* An entry of a snapshot's L1 table: the active one, or another place. */
static void
change_l1 (struct mutation *m)
{
  const uint64_t snapshot = pick_snapshot (m);
  const uint64_t n = random_below (m->random, 1 + min_u64 (
    GET (m, qcow2_snapshot, snapshot, l1_size), 16));
  const uint64_t at = GET (m, qcow2_snapshot, snapshot, l1_table_offset);
  const uint64_t active = GET (m, qcow2_header, 0, l1_table_offset);

  mutate_put (m, at + n * 8, 8, true, one_in (m, 2)
              ? mutate_get (m, active + n * 8, 8, true)
              : mutate_place (m, cluster_size (m)));
}

/* An entry of a snapshot's L2 table: the active one's, or any. */
static void
change_l2 (struct mutation *m)
{
  const uint64_t snapshot = pick_snapshot (m);
  const uint64_t n = random_below (m->random, 16) * 8;
  const uint64_t l1 = mutate_get (m, GET (m, qcow2_snapshot, snapshot,
                                          l1_table_offset), 8, true);
  const uint64_t active = mutate_get (m, GET (m, qcow2_header, 0,
                                              l1_table_offset), 8, true);
  uint64_t value = mutate_get (m, (active & QCOW2_OFFSET_MASK) + n, 8, true);

  switch (random_below (m->random, 5)) {
  case 0: value ^= QCOW2_COPIED; break;
  case 1: value ^= QCOW2_ZERO; break;
  case 2: value = mutate_place (m, cluster_size (m)); break;
  case 3: value = 0; break;
  default: break;
  }
  mutate_put (m, (l1 & QCOW2_OFFSET_MASK) + n, 8, true, value);
}

/* Where the data of the bitmaps extension is; 0: there is none. */
static uint64_t
bitmaps_extension (const struct mutation *m)
{
  uint64_t at = GET (m, qcow2_header, 0, version) == 2
    ? QCOW2_HEADER_LENGTH_V2 : GET (m, qcow2_header, 0, header_length);
  unsigned i;

  for (i = 0; i < 8; ++i) {
    const uint64_t type = GET (m, qcow2_extension, at, type);

    if (type == QCOW2_EXTENSION_BITMAPS)
      return at + sizeof (struct qcow2_extension);
    if (type == QCOW2_EXTENSION_END)
      break;
    at += sizeof (struct qcow2_extension) +
      round_up (GET (m, qcow2_extension, at, length), 8);
  }
  return 0;
}

static void
change_bitmap (struct mutation *m)
{
  const uint64_t extension = bitmaps_extension (m);
  const uint64_t at = GET (m, qcow2_bitmaps_extension, extension,
                           directory_offset);
  const uint64_t table = GET (m, qcow2_bitmap, at, table_offset);

  if (extension == 0)
    return;
  switch (random_below (m->random, 8)) {
  case 0:
    PUT (m, qcow2_bitmap, at, table_size, random_below (m->random, 1 << 20));
    break;
  case 1:
    PUT (m, qcow2_bitmap, at, flags, random_below (m->random, 4));
    break;
  case 2:
    PUT (m, qcow2_bitmap, at, granularity_bits,
         random_below (m->random, 34));
    break;
  case 3:
    PUT (m, qcow2_bitmap, at, name_size, random_below (m->random, 40));
    break;
  case 4:
    PUT (m, qcow2_bitmaps_extension, extension, bitmap_count,
         random_below (m->random, 5));
    break;
  case 5:
    PUT (m, qcow2_header, 0, autoclear_features, QCOW2_BITMAPS_VALID);
    break;
  default:
    mutate_put (m, table + random_below (m->random, 4) * 8, 8, true,
                one_in (m, 3) ? random_below (m->random, 3)
                : mutate_place (m, cluster_size (m)));
    break;
  }
}

void
mutate_views (struct mutation *m)
{
  switch (random_below (m->random, 8)) {
  case 0: change_snapshot (m); break;
  case 1: change_l1 (m); break;
  case 2: change_l2 (m); break;
  case 3: change_bitmap (m); break;
  default: mutate_qcow2 (m); break;
  }
}
