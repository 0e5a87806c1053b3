/* SPDX-License-Identifier: BSD-3-Clause */
/* A lookup for each format: from a guest offset to what is there.  The
 * image has been opened, so its header obeys the rules.
 */

#include "naive.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "chain.h"
#include "files.h"
#include "format/qcow2/disk.h"
#include "format/qed/disk.h"
#include "format/vhd/disk.h"
#include "fuzz.h"
#include "image.h"

/* Compressed clusters that are larger are not looked at. */
#define CLUSTER_MAX (64 << 10)
#define PACKED_MAX (128 << 10)

/* What is found: a kind, or that it cannot be told. */
struct found {
  enum { IS_KIND, IS_DAMAGED, IS_UNKNOWN } what;
  enum vdisk_kind kind;
  uint64_t host;
  uint64_t packed_size;
};

static const struct found hole = { .what = IS_KIND, .kind = VDISK_HOLE };
static const struct found zero = { .what = IS_KIND, .kind = VDISK_ZERO };
static const struct found damaged = { .what = IS_DAMAGED };
static const struct found unknown = { .what = IS_UNKNOWN };

struct lookup {
  unsigned file, data_file;     /* their numbers */
  uint64_t size;                /* of the layer's disk */
  bool ignore_bitmaps;          /* of dynamic VHDs */
};

static uint64_t
big (const struct lookup *l, uint64_t at, unsigned width)
{
  uint8_t bytes[8] = { 0 };
  uint64_t value = 0;
  unsigned i;

  fuzz_files_get (l->file, at, bytes, width);
  for (i = 0; i < width; ++i)
    value = value << 8 | bytes[i];
  return value;
}

static uint64_t
little (const struct lookup *l, uint64_t at, unsigned width)
{
  return __builtin_bswap64 (big (l, at, width)) >> (64 - 8 * width);
}

#define BIG(l, type, name)                                      \
  big ((l), offsetof (struct type, name),                       \
       sizeof ((struct type *) 0)->name)
#define LITTLE(l, type, name)                                   \
  little ((l), offsetof (struct type, name),                    \
          sizeof ((struct type *) 0)->name)

static bool
in_file (unsigned file, uint64_t at, uint64_t count)
{
  const uint64_t size = fuzz_files_size (file);

  return at <= size && count <= size - at;
}

static struct found
found_at (uint64_t host)
{
  return (struct found) {
    .what = IS_KIND, .kind = VDISK_DATA, .host = host,
  };
}

/* A byte at 'host', in a cluster that may be cut short by the end of the
 * file. */
static struct found
found_data (const struct lookup *l, uint64_t host, uint64_t cluster)
{
  if (host - host % cluster >= fuzz_files_size (l->data_file))
    return damaged;
  return found_at (host);
}

/* --- QCOW2 -------------------------------------------------------------- */

static struct found
find_packed (const struct lookup *l, uint64_t entry, uint64_t bitmap,
             unsigned bits)
{
  const unsigned offset_bits = 62 - (bits - 8);
  const uint64_t host = entry & ((UINT64_C (1) << offset_bits) - 1);
  const uint64_t sectors =
    (entry & ~(UINT64_C (3) << 62)) >> offset_bits;
  const uint64_t features = BIG (l, qcow2_header, incompatible_features);

  if (BIG (l, qcow2_header, version) >= 3 &&
      (features & QCOW2_EXTERNAL_DATA))
    return damaged;
  if (bitmap != 0 || host >> 56 != 0)
    return damaged;
  return (struct found) {
    .what = IS_KIND, .kind = VDISK_PACKED, .host = host,
    .packed_size = (sectors + 1) * 512 - host % 512,
  };
}

