/* SPDX-License-Identifier: BSD-3-Clause */
/* A lookup for each format: from a guest offset to what is there.  The
 * image has been opened, so its header obeys the rules.
 */

#include "naive.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "files.h"
#include "format/qcow2/disk.h"
#include "format/qed/disk.h"
#include "format/vhd/disk.h"
#include "fuzz.h"

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

static struct found
find_vhd (const struct lookup *l, uint64_t guest)
{
  const uint64_t footer = footer_offset (l);
  const uint64_t header = FOOTER (l, footer, header_offset);
  const uint64_t bat = HEADER (l, header, table_offset);
  const uint64_t size = HEADER (l, header, block_size);
  const uint64_t within = size ? guest % size : 0;
  const uint64_t file_sectors = fuzz_files_size (l->file) / 512;
  uint64_t sector, bitmap_sectors, host;

  if (FOOTER (l, footer, type) == VHD_FIXED)
    return found_at (guest);
  /* A batmap may say that all is there. */
  if (size == VHD_BATMAP_BLOCK_SIZE)
    return unknown;
  sector = big (l, bat + guest / size * 4, 4);
  if (sector == UINT32_MAX)
    return hole;
  bitmap_sectors = (size / 512 + 4095) / 4096;
  host = (sector + bitmap_sectors) * 512 + within;
  if (FOOTER (l, footer, type) == VHD_DIFFERENCING ||
      !l->ignore_bitmaps) {
    const uint64_t at = sector * 512 + within / 4096;

    if (!in_file (l->file, at, 1))
      return damaged;
    if (!(big (l, at, 1) << within / 512 % 8 & 0x80))
      return hole;
  }
  if (host / 512 >= file_sectors)
    return damaged;
  return found_at (host);
}

/* --- Comparing ---------------------------------------------------------- */

static struct lookup
lookup_in (struct vdisk *vdisk, unsigned depth)
{
  return (struct lookup) {
    .file = fuzz_files_find (vdisk_layer_file (vdisk, depth)),
    .data_file = fuzz_files_find (vdisk_layer_data_file (vdisk, depth)),
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

void
naive_check (struct vdisk *vdisk, const struct fuzz_control *control,
             const struct explored *map)
{
  struct found found;
  size_t i;

  for (i = 0; i < map->count; ++i) {
    const struct vdisk_extent *extent = &map->at[i];

    check_byte (vdisk, control, extent, extent->offset);
    check_byte (vdisk, control, extent,
                extent->offset + extent->length - 1);
  }
  /* A block of a VHD may also be where another one, or a table, is. */
  if (map->failed && map->reached < map->end &&
      strcmp (vdisk_layer_format (vdisk, 0), "vhd") != 0) {
    found = find (vdisk, control, 0, map->reached);
    fuzz_assert (found.what != IS_KIND ||
                 (found.kind == VDISK_HOLE && vdisk_layers (vdisk) > 1),
                 "%" PRIu64 " cannot be mapped, but the tables say that it "
                 "is of kind %d", map->reached, found.kind);
  }
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
