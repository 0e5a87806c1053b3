/* SPDX-License-Identifier: BSD-3-Clause */
/* Mutating QCOW2 images: header fields, feature bits and header
 * extensions, entries of L1, L2 and refcount tables, lists of snapshots and
 * bitmaps.  Offsets mostly become those of a cluster in the file.
 */

#include "mutate.h"

#include <stddef.h>
#include <string.h>

#include "format/qcow2/disk.h"
#include "util/align.h"
#include "util/minmax.h"

/* What a header field means. */
enum field_kind { NUMBER, SMALL, OFFSET, BITS };

#define FIELD(kind, name)                                       \
  { kind, offsetof (struct qcow2_header, name),                 \
    sizeof ((struct qcow2_header *) 0)->name }

static const struct field {
  enum field_kind kind;
  uint8_t offset, width;
} fields[] = {
  FIELD (SMALL, version),
  FIELD (OFFSET, backing_file_offset),
  FIELD (NUMBER, backing_file_size),
  FIELD (SMALL, cluster_bits),
  FIELD (NUMBER, size),
  FIELD (SMALL, crypt_method),
  FIELD (NUMBER, l1_size),
  FIELD (OFFSET, l1_table_offset),
  FIELD (OFFSET, refcount_table_offset),
  FIELD (NUMBER, refcount_table_clusters),
  FIELD (SMALL, nb_snapshots),
  FIELD (OFFSET, snapshots_offset),
  FIELD (BITS, incompatible_features),
  FIELD (BITS, compatible_features),
  FIELD (BITS, autoclear_features),
  FIELD (SMALL, refcount_order),
  FIELD (NUMBER, header_length),
  FIELD (SMALL, compression_type),
};

static uint64_t
get_field (const struct mutation *m, size_t offset, unsigned width)
{
  return mutate_get (m, offset, width, true);
}

#define GET(m, name)                                            \
  get_field ((m), offsetof (struct qcow2_header, name),         \
             sizeof ((struct qcow2_header *) 0)->name)

static void
put_field (struct mutation *m, size_t offset, unsigned width,
           uint64_t value)
{
  mutate_put (m, offset, width, true, value);
}

#define PUT(m, name, value)                                     \
  put_field ((m), offsetof (struct qcow2_header, name),         \
             sizeof ((struct qcow2_header *) 0)->name, (value))

static uint64_t
cluster_size (const struct mutation *m)
{
  const uint64_t bits = GET (m, cluster_bits);

  return UINT64_C (1) << (bits >= QCOW2_CLUSTER_BITS_MIN &&
                          bits <= QCOW2_CLUSTER_BITS_MAX ? bits : 9);
}

static bool
is_extended (const struct mutation *m)
{
  return GET (m, version) >= 3 &&
    GET (m, incompatible_features) & QCOW2_EXTENDED_L2;
}

static void
change_field (struct mutation *m)
{
  const struct field *field =
    &fields[random_below (m->random, sizeof fields / sizeof fields[0])];
  uint64_t value = get_field (m, field->offset, field->width);

  switch (field->kind) {
  case NUMBER: value = mutate_number (m, value); break;
  case SMALL: value = random_below (m->random, 24); break;
  case OFFSET: value = mutate_place (m, cluster_size (m)); break;
  case BITS: value ^= 1 << random_below (m->random, 6); break;
  }
  put_field (m, field->offset, field->width, value);
}

/* Make the parts of the header agree that most images fail by. */
static void
settle_header (struct mutation *m)
{
  const unsigned bits = log2_of (cluster_size (m));
  const uint64_t covered =
    UINT64_C (1) << (2 * bits - (is_extended (m) ? 4 : 3));
  const uint64_t l1_offset = GET (m, l1_table_offset);
  const uint64_t room = l1_offset < m->size
    ? (m->size - l1_offset) / QCOW2_L1_ENTRY_SIZE : 0;
  const bool zstd = GET (m, compression_type) == QCOW2_COMPRESSION_ZSTD;
  uint64_t features = GET (m, incompatible_features);

  PUT (m, magic, QCOW2_MAGIC);
  PUT (m, cluster_bits, bits);
  PUT (m, l1_table_offset, round_down (l1_offset, UINT64_C (1) << bits));
  if (GET (m, size) > room * covered)
    PUT (m, size, random_below (m->random, room * covered + 1));
  PUT (m, l1_size, divide_up (GET (m, size), covered));
  if (GET (m, version) != 2) {
    PUT (m, version, 3);
    PUT (m, header_length, sizeof (struct qcow2_header));
    features &= QCOW2_KNOWN_FEATURES & ~QCOW2_COMPRESSION_TYPE;
    PUT (m, incompatible_features,
         features | (zstd ? QCOW2_COMPRESSION_TYPE : 0));
  }
}