/* An entry that is not for a compressed cluster. */
static struct found
find_cluster (const struct lookup *l, uint64_t entry, uint64_t bitmap,
              uint64_t guest, unsigned bits)
{
  const uint64_t cluster = UINT64_C (1) << bits;
  const bool v3 = BIG (l, qcow2_header, version) >= 3;
  const uint64_t features =
    v3 ? BIG (l, qcow2_header, incompatible_features) : 0;
  const bool extended = features & QCOW2_EXTENDED_L2;
  const bool external = features & QCOW2_EXTERNAL_DATA;
  const uint64_t offset = entry & UINT64_C (0x00fffffffffffe00);
  const unsigned sub = guest % cluster / (cluster / 32);
  const bool allocated = bitmap >> sub & 1, zeros = bitmap >> sub >> 32 & 1;
  const bool zero_entry = v3 && !extended && (entry & 1);
  const bool has_cluster = offset != 0 ||
    (external && entry >> 63 && !zero_entry);

  if (entry & (v3 && !extended ? UINT64_C (0x7f000000000001fe)
               : UINT64_C (0x7f000000000001ff)))
    return damaged;
  if (offset % cluster != 0)
    return damaged;
  if (external && has_cluster && offset != guest - guest % cluster)
    return damaged;
  if (extended) {
    if ((bitmap & bitmap >> 32 & UINT32_MAX) != 0 ||
        (!has_cluster && (bitmap & UINT32_MAX) != 0))
      return damaged;
    if (zeros)
      return zero;
    return allocated ? found_data (l, offset + guest % cluster, cluster)
      : hole;
  }
  if (zero_entry)
    return zero;
  return has_cluster ? found_data (l, offset + guest % cluster, cluster)
    : hole;
}

static struct found
find_qcow2 (const struct lookup *l, uint64_t guest)
{
  const unsigned bits = BIG (l, qcow2_header, cluster_bits);
  const uint64_t cluster = UINT64_C (1) << bits;
  const bool extended = BIG (l, qcow2_header, version) >= 3 &&
    (BIG (l, qcow2_header, incompatible_features) & QCOW2_EXTENDED_L2);
  const unsigned entry_size = extended ? 16 : 8;
  const uint64_t entries = cluster / entry_size;
  uint64_t l1, at, entry, bitmap;

  l1 = big (l, BIG (l, qcow2_header, l1_table_offset) +
            guest / cluster / entries * 8, 8);
  if (l1 & UINT64_C (0x7f000000000001ff))
    return damaged;
  l1 &= UINT64_C (0x00fffffffffffe00);
  if (l1 % cluster != 0)
    return damaged;
  if (l1 == 0)
    return hole;
  at = l1 + guest / cluster % entries * entry_size;
  if (!in_file (l->file, at, entry_size))
    return damaged;
  entry = big (l, at, 8);
  bitmap = extended ? big (l, at + 8, 8) : 0;
  if (entry >> 62 & 1)
    return find_packed (l, entry, bitmap, bits);
  return find_cluster (l, entry, bitmap, guest, bits);
}

/* --- QED ---------------------------------------------------------------- */

static struct found
find_qed (const struct lookup *l, uint64_t guest)
{
  const uint64_t cluster = LITTLE (l, qed_header, cluster_size);
  const uint64_t table = LITTLE (l, qed_header, table_size) * cluster;
  const uint64_t header = LITTLE (l, qed_header, header_size) * cluster;
  const uint64_t number = guest / cluster, entries = table / 8;
  uint64_t l2, offset;

  l2 = little (l, LITTLE (l, qed_header, l1_table_offset) +
               number / entries * 8, 8);
  if (l2 == 0)
    return hole;
  if (l2 % cluster != 0 || l2 < header || !in_file (l->file, l2, table))
    return damaged;
  offset = little (l, l2 + number % entries * 8, 8);
  if (offset == 0 || offset == 1)
    return offset == 0 ? hole : zero;
  if (offset % cluster != 0 || offset < header)
    return damaged;
  return found_data (l, offset + guest % cluster, cluster);
}

/* --- VHD ---------------------------------------------------------------- */

