/* SPDX-License-Identifier: BSD-3-Clause */
/* Mutating QED images: header fields, and entries of L1 and L2 tables. */

#include "mutate.h"

#include <stddef.h>

#include "format/qed/disk.h"
#include "util/align.h"
#include "util/minmax.h"

#define FIELD(name)                                             \
  offsetof (struct qed_header, name),                           \
  sizeof ((struct qed_header *) 0)->name

#define GET(m, name) get_number ((m), FIELD (name))
#define PUT(m, name, value) put_number ((m), FIELD (name), (value))

static uint64_t
get_number (const struct mutation *m, uint64_t offset, unsigned width)
{
  return mutate_get (m, offset, width, false);
}

static void
put_number (struct mutation *m, uint64_t offset, unsigned width,
            uint64_t value)
{
  mutate_put (m, offset, width, false, value);
}

static uint64_t
cluster_size (const struct mutation *m)
{
  const uint64_t size = GET (m, cluster_size);

  return is_power_of_2 (size) && size >= QED_CLUSTER_SIZE_MIN ? size
    : QED_CLUSTER_SIZE_MIN;
}

static void
change_field (struct mutation *m)
{
  static const struct { uint8_t offset, width; } fields[] = {
    { FIELD (cluster_size) }, { FIELD (table_size) },
    { FIELD (header_size) }, { FIELD (features) },
    { FIELD (compat_features) }, { FIELD (autoclear_features) },
    { FIELD (l1_table_offset) }, { FIELD (image_size) },
    { FIELD (backing_filename_offset) }, { FIELD (backing_filename_size) },
  };
  const size_t i = random_below (m->random,
                                 sizeof fields / sizeof fields[0]);
  const uint64_t old = get_number (m, fields[i].offset, fields[i].width);

  put_number (m, fields[i].offset, fields[i].width,
              one_in (m, 3) ? mutate_place (m, cluster_size (m))
              : mutate_number (m, old));
}

/* Make right what most images fail by. */
static void
settle_header (struct mutation *m)
{
  const uint64_t table = GET (m, table_size) * GET (m, cluster_size);

  PUT (m, magic, QED_MAGIC);
  if (!is_power_of_2 (GET (m, cluster_size)) ||
      GET (m, cluster_size) < QED_CLUSTER_SIZE_MIN ||
      GET (m, cluster_size) > m->size)
    PUT (m, cluster_size, QED_CLUSTER_SIZE_MIN);
  if (!is_power_of_2 (GET (m, table_size)) || table > m->size)
    PUT (m, table_size, 1);
  PUT (m, features, GET (m, features) & QED_F_KNOWN);
  PUT (m, header_size, 1);
  PUT (m, l1_table_offset, max_u64 (1, random_below (m->random, 3)) *
       cluster_size (m));
  PUT (m, image_size, round_down (GET (m, image_size), QED_SECTOR_SIZE) &
       INT64_MAX);
}

static void
put_backing (struct mutation *m)
{
  PUT (m, features, GET (m, features) ^
       (QED_F_BACKING_FILE |
        (one_in (m, 2) ? QED_F_BACKING_FORMAT_NO_PROBE : 0)));
  PUT (m, backing_filename_offset, sizeof (struct qed_header));
  PUT (m, backing_filename_size, 1);
  put_number (m, sizeof (struct qed_header), 1, 'b');
}

static uint64_t
pick_entry (struct mutation *m, uint64_t old)
{
  switch (random_below (m->random, 8)) {
  case 0: return QED_OFFSET_UNALLOCATED;
  case 1: return QED_OFFSET_ZERO;
  case 2: return mutate_number (m, old);
  case 3: return old + cluster_size (m);
  default: return mutate_place (m, cluster_size (m));
  }
}

/* Change an entry of the table at 'table', or go down from there. */
static void
change_entry (struct mutation *m, uint64_t table, unsigned level)
{
  const uint64_t entries = cluster_size (m) / QED_ENTRY_SIZE;
  const uint64_t at = table + QED_ENTRY_SIZE *
    random_below (m->random, one_in (m, 4) ? entries : 4);
  const uint64_t entry = get_number (m, at, QED_ENTRY_SIZE);

  if (level == 0 && entry > QED_OFFSET_ZERO && !one_in (m, 4))
    change_entry (m, entry, 1);
  else
    put_number (m, at, QED_ENTRY_SIZE, pick_entry (m, entry));
}

static void
change_size (struct mutation *m)
{
  const uint64_t at = round_down (random_below (m->random, m->size + 1),
                                  512);

  if (one_in (m, 2))
    mutate_insert (m, at, QED_CLUSTER_SIZE_MIN);
  else if (one_in (m, 2))
    mutate_truncate (m, 1 + random_below (m->random,
                                          QED_CLUSTER_SIZE_MIN));
  else
    mutate_remove (m, at, QED_CLUSTER_SIZE_MIN);
}

void
mutate_qed (struct mutation *m)
{
  switch (random_below (m->random, 12)) {
  case 0: case 1: change_field (m); break;
  case 2: change_field (m); settle_header (m); break;
  case 3: settle_header (m); break;
  case 4: put_backing (m); break;
  case 5: change_size (m); break;
  case 6: mutate_bytes (m, random_below (m->random, m->size), 64); break;
  default: change_entry (m, GET (m, l1_table_offset), 0); break;
  }
}