/* An index below 'count', most often one of the first. */
static uint64_t
pick_index (struct mutation *m, uint64_t count)
{
  if (count == 0)
    return 0;
  return random_below (m->random, one_in (m, 4) ? count :
                       min_u64 (count, 4));
}

static uint64_t
pick_offset (struct mutation *m)
{
  return mutate_place (m, cluster_size (m)) |
    (one_in (m, 2) ? QCOW2_COPIED : 0);
}

static void
change_l1 (struct mutation *m)
{
  const uint64_t at = GET (m, l1_table_offset) + QCOW2_L1_ENTRY_SIZE *
    pick_index (m, GET (m, l1_size));
  uint64_t value = mutate_get (m, at, 8, true);

  switch (random_below (m->random, 8)) {
  case 0: value = 0; break;
  case 1: value = mutate_number (m, value); break;
  case 2: value ^= QCOW2_COPIED; break;
  default: value = pick_offset (m); break;
  }
  mutate_put (m, at, 8, true, value);
}

/* The descriptor of a compressed cluster somewhere in the file. */
static uint64_t
packed_entry (struct mutation *m)
{
  const unsigned bits =
    QCOW2_COMPRESSED_OFFSET_BITS (log2_of (cluster_size (m)));
  const uint64_t sectors = random_below (m->random, 4);

  return QCOW2_COMPRESSED | (sectors << bits & ~QCOW2_COPIED) |
    random_below (m->random, m->size + 1);
}

static uint64_t
pick_l2_entry (struct mutation *m, uint64_t old)
{
  switch (random_below (m->random, 12)) {
  case 0: return 0;
  case 1: return QCOW2_ZERO;
  case 2: return pick_offset (m) | QCOW2_ZERO;
  case 3: return mutate_number (m, old);
  case 4: return packed_entry (m);
  case 5: return old ^ (one_in (m, 2) ? QCOW2_ZERO : QCOW2_COPIED);
  case 6: return old ^ QCOW2_COMPRESSED;
  case 7: return old + 1;                       /* packed: one byte on */
  default: return pick_offset (m);
  }
}

/* Bits of subclusters, mostly none that is both allocated and zero. */
static uint64_t
pick_bitmap (struct mutation *m, uint64_t old)
{
  const uint64_t random = random_next (m->random);

  switch (random_below (m->random, 6)) {
  case 0: return 0;
  case 1: return UINT32_MAX;
  case 2: return (uint64_t) UINT32_MAX << QCOW2_SUBCLUSTERS;
  case 3: return old ^ UINT64_C (1) << random % 64;
  case 4: return random;
  default: return random & ~(random >> QCOW2_SUBCLUSTERS);
  }
}

static void
change_l2 (struct mutation *m)
{
  const bool extended = is_extended (m);
  const unsigned entry_size = extended ? QCOW2_EXTENDED_L2_ENTRY_SIZE
    : QCOW2_L2_ENTRY_SIZE;
  const uint64_t l1 = mutate_get (m, GET (m, l1_table_offset) +
                                  QCOW2_L1_ENTRY_SIZE *
                                  pick_index (m, GET (m, l1_size)), 8, true);
  const uint64_t at = (l1 & QCOW2_OFFSET_MASK) + entry_size *
    pick_index (m, cluster_size (m) / entry_size);

  if (l1 == 0) {
    change_l1 (m);
    return;
  }
  if (!extended || one_in (m, 2))
    mutate_put (m, at, 8, true,
                pick_l2_entry (m, mutate_get (m, at, 8, true)));
  if (extended)
    mutate_put (m, at + 8, 8, true,
                pick_bitmap (m, mutate_get (m, at + 8, 8, true)));
}

/* Copy an entry of some table over its neighbour, as a run. */
static void
repeat_entry (struct mutation *m)
{
  const uint64_t at = random_below (m->random, m->size / 8) * 8;
  const uint64_t step = one_in (m, 2) ? cluster_size (m) : 0;

  mutate_put (m, at + 8, 8, true, mutate_get (m, at, 8, true) + step);
}

/* Where header extensions start. */
static uint64_t
extensions_offset (const struct mutation *m)
{
  return GET (m, version) == 2 ? QCOW2_HEADER_LENGTH_V2 :
    GET (m, header_length);
}