/* Is this a footer that can be trusted? */
static bool
is_footer (const struct lookup *l, uint64_t at)
{
  uint8_t bytes[513] = { 0 };
  uint32_t sum = 0, recorded = 0;
  unsigned i;

  fuzz_files_get (l->file, at, bytes, 512);
  for (i = 0; i < 512; ++i) {
    if (i >= 64 && i < 68)
      recorded = recorded << 8 | bytes[i];
    else
      sum += bytes[i];
  }
  return memcmp (bytes, "conectix", 8) == 0 && recorded == ~sum &&
    bytes[12] == 0 && bytes[13] == 1 && bytes[60] == 0 && bytes[61] == 0 &&
    bytes[62] == 0 && bytes[63] >= 2 && bytes[63] <= 4;
}

/* The footer that counts: the one at the end, which may be a byte short,
 * or else its copy. */
static uint64_t
footer_offset (const struct lookup *l)
{
  const uint64_t size = fuzz_files_size (l->file);

  if (size >= 511 && big (l, size - 511, 8) == UINT64_C (0x636f6e6563746978))
    return is_footer (l, size - 511) ? size - 511 : 0;
  return size >= 512 && is_footer (l, size - 512) ? size - 512 : 0;
}

#define FOOTER(l, at, name)                                             \
  big ((l), (at) + offsetof (struct vhd_footer, name),                  \
       sizeof ((struct vhd_footer *) 0)->name)
#define HEADER(l, at, name)                                             \
  big ((l), (at) + offsetof (struct vhd_dynamic_header, name),          \
       sizeof ((struct vhd_dynamic_header *) 0)->name)

#define LOCATOR(l, at, i, name)                                         \
  big ((l), (at) + offsetof (struct vhd_dynamic_header, locators) +     \
       (i) * sizeof (struct vhd_locator) +                              \
       offsetof (struct vhd_locator, name),                             \
       sizeof ((struct vhd_locator *) 0)->name)

struct range {
  uint64_t start, end;
};

static bool
overlap (struct range a, struct range b)
{
  return a.start < b.end && b.start < a.end;
}

/* What is known of a VHD that has blocks, and where everything in it is. */
static struct vhd_map {
  unsigned file;
  bool is_made;
  uint64_t disk_size, bat, block_size, bitmap_size;
  bool is_differencing;
  struct range tables[6 + VHD_LOCATORS];
  size_t table_count;
  struct {
    uint64_t number;
    struct range place;
  } blocks[FUZZ_FILE_SIZE_MAX / 4];
  size_t block_count;
} vhd_map;

static void
add_table (uint64_t offset, uint64_t size)
{
  if (size > 0)
    vhd_map.tables[vhd_map.table_count++] = (struct range) {
      offset, offset + size,
    };
}

static bool
over_table (struct range range)
{
  size_t i;

  for (i = 0; i < vhd_map.table_count; ++i)
    if (overlap (vhd_map.tables[i], range))
      return true;
  return false;
}

/* One that breaks a rule is nowhere.  Its space is in sectors, or in bytes. */
static void
add_locator (const struct lookup *l, uint64_t header, unsigned i)
{
  const uint64_t offset = LOCATOR (l, header, i, data_offset);
  const uint64_t length = LOCATOR (l, header, i, data_length);
  uint64_t space = LOCATOR (l, header, i, data_space);

  if (space < 512)
    space *= 512;
  if (LOCATOR (l, header, i, code) != 0 && length <= space &&
      length <= 4096 && in_file (l->file, offset, length))
    add_table (offset, length);
}

/* Of the BAT that part counts which the disk needs, whichever of the two
 * sizes it has, and which is there. */
static void
add_tables (const struct lookup *l, uint64_t footer, uint64_t header)
{
  const uint64_t current = FOOTER (l, footer, current_size);
  const uint64_t size = current > l->size ? current : l->size;
  /* A size of an image can be anything, up to 2^64 - 1. */
  const uint64_t wanted = size / vhd_map.block_size +
    (size % vhd_map.block_size != 0);
  const uint64_t left = fuzz_files_size (l->file) - vhd_map.bat;
  uint64_t entries = HEADER (l, header, max_table_entries);
  unsigned i;

  entries = left / 4 < entries ? left / 4 : entries;
  add_table (0, 512);
  add_table (header, 1024);
  add_table (vhd_map.bat, 4 * (wanted < entries ? wanted : entries));
  if (footer != 0)
    add_table (footer, 512);
  for (i = 0; i < VHD_LOCATORS && vhd_map.is_differencing; ++i)
    add_locator (l, header, i);
}

