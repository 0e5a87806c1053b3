/* SPDX-License-Identifier: BSD-3-Clause */
/* Mutating VHDs: fields of the footer and the header, BAT entries, bitmaps
 * of blocks, locators and the batmap.  Checksums are mostly made right
 * again, and the footer's copy the same as the footer.
 */

#include "mutate.h"

#include <stddef.h>
#include <string.h>

#include "format/vhd/disk.h"
#include "util/align.h"
#include "util/minmax.h"

#define FOOTER_SIZE sizeof (struct vhd_footer)
#define HEADER_SIZE sizeof (struct vhd_dynamic_header)

struct field { uint16_t offset, width; };

#define FIELD(structure, name)                          \
  { offsetof (struct structure, name),                  \
    sizeof ((struct structure *) 0)->name }

static const struct field footer_fields[] = {
  FIELD (vhd_footer, features), FIELD (vhd_footer, version),
  FIELD (vhd_footer, header_offset), FIELD (vhd_footer, time_stamp),
  FIELD (vhd_footer, creator), FIELD (vhd_footer, creator_version),
  FIELD (vhd_footer, original_size), FIELD (vhd_footer, current_size),
  FIELD (vhd_footer, cylinders), FIELD (vhd_footer, heads),
  FIELD (vhd_footer, sectors), FIELD (vhd_footer, type),
  FIELD (vhd_footer, saved_state), FIELD (vhd_footer, hidden),
};

static const struct field header_fields[] = {
  FIELD (vhd_dynamic_header, table_offset),
  FIELD (vhd_dynamic_header, version),
  FIELD (vhd_dynamic_header, max_table_entries),
  FIELD (vhd_dynamic_header, block_size),
  FIELD (vhd_dynamic_header, parent_time_stamp),
};

static uint64_t
get (const struct mutation *m, uint64_t offset, unsigned width)
{
  return mutate_get (m, offset, width, true);
}

static void
put (struct mutation *m, uint64_t offset, unsigned width, uint64_t value)
{
  mutate_put (m, offset, width, true, value);
}

/* Where the footer that counts is. */
static uint64_t
footer_offset (const struct mutation *m)
{
  return m->size < FOOTER_SIZE ? 0 : m->size - FOOTER_SIZE;
}

static uint64_t
header_offset (const struct mutation *m)
{
  return get (m, footer_offset (m) +
              offsetof (struct vhd_footer, header_offset), 8);
}

#define GET_HEADER(m, name)                                             \
  get ((m), header_offset (m) + offsetof (struct vhd_dynamic_header,    \
                                          name),                        \
       sizeof ((struct vhd_dynamic_header *) 0)->name)

static uint64_t
block_size (const struct mutation *m)
{
  const uint64_t size = GET_HEADER (m, block_size);

  return is_power_of_2 (size) && size >= VHD_SECTOR_SIZE ? size : 2 << 20;
}

/* Make the checksum at 'at' right for the 'size' bytes at 'offset'. */
static void
settle_checksum (struct mutation *m, uint64_t offset, uint64_t size,
                 uint64_t at)
{
  uint32_t sum = 0;
  uint64_t i;

  if (offset > m->size || size > m->size - offset)
    return;
  put (m, at, 4, 0);
  for (i = 0; i < size; ++i)
    sum += m->bytes[offset + i];
  put (m, at, 4, ~sum);
}

/* Make the footer right, and its copy. */
static void
settle_footer (struct mutation *m)
{
  const uint64_t footer = footer_offset (m);

  if (m->size < 2 * FOOTER_SIZE)
    return;
  settle_checksum (m, footer, FOOTER_SIZE,
                   footer + offsetof (struct vhd_footer, checksum));
  if (get (m, footer + offsetof (struct vhd_footer, type), 4) != VHD_FIXED)
    memcpy (m->bytes, m->bytes + footer, FOOTER_SIZE);
}

static void
settle_header (struct mutation *m)
{
  const uint64_t header = header_offset (m);

  settle_checksum (m, header, HEADER_SIZE, header +
                   offsetof (struct vhd_dynamic_header, checksum));
}

static void
change_footer (struct mutation *m)
{
  const struct field *field =
    &footer_fields[random_below (m->random, sizeof footer_fields /
                                 sizeof footer_fields[0])];
  const uint64_t at = footer_offset (m) + field->offset;
  uint64_t value = get (m, at, field->width);

  if (one_in (m, 4))
    value = mutate_place (m, VHD_SECTOR_SIZE);
  else if (field->offset == offsetof (struct vhd_footer, type))
    value = VHD_FIXED + random_below (m->random, 3);
  else
    value = mutate_number (m, value);
  put (m, at, field->width, value);
}

/* As the creator says, other things count. */
static void
change_creator (struct mutation *m)
{
  static const char *const creators[] = {
    "vpc ", "qemu", "qem2", "tap\0", "win ", "caml",
  };
  const uint64_t at = footer_offset (m) +
    offsetof (struct vhd_footer, creator);

  if (m->size >= FOOTER_SIZE)
    memcpy (m->bytes + at, creators[random_below (m->random, 6)], 4);
}

static void
change_header (struct mutation *m)
{
  const struct field *field =
    &header_fields[random_below (m->random, sizeof header_fields /
                                 sizeof header_fields[0])];
  const uint64_t at = header_offset (m) + field->offset;

  put (m, at, field->width, one_in (m, 3)
       ? mutate_place (m, VHD_SECTOR_SIZE)
       : mutate_number (m, get (m, at, field->width)));
}

/* Let the disk have as many blocks as the BAT has entries for, or so. */
static void
settle_size (struct mutation *m)
{
  const uint64_t size = block_size (m) * GET_HEADER (m, max_table_entries);

  put (m, footer_offset (m) + offsetof (struct vhd_footer, current_size), 8,
       size - (one_in (m, 2) ? random_below (m->random, 2048) : 0));
}