/* Write an extension, and after it the end, or what was there. */
static void
put_extension (struct mutation *m)
{
  static const uint32_t types[] = {
    QCOW2_EXTENSION_BACKING_FORMAT, QCOW2_EXTENSION_FEATURE_NAMES,
    QCOW2_EXTENSION_DATA_FILE, QCOW2_EXTENSION_BITMAPS,
    QCOW2_EXTENSION_CRYPT, 0x12345678,
  };
  static const char *const values[] = { "raw", "qcow2", "b", "/b", "c" };
  const char *value = values[random_below (m->random, 5)];
  const uint32_t type = types[random_below (m->random, 6)];
  uint64_t at = extensions_offset (m);
  uint64_t length = strlen (value);
  size_t i;

  while (one_in (m, 2) && mutate_get (m, at, 4, true) != 0)
    at += 8 + round_up (mutate_get (m, at + 4, 4, true), 8);
  if (type == QCOW2_EXTENSION_BITMAPS) {
    length = sizeof (struct qcow2_bitmaps_extension);
    mutate_put (m, at + 8, 4, true, random_below (m->random, 4));
    mutate_put (m, at + 16, 8, true, random_below (m->random, 200));
    mutate_put (m, at + 24, 8, true, mutate_place (m, cluster_size (m)));
  }
  else if (type == QCOW2_EXTENSION_CRYPT) {
    length = sizeof (struct qcow2_crypt_extension);
    mutate_put (m, at + 8, 8, true, mutate_place (m, cluster_size (m)));
    mutate_put (m, at + 16, 8, true, random_below (m->random, m->size));
  }
  else
    for (i = 0; i < length; ++i)
      mutate_put (m, at + 8 + i, 1, true, value[i]);
  if (one_in (m, 8))
    length = mutate_number (m, length);
  mutate_put (m, at, 4, true, type);
  mutate_put (m, at + 4, 4, true, length);
  if (one_in (m, 2))
    mutate_put (m, at + 8 + round_up (length, 8), 4, true, 0);
}

/* Refer to a backing file whose name is at the end of the first cluster,
 * or to none any more. */
static void
put_backing (struct mutation *m)
{
  const uint64_t end = min_u64 (cluster_size (m), m->size);

  if (GET (m, backing_file_offset) != 0 && one_in (m, 2)) {
    PUT (m, backing_file_offset, 0);
    return;
  }
  PUT (m, backing_file_offset, end - 1);
  PUT (m, backing_file_size, 1);
  mutate_put (m, end - 1, 1, true, 'b');
}

static void
change_refcounts (struct mutation *m)
{
  uint64_t at = GET (m, refcount_table_offset);

  if (one_in (m, 3)) {
    mutate_put (m, at + 8 * pick_index (m, 64), 8, true,
                mutate_place (m, cluster_size (m)));
    return;
  }
  at = mutate_get (m, at, 8, true);
  at += random_below (m->random, divide_up (m->size, cluster_size (m)) * 2);
  mutate_put (m, at, 1, true, random_below (m->random, 4));
}

/* Change a number in an entry of the list of snapshots or bitmaps. */
static void
change_list (struct mutation *m)
{
  uint64_t at = GET (m, snapshots_offset);
  const unsigned width = one_in (m, 2) ? 8 : one_in (m, 2) ? 4 : 2;
  const uint64_t value = one_in (m, 2) ? mutate_place (m, cluster_size (m))
    : mutate_number (m, 1);

  if (at == 0 || one_in (m, 2))
    at = mutate_get (m, extensions_offset (m) + 24, 8, true);
  if (at == 0)
    at = mutate_place (m, cluster_size (m));
  mutate_put (m, at + random_below (m->random, 80 / width) * width, width,
              true, value);
}

static void
change_size (struct mutation *m)
{
  const uint64_t step = min_u64 (cluster_size (m), 4096);
  const uint64_t at = round_down (random_below (m->random, m->size + 1),
                                  512);

  if (one_in (m, 2))
    mutate_insert (m, at, step);
  else if (one_in (m, 2))
    mutate_truncate (m, 1 + random_below (m->random, step));
  else
    mutate_remove (m, at, step);
}

void
mutate_qcow2 (struct mutation *m)
{
  switch (random_below (m->random, 20)) {
  case 0: case 1: change_field (m); break;
  case 2: case 3: change_field (m); settle_header (m); break;
  case 4: case 5: case 6: change_l1 (m); break;
  case 7: case 8: case 9: case 10: case 11: change_l2 (m); break;
  case 12: repeat_entry (m); break;
  case 13: put_extension (m); break;
  case 14: put_backing (m); break;
  case 15: change_refcounts (m); break;
  case 16: change_list (m); break;
  case 17: change_size (m); break;
  case 18: settle_header (m); break;
  default: mutate_bytes (m, random_below (m->random, m->size), 64); break;
  }
}