static struct range
bitmap_at (uint64_t sector)
{
  return (struct range) { sector * 512, sector * 512 + vhd_map.bitmap_size };
}

/* A block whose bitmap lies in the file and over no table has its place
 * there, the last one as far as the disk goes. */
static void
add_block (const struct lookup *l, uint64_t number, uint64_t sector)
{
  const uint64_t left = (l->size - number * vhd_map.block_size + 511) /
    512 * 512;
  struct range place = bitmap_at (sector);

  if (sector == UINT32_MAX || over_table (place) ||
      place.end > fuzz_files_size (l->file))
    return;
  place.end += left < vhd_map.block_size ? left : vhd_map.block_size;
  vhd_map.blocks[vhd_map.block_count].number = number;
  vhd_map.blocks[vhd_map.block_count++].place = place;
}

static void
add_blocks (const struct lookup *l)
{
  const uint64_t entries = (l->size + vhd_map.block_size - 1) /
    vhd_map.block_size;
  uint64_t number, i, sector;
  uint8_t bat[512 * 4];

  for (number = 0; number < entries; number += 512) {
    const unsigned count = entries - number < 512 ? entries - number : 512;

    fuzz_files_get (l->file, vhd_map.bat + number * 4, bat, count * 4);
    for (i = 0; i < count; ++i) {
      sector = (uint64_t) bat[4 * i] << 24 | bat[4 * i + 1] << 16 |
        bat[4 * i + 2] << 8 | bat[4 * i + 3];
      if (sector != 0)          /* where the footer's copy is */
        add_block (l, number + i, sector);
    }
  }
}

static void
make_vhd_map (const struct lookup *l, uint64_t footer)
{
  const uint64_t header = FOOTER (l, footer, header_offset);

  if (vhd_map.is_made && vhd_map.file == l->file &&
      vhd_map.disk_size == l->size)
    return;
  vhd_map.is_made = true;
  vhd_map.disk_size = l->size;
  vhd_map.file = l->file;
  vhd_map.table_count = vhd_map.block_count = 0;
  vhd_map.bat = HEADER (l, header, table_offset);
  vhd_map.block_size = HEADER (l, header, block_size);
  vhd_map.bitmap_size = (vhd_map.block_size / 512 + 4095) / 4096 * 512;
  vhd_map.is_differencing = FOOTER (l, footer, type) == VHD_DIFFERENCING;
  add_tables (l, footer, header);
  add_blocks (l);
}

/* Does the bitmap of a block lie in another block? */
static bool
in_other_block (uint64_t number, struct range bitmap)
{
  bool has_place = false, overlaps = false;
  size_t i;

  for (i = 0; i < vhd_map.block_count; ++i) {
    if (vhd_map.blocks[i].number == number)
      has_place = true;
    else if (overlap (vhd_map.blocks[i].place, bitmap))
      overlaps = true;
  }
  return has_place && overlaps;
}

/* A sector that is present is wholly in the file, and over no table. */
static struct found
find_sector (const struct lookup *l, uint64_t host)
{
  const uint64_t start = host / 512 * 512;

  if (!in_file (l->file, start, 512) ||
      over_table ((struct range) { start, start + 512 }))
    return damaged;
  return found_at (host);
}