/* Where the BAT entry of some block is, mostly one of the first. */
static uint64_t
pick_entry (struct mutation *m)
{
  const uint64_t count = GET_HEADER (m, max_table_entries);

  return GET_HEADER (m, table_offset) + 4 *
    random_below (m->random, one_in (m, 4) ? count + 1 : 4);
}

static void
change_bat (struct mutation *m)
{
  const uint64_t at = pick_entry (m);
  uint64_t value = get (m, at, 4);

  switch (random_below (m->random, 8)) {
  case 0: case 1: value = VHD_BAT_UNUSED; break;
  case 2: value = mutate_number (m, value); break;
  default: value = mutate_place (m, VHD_SECTOR_SIZE) / VHD_SECTOR_SIZE;
  }
  put (m, at, 4, value);
}

static void
change_bitmap (struct mutation *m)
{
  const uint64_t bytes = divide_up (block_size (m), 8 * VHD_SECTOR_SIZE);
  const uint64_t at = get (m, pick_entry (m), 4) * VHD_SECTOR_SIZE;
  const unsigned bit = random_below (m->random, 8);
  uint64_t i = random_below (m->random, bytes);

  switch (random_below (m->random, 3)) {
  case 0:
    put (m, at + i, 1, get (m, at + i, 1) ^ (1 << bit));
    break;
  case 1:
    put (m, at + i, 1, one_in (m, 2) ? 0 : 0xff);
    break;
  default:
    mutate_bytes (m, at, bytes);
    break;
  }
}

/* Change a locator, or what it leads to. */
static void
change_locator (struct mutation *m)
{
  static const uint32_t codes[] = {
    VHD_LOCATOR_NONE, VHD_LOCATOR_W2RU, VHD_LOCATOR_W2KU,
    VHD_LOCATOR_WI2R, VHD_LOCATOR_WI2K, VHD_LOCATOR_MACX,
  };
  const uint64_t at = header_offset (m) +
    offsetof (struct vhd_dynamic_header, locators) +
    sizeof (struct vhd_locator) * random_below (m->random, VHD_LOCATORS);
  const uint64_t data = get (m, at + offsetof (struct vhd_locator,
                                               data_offset), 8);

  switch (random_below (m->random, 5)) {
  case 0:
    put (m, at, 4, codes[random_below (m->random, 6)]);
    break;
  case 1:
    put (m, at + 4 + 4 * random_below (m->random, 2), 4,
         mutate_number (m, 1));
    break;
  case 2:
    put (m, at + offsetof (struct vhd_locator, data_offset), 8,
         mutate_place (m, VHD_SECTOR_SIZE));
    break;
  default:
    mutate_bytes (m, data, get (m, at + offsetof (struct vhd_locator,
                                                  data_length), 4));
    break;
  }
}

/* Make a null UUID of the parent's, or the own one. */
static void
change_parent_uuid (struct mutation *m)
{
  const uint64_t at = header_offset (m) +
    offsetof (struct vhd_dynamic_header, parent_uuid);

  if (at > m->size || m->size - at < 16 || m->size < FOOTER_SIZE)
    return;
  if (one_in (m, 2))
    memset (m->bytes + at, 0, 16);
  else
    memmove (m->bytes + at, m->bytes + footer_offset (m) +
             offsetof (struct vhd_footer, uuid), 16);
}

/* Change the batmap's header or bits, and make its checksum right. */
static void
change_batmap (struct mutation *m)
{
  const uint64_t header = GET_HEADER (m, table_offset) +
    round_up (GET_HEADER (m, max_table_entries) * 4, VHD_SECTOR_SIZE);
  uint64_t map;

  if (header > m->size ||
      m->size - header < sizeof (struct vhd_batmap_header))
    return;
  memcpy (m->bytes + header, VHD_BATMAP_COOKIE, VHD_COOKIE_SIZE);
  mutate_bytes (m, header + VHD_COOKIE_SIZE,
                one_in (m, 4) ? 20 : 0);
  map = get (m, header + offsetof (struct vhd_batmap_header, map_offset),
             8);
  mutate_bytes (m, map, 4);
  settle_checksum (m, map, VHD_SECTOR_SIZE, header +
                   offsetof (struct vhd_batmap_header, checksum));
}

/* Sectors come and go before the footer. */
static void
change_size (struct mutation *m)
{
  const uint64_t at = round_down (random_below (m->random,
                                                footer_offset (m) + 1),
                                  VHD_SECTOR_SIZE);
  const uint64_t count = VHD_SECTOR_SIZE *
    (1 + random_below (m->random, 8));

  if (one_in (m, 2))
    mutate_insert (m, at, count);
  else
    mutate_remove (m, at, count);
  if (one_in (m, 32))
    mutate_truncate (m, 1);             /* a footer of 511 bytes */
}

void
mutate_vhd (struct mutation *m)
{
  switch (random_below (m->random, 16)) {
  case 0: case 1: change_footer (m); break;
  case 2: change_creator (m); break;
  case 3: case 4: change_header (m); break;
  case 5: settle_size (m); break;
  case 6: case 7: case 8: change_bat (m); break;
  case 9: case 10: change_bitmap (m); break;
  case 11: change_locator (m); break;
  case 12: change_parent_uuid (m); break;
  case 13: change_batmap (m); break;
  case 14: change_size (m); break;
  default: mutate_bytes (m, random_below (m->random, m->size), 64); break;
  }
  if (!one_in (m, 32))
    settle_header (m);
  if (!one_in (m, 32))
    settle_footer (m);
}