static struct found
find_vhd (const struct lookup *l, uint64_t guest)
{
  const uint64_t footer = footer_offset (l);
  uint64_t number, within, sector, at;
  bool has_bitmaps;

  if (FOOTER (l, footer, type) == VHD_FIXED)
    return found_at (guest);
  make_vhd_map (l, footer);
  /* A batmap may say that all is there. */
  if (vhd_map.block_size == VHD_BATMAP_BLOCK_SIZE)
    return unknown;
  number = guest / vhd_map.block_size;
  within = guest % vhd_map.block_size;
  sector = big (l, vhd_map.bat + number * 4, 4);
  if (sector == UINT32_MAX)
    return hole;
  has_bitmaps = vhd_map.is_differencing || !l->ignore_bitmaps;
  if (over_table (bitmap_at (sector)) ||
      (has_bitmaps && in_other_block (number, bitmap_at (sector))))
    return damaged;
  at = sector * 512 + within / 4096;
  if (has_bitmaps && !in_file (l->file, at, 1))
    return damaged;
  if (has_bitmaps && !(big (l, at, 1) << within / 512 % 8 & 0x80))
    return hole;
  return find_sector (l, bitmap_at (sector).end + within);
}

/* --- Comparing ---------------------------------------------------------- */

static struct lookup
lookup_in (struct vdisk *vdisk, unsigned depth)
{
  return (struct lookup) {
    .file = fuzz_files_find (vdisk_layer_file (vdisk, depth)),
    .data_file = fuzz_files_find (vdisk_layer_data_file (vdisk, depth)),
    .size = vdisk->chain->layers[depth]->size,
  };
}

static struct found
find (struct vdisk *vdisk, const struct fuzz_control *control,
      unsigned depth, uint64_t guest)
{
  const char *format = vdisk_layer_format (vdisk, depth);
  struct lookup l = lookup_in (vdisk, depth);

  l.ignore_bitmaps = control->ignore_bitmaps;
  if (strcmp (format, "qcow2") == 0)
    return find_qcow2 (&l, guest);
  if (strcmp (format, "qed") == 0)
    return find_qed (&l, guest);
  if (strcmp (format, "vhd") == 0)
    return find_vhd (&l, guest);
  return unknown;
}

/* Whatever is said to be in a layer, those above it have nothing there. */
static void
check_byte (struct vdisk *vdisk, const struct fuzz_control *control,
            const struct vdisk_extent *extent, uint64_t guest)
{
  struct found found;
  unsigned depth;

  for (depth = 0; depth < extent->depth; ++depth) {
    found = find (vdisk, control, depth, guest);
    fuzz_assert (found.what == IS_UNKNOWN ||
                 (found.what == IS_KIND && found.kind == VDISK_HOLE),
                 "%" PRIu64 " is said to be in layer %u, but layer %u has "
                 "it", guest, extent->depth, depth);
  }
  found = find (vdisk, control, depth, guest);
  if (found.what == IS_UNKNOWN)
    return;
  fuzz_assert (found.what == IS_KIND, "%" PRIu64 " is of kind %d, but the "
               "tables are damaged", guest, extent->kind);
  if (extent->host_hole)
    fuzz_assert (found.kind == VDISK_DATA, "%" PRIu64 " is a hole of the "
                 "file, but no data", guest);
  else
    fuzz_assert (found.kind == extent->kind ||
                 (extent->kind == VDISK_HOLE && vdisk_layers (vdisk) > 1),
                 "%" PRIu64 " is of kind %d by the tables, %d by the map",
                 guest, found.kind, extent->kind);
  if (extent->kind == VDISK_PACKED)
    fuzz_assert (found.host == extent->host_offset, "%" PRIu64 " is at %"
                 PRIu64 ", not at %" PRIu64, guest, found.host,
                 extent->host_offset);
  else if (extent->kind == VDISK_DATA || extent->host_hole)
    fuzz_assert (found.host == extent->host_offset + guest - extent->offset,
                 "%" PRIu64 " is at %" PRIu64 ", not at %" PRIu64, guest,
                 found.host, extent->host_offset + guest - extent->offset);
}

/* A byte cannot be mapped: the first layer that does not leave it to the next
 * one is damaged there. */
static void
check_damage (struct vdisk *vdisk, const struct fuzz_control *control,
              uint64_t guest)
{
  struct found found = hole;
  unsigned depth;

  for (depth = 0; depth < vdisk_layers (vdisk) &&
         guest < vdisk->chain->layers[depth]->size; ++depth) {
    found = find (vdisk, control, depth, guest);
    if (found.what != IS_KIND)
      return;
    if (found.kind != VDISK_HOLE)
      break;
  }
  fuzz_fail ("%" PRIu64 " cannot be mapped, but the tables say that it is of "
             "kind %d in layer %u", guest, found.kind, depth);
}

/* The tables that are looked at here are those of the active disk. */
static bool
is_known (const struct vdisk *vdisk)
{
  return strcmp (vdisk_view_name (vdisk), "active") == 0;
}

void
naive_check (struct vdisk *vdisk, const struct fuzz_control *control,
             const struct explored *map)
{
  size_t i;

  if (!is_known (vdisk))
    return;
  vhd_map.is_made = false;
  for (i = 0; i < map->count; ++i) {
    const struct vdisk_extent *extent = &map->at[i];

    check_byte (vdisk, control, extent, extent->offset);
    check_byte (vdisk, control, extent,
                extent->offset + extent->length - 1);
  }
  if (map->failed && map->reached < map->end)
    check_damage (vdisk, control, map->reached);
}

void
naive_check_stream (struct vdisk *vdisk, const struct vdisk_extent *extent)
{
  const struct lookup l = lookup_in (vdisk, extent->depth);
  const struct found found = find_qcow2 (&l, extent->offset);
  const uint64_t size = fuzz_files_size (l.file);
  const uint64_t left = found.host < size ? size - found.host : 0;
  const uint64_t length = found.packed_size < left ? found.packed_size : left;
  const bool zstd = BIG (&l, qcow2_header, version) >= 3 &&
    (BIG (&l, qcow2_header, incompatible_features) & QCOW2_COMPRESSION_TYPE);

  if (!is_known (vdisk))
    return;
  fuzz_assert (extent->packed_length == length, "the stream at %" PRIu64
               " takes %" PRIu64 " bytes, not %" PRIu64, extent->offset,
               length, extent->packed_length);
  fuzz_assert (extent->compression == (zstd ? VDISK_COMPRESSION_ZSTD
                                       : VDISK_COMPRESSION_DEFLATE),
               "the stream at %" PRIu64 " is of compression %d",
               extent->offset, extent->compression);
}

enum inflated
naive_check_packed (struct vdisk *vdisk, const struct vdisk_extent *extent,
                    const uint8_t *bytes)
{
  static uint8_t packed[PACKED_MAX], cluster[CLUSTER_MAX];
  const struct lookup l = lookup_in (vdisk, extent->depth);
  const struct found found = find_qcow2 (&l, extent->offset);
  const uint64_t size = UINT64_C (1) << BIG (&l, qcow2_header, cluster_bits);
  const uint64_t within = extent->offset % size;
  uint64_t count = fuzz_files_size (l.file) - found.host;
  enum inflated r;

  if (!is_known (vdisk))
    return INFLATE_FULL;
  if (count > found.packed_size)
    count = found.packed_size;
  if (size > sizeof cluster || count > sizeof packed ||
      found.host >= fuzz_files_size (l.file))
    return INFLATE_FULL;
  fuzz_files_get (l.file, found.host, packed, count);
  r = fuzz_inflate (BIG (&l, qcow2_header, version) >= 3 &&
                    (BIG (&l, qcow2_header, incompatible_features) &
                     QCOW2_COMPRESSION_TYPE), packed, count, cluster, size);
  if (bytes && r != INFLATE_RESERVED) {
    fuzz_assert (r != INFLATE_BROKEN, "the compressed cluster at %" PRIu64
                 " is read, but cannot be inflated", extent->offset);
    fuzz_assert (memcmp (bytes, cluster + within, extent->length) == 0,
                 "the compressed cluster at %" PRIu64 " is inflated to other "
                 "bytes", extent->offset);
  }
  return r;
}
