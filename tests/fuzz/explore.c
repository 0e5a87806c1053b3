/* SPDX-License-Identifier: BSD-3-Clause */
/* The promises of vdisk.h about extents and reads:
 *
 *   extents tile the range that was asked for, ascending, and say what the
 *   tables say (naive.c);
 *   the map of a piece is that piece of the map, also where it ends in
 *   damage;
 *   merged extents are maximal, and otherwise the same;
 *   without the holes of the host file the map has what the tables say;
 *   HOLE and ZERO read as zeros, DATA as the bytes of its file;
 *   what can be mapped can be read, but for compressed clusters;
 *   reading again, and reading in pieces, gives the same bytes;
 *   the work is in proportion to the size of the files;
 *   every failure has an error;
 *   a read of the file that fails does no harm to what comes after it.
 */

#include "explore.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bounds.h"
#include "files.h"
#include "fuzz.h"
#include "naive.h"
#include "util/align.h"
#include "util/checked.h"
#include "util/minmax.h"

/* A disk of holes comes in so many extents that the callback is not called
 * for more, although there would be room. */
#define CALLS_MAX 512

/* Pieces that the whole map is compared with, and windows that are read. */
#define PIECES 2
#define WINDOWS 2
#define WINDOW_MAX 4096
#define CLUSTER_MAX ((size_t) 64 << 10)

static uint8_t whole_bytes[CLUSTER_MAX], other_bytes[CLUSTER_MAX];

/* QED's. */
#define CLUSTER_SIZE_MAX (64 << 20)

/* A difference compares what is shared, of which there may be all the work
 * that small files are granted. */
#define DIFFERENCE_READS_MAX (1 << 20)

/* No call may read more than this: see fuzz_meter_check.  The most that has
 * been seen is some thousand; a VHD can have a block, whose bitmap is read,
 * for every four bytes of its BAT. */
static uint64_t
reads_max (const struct vdisk *vdisk)
{
  return vdisk_is_difference (vdisk) ? DIFFERENCE_READS_MAX
    : vdisk_layers (vdisk) *
    (1024 + VHD_ABSENT_SIZE_MAX / 512 + fuzz_files_total () / 2);
}

/* The number of the file that an extent's host_offset is in. */
static unsigned
file_under (struct vdisk *vdisk, const struct vdisk_extent *extent)
{
  const char *name = vdisk_layer_data_file (vdisk, extent->depth);
  const int number = fuzz_files_find (name);

  fuzz_assert (number != -1, "the data file %s is unknown", name);
  return number;
}

/* A compressed cluster has a stream, in the file or where it has ended. */
static void
check_packed (struct vdisk *vdisk, const struct vdisk_extent *extent)
{
  if (extent->kind != VDISK_PACKED)
    fuzz_assert (extent->compression == VDISK_COMPRESSION_NONE &&
                 extent->packed_length == 0, "kind %d is compressed by %d, "
                 "%" PRIu64 " bytes", extent->kind, extent->compression,
                 extent->packed_length);
  else
    naive_check_stream (vdisk, extent);
}

static void
check_extent (struct vdisk *vdisk, const struct vdisk_extent *extent)
{
  const bool has_host = extent->host_offset != VDISK_NO_HOST_OFFSET;
  const bool is_data = extent->kind == VDISK_DATA ||
    extent->host_hole;
  uint64_t size;

  fuzz_assert (extent->kind <= VDISK_PACKED, "kind %d", extent->kind);
  fuzz_assert (extent->depth < vdisk_layers (vdisk), "depth %u of %u",
               extent->depth, vdisk_layers (vdisk));
  fuzz_assert (!extent->host_hole || extent->kind == VDISK_ZERO,
               "a hole of the host file is of kind %d", extent->kind);
  fuzz_assert (has_host || (!is_data && extent->kind != VDISK_PACKED),
               "kind %d has no host offset", extent->kind);
  check_packed (vdisk, extent);
  if (!is_data)
    return;
  /* It may end within a cluster. */
  size = round_up (fuzz_files_size (file_under (vdisk, extent)),
                   CLUSTER_SIZE_MAX);
  fuzz_assert (range_within (extent->host_offset, extent->length, size),
               "%" PRIu64 " bytes at host offset %" PRIu64 " of %" PRIu64,
               extent->length, extent->host_offset, size);
}

/* Does b only go on with what a says?  Of compressed clusters it does if both
 * are in the same one. */
static bool
continues (struct vdisk *vdisk, const struct vdisk_extent *a,
           const struct vdisk_extent *b)
{
  if (a->kind != b->kind || a->depth != b->depth ||
      a->host_hole != b->host_hole)
    return false;
  if (a->kind == VDISK_PACKED)
    return a->offset / vdisk_layer_cluster_size (vdisk, a->depth) ==
      b->offset / vdisk_layer_cluster_size (vdisk, b->depth);
  return (a->host_offset == VDISK_NO_HOST_OFFSET ?
     b->host_offset == VDISK_NO_HOST_OFFSET :
     a->host_offset + a->length == b->host_offset);
}

struct taking {
  struct vdisk *vdisk;
  struct explored *map;
};

static int
take (void *opaque, const struct vdisk_extent *extent)
{
  const struct taking *taking = opaque;
  struct explored *map = taking->map;
  struct vdisk_extent *last = map->count ? &map->at[map->count - 1] : NULL;

  fuzz_assert (extent->offset == map->reached,
               "an extent at %" PRIu64 ", must be at %" PRIu64,
               extent->offset, map->reached);
  fuzz_assert (extent->length > 0 &&
               extent->length <= map->end - map->reached,
               "an extent of %" PRIu64 " bytes, %" PRIu64 " are left",
               extent->length, map->end - map->reached);
  check_extent (taking->vdisk, extent);
  if (++map->calls > CALLS_MAX)
    return 1;
  if (last && continues (taking->vdisk, last, extent)) {
    fuzz_assert (!(map->flags & VDISK_EXTENTS_MERGED), "the extent at %"
                 PRIu64 " continues the one before it", extent->offset);
    last->length += extent->length;
  }
  else if (map->count == EXPLORE_EXTENTS_MAX)
    return 1;
  else
    map->at[map->count++] = *extent;
  map->reached += extent->length;
  return 0;
}

/* Map once.  False if it has to be done again, for a read has failed. */
static bool
try_map (struct vdisk *vdisk, uint64_t offset, uint64_t count,
         unsigned flags, struct explored *map)
{
  struct taking taking = { .vdisk = vdisk, .map = map };
  struct vdisk_error error = { .errnum = -1 };

  map->offset = map->reached = offset;
  map->end = offset + count;
  map->count = map->calls = 0;
  map->flags = flags;
  fuzz_meter_start ();
  map->failed = vdisk_extents_flags (vdisk, offset, count, flags, take,
                                     &taking, &error) == -1;
  fuzz_meter_check ("map", reads_max (vdisk));
  if (map->failed)
    fuzz_check_error ("map", &error);
  map->exhausted = map->failed &&
    strstr (error.message, ": tables or blocks overlap: ");
  map->failed = map->failed && !map->exhausted;
  return !map->failed || !fuzz_files_has_failed ();
}

static void
explore_map_flags (struct vdisk *vdisk, uint64_t offset, uint64_t count,
                   unsigned flags, struct explored *map)
{
  while (!try_map (vdisk, offset, count, flags, map))
    fuzz_files_arm (0);
  fuzz_assert (map->failed || map->exhausted ||
               map->reached == map->end || map->calls > CALLS_MAX ||
               map->count == EXPLORE_EXTENTS_MAX,
               "the map of %" PRIu64 "+%" PRIu64 " ends at %" PRIu64,
               offset, count, map->reached);
}

void
explore_map (struct vdisk *vdisk, uint64_t offset, uint64_t count,
             struct explored *map)
{
  explore_map_flags (vdisk, offset, count, 0, map);
}

/* The extent of a map that an offset is in. */
static const struct vdisk_extent *
extent_at (const struct explored *map, uint64_t offset)
{
  const struct vdisk_extent *extent = map->at;

  while (offset - extent->offset >= extent->length)
    extent++;
  return extent;
}

/* Where the byte at 'offset' is in the file, of an extent it is in. */
static uint64_t
host_of (const struct vdisk_extent *extent, uint64_t offset)
{
  if (extent->kind == VDISK_PACKED ||
      extent->host_offset == VDISK_NO_HOST_OFFSET)
    return extent->host_offset;
  return extent->host_offset + (offset - extent->offset);
}

/* The map of a piece has to be that piece of the whole map, as far as
 * both go. */
static void
compare_maps (const struct explored *whole, const struct explored *piece)
{
  uint64_t offset = piece->offset;
  const uint64_t end = min_u64 (whole->reached, piece->reached);

  while (offset < end) {
    const struct vdisk_extent *a = extent_at (whole, offset);
    const struct vdisk_extent *b = extent_at (piece, offset);

    fuzz_assert (a->kind == b->kind && a->depth == b->depth &&
                 a->host_hole == b->host_hole &&
                 host_of (a, offset) == host_of (b, offset),
                 "at %" PRIu64 " the whole map has kind %d of layer %u at "
                 "%" PRIu64 ", the map of a piece kind %d of layer %u at %"
                 PRIu64, offset, a->kind, a->depth, host_of (a, offset),
                 b->kind, b->depth, host_of (b, offset));
    offset = min_u64 (a->offset + a->length, b->offset + b->length);
  }
  if (whole->failed && whole->reached >= piece->offset)
    fuzz_assert (piece->reached <= whole->reached,
                 "damage at %" PRIu64 " is not in the map of a piece",
                 whole->reached);
  if (piece->failed)
    fuzz_assert (piece->reached >= whole->reached &&
                 (!whole->failed || piece->reached == whole->reached ||
                  piece->offset > whole->reached),
                 "damage at %" PRIu64 " is only in the map of a piece",
                 piece->reached);
}

/* What the image itself says of the bytes of an extent. */
static enum vdisk_kind
plain_kind (struct vdisk *vdisk, const struct vdisk_extent *extent)
{
  const bool is_raw = extent->kind == VDISK_HOLE &&
    extent->host_offset != VDISK_NO_HOST_OFFSET &&
    strcmp (vdisk_layer_format (vdisk, extent->depth), "raw") == 0;

  return is_raw || extent->host_hole ? VDISK_DATA : extent->kind;
}

/* The map without holes of the host file: data is what they were in. */
static void
compare_plain (struct vdisk *vdisk, const struct explored *map,
               const struct explored *plain)
{
  uint64_t offset = plain->offset;
  const uint64_t end = min_u64 (map->reached, plain->reached);

  while (offset < end) {
    const struct vdisk_extent *a = extent_at (map, offset);
    const struct vdisk_extent *b = extent_at (plain, offset);

    fuzz_assert (!b->host_hole && a->depth == b->depth &&
                 host_of (a, offset) == host_of (b, offset) &&
                 b->kind == plain_kind (vdisk, a),
                 "at %" PRIu64 " the map has kind %d of layer %u at %" PRIu64
                 ", without holes of the file kind %d of layer %u at %"
                 PRIu64, offset, a->kind, a->depth, host_of (a, offset),
                 b->kind, b->depth, host_of (b, offset));
    offset = min_u64 (a->offset + a->length, b->offset + b->length);
  }
}

/* The same map by each flag.  Where there are more extents than are wanted
 * it ends elsewhere. */
static void
check_flags (struct vdisk *vdisk, const struct explored *map)
{
  static struct explored other;
  const uint64_t count = map->end - map->offset;

  explore_map_flags (vdisk, map->offset, count, VDISK_EXTENTS_MERGED,
                     &other);
  compare_maps (map, &other);
  explore_map_flags (vdisk, map->offset, count, VDISK_EXTENTS_NO_HOST_HOLES,
                     &other);
  compare_plain (vdisk, map, &other);
}

/* Read; 0 or an errno value. */
static int
try_read (struct vdisk *vdisk, uint8_t *buffer, size_t count,
          uint64_t offset)
{
  struct vdisk_error error = { .errnum = -1 };
  int r;

  fuzz_meter_start ();
  r = vdisk_pread (vdisk, buffer, count, offset, &error);
  fuzz_meter_check ("read", reads_max (vdisk));
  if (r == 0) {
    fuzz_assert (error.errnum == 0, "a read succeeds with an error: %s",
                 error.message);
    return 0;
  }
  fuzz_check_error ("read", &error);
  return error.errnum;
}

static int
read_bytes (struct vdisk *vdisk, uint8_t *buffer, size_t count,
            uint64_t offset)
{
  int r = try_read (vdisk, buffer, count, offset);

  if (r != 0 && fuzz_files_has_failed ()) {
    fuzz_assert (r == EIO, "a read of the file fails: errnum %d", r);
    fuzz_files_arm (0);
    r = try_read (vdisk, buffer, count, offset);
  }
  return r;
}

static bool
has_packed (const struct explored *map)
{
  size_t i;

  for (i = 0; i < map->count; ++i)
    if (map->at[i].kind == VDISK_PACKED)
      return true;
  return false;
}

/* Can each compressed cluster of a map be inflated, to the end of its
 * stream?  Then it has to be. */
static bool
is_perfect (struct vdisk *vdisk, const struct explored *map)
{
  size_t i;

  for (i = 0; i < map->count; ++i)
    if (map->at[i].kind == VDISK_PACKED &&
        naive_check_packed (vdisk, &map->at[i], NULL) != INFLATE_PERFECT)
      return false;
  return true;
}

/* The bytes that were read are what the map says. */
static void
compare_bytes (struct vdisk *vdisk, const struct explored *map,
               const uint8_t *bytes)
{
  size_t i;

  for (i = 0; i < map->count; ++i) {
    const struct vdisk_extent *extent = &map->at[i];
    const uint8_t *from = bytes + (extent->offset - map->offset);

    if (extent->kind == VDISK_DATA)
      fuzz_assert (fuzz_files_has (file_under (vdisk, extent),
                                   extent->host_offset, from,
                                   extent->length),
                   "the data at %" PRIu64 " is not that of the file",
                   extent->offset);
    else if (extent->kind == VDISK_PACKED)
      naive_check_packed (vdisk, extent, from);
    else
      fuzz_assert (fuzz_is_zeros (from, extent->length),
                   "kind %d at %" PRIu64 " does not read as zeros",
                   extent->kind, extent->offset);
  }
}

/* Read a piece of what was read as a whole with the result 'r'. */
static void
read_piece (struct vdisk *vdisk, int r, uint64_t offset, size_t at,
            size_t count)
{
  int piece;

  if (count == 0)
    return;
  piece = read_bytes (vdisk, other_bytes, count, offset + at);
  if (r == 0) {
    fuzz_assert (piece == 0, "%zu bytes at %" PRIu64 " cannot be read, but "
                 "more can", count, offset + at);
    fuzz_assert (memcmp (whole_bytes + at, other_bytes, count) == 0,
                 "%zu bytes at %" PRIu64 " differ when read alone", count,
                 offset + at);
  }
}

/* Read a range in several ways.  The map of it is known. */
static void
read_range (struct vdisk *vdisk, const struct explored *map,
            struct random *random)
{
  const size_t count = map->end - map->offset;
  const int r = read_bytes (vdisk, whole_bytes, count, map->offset);
  size_t at, end;

  fuzz_assert (!(map->failed && r == 0), "%zu bytes at %" PRIu64 " cannot "
               "be mapped, but read", count, map->offset);
  if (r != 0) {
    fuzz_assert (map->failed || !is_perfect (vdisk, map), "%zu bytes at %"
                 PRIu64 " can be mapped, but not read: errnum %d", count,
                 map->offset, r);
    fuzz_assert (read_bytes (vdisk, other_bytes, count, map->offset) == r,
                 "reading again fails in another way");
    return;
  }
  compare_bytes (vdisk, map, whole_bytes);
  at = random_below (random, count);
  end = at + random_below (random, count - at + 1);
  read_piece (vdisk, r, map->offset, at, end - at);
  read_piece (vdisk, r, map->offset, 0, at);
  read_piece (vdisk, r, map->offset, at, count - at);
}

/* Read the whole cluster of a compressed one: that takes another way. */
static void
read_cluster (struct vdisk *vdisk, const struct explored *map,
              struct explored *cluster, struct random *random)
{
  const uint32_t size = vdisk_cluster_size (vdisk);
  const uint64_t start = round_down (map->offset, size);

  if (size > CLUSTER_MAX || !has_packed (map) ||
      size > vdisk_size (vdisk) - start)
    return;
  explore_map (vdisk, start, size, cluster);
  if (cluster->failed || cluster->reached == cluster->end)
    read_range (vdisk, cluster, random);
}

/* Somewhere: mostly where one extent ends and another starts. */
static uint64_t
pick_offset (const struct explored *whole, uint64_t size,
             struct random *random)
{
  const uint64_t step = random_below (random, 1024);
  uint64_t offset;

  if (whole->count == 0 || random_below (random, 4) == 0)
    return random_below (random, size);
  offset = whole->at[random_below (random, whole->count)].offset;
  if (random_below (random, 2) == 0)
    offset = whole->reached - 1;
  return offset > step ? offset - step : offset;
}

static void
check_window (struct vdisk *vdisk, const struct explored *whole,
              struct fuzz_control *control)
{
  struct random *random = &control->random;
  static struct explored window, cluster;
  const uint64_t size = vdisk_size (vdisk);
  const uint64_t offset = pick_offset (whole, size, random);
  const uint64_t count = min_u64 (size - offset,
                                  1 + random_below (random, WINDOW_MAX));

  explore_map (vdisk, offset, count, &window);
  naive_check (vdisk, control, &window);
  compare_maps (whole, &window);
  check_flags (vdisk, &window);
  if (window.failed || window.reached == window.end) {
    read_range (vdisk, &window, random);
    read_cluster (vdisk, &window, &cluster, random);
  }
  if (vdisk_prefetch (vdisk, offset, count, NULL) == 0)
    fuzz_assert (!window.failed, "what cannot be mapped is prefetched");
  else
    fuzz_assert (window.failed || fuzz_files_has_failed (),
                 "what can be mapped is not prefetched");
}

static void
check_piece (struct vdisk *vdisk, const struct explored *whole,
             struct random *random)
{
  static struct explored piece;
  const uint64_t size = vdisk_size (vdisk);
  const uint64_t offset = pick_offset (whole, size, random);

  explore_map (vdisk, offset, 1 + random_below (random, size - offset),
               &piece);
  compare_maps (whole, &piece);
}

/* What lies beyond the end is refused; nothing of nothing is fine. */
static void
check_end (struct vdisk *vdisk)
{
  const uint64_t size = vdisk_size (vdisk);
  struct explored none;

  fuzz_assert (read_bytes (vdisk, other_bytes, 1, size) == EINVAL,
               "a byte beyond the end is read");
  fuzz_assert (read_bytes (vdisk, other_bytes, 0, size) == 0,
               "no byte cannot be read");
  explore_map (vdisk, size, 0, &none);
  fuzz_assert (!none.failed, "no byte cannot be mapped");
  explore_map (vdisk, size, 1, &none);
  fuzz_assert (none.failed, "a byte beyond the end is mapped");
}

/* Perhaps let a read of the next calls fail. */
static void
arm (struct fuzz_control *control)
{
  if (control->faulty)
    fuzz_files_arm (random_below (&control->random, 16));
}

void
explore (struct vdisk *vdisk, struct fuzz_control *control)
{
  static struct explored whole;
  const uint64_t size = vdisk_size (vdisk);
  unsigned i;

  fuzz_assert (size <= INT64_MAX, "a disk of %" PRIu64 " bytes", size);
  fuzz_assert (is_power_of_2 (vdisk_cluster_size (vdisk)) &&
               is_power_of_2 (vdisk_preferred_block_size (vdisk)),
               "clusters of %u bytes", vdisk_cluster_size (vdisk));
  explore_map (vdisk, 0, size, &whole);
  naive_check (vdisk, control, &whole);
  check_flags (vdisk, &whole);
  check_end (vdisk);
  for (i = 0; i < PIECES && size > 0; ++i) {
    arm (control);
    check_piece (vdisk, &whole, &control->random);
  }
  for (i = 0; i < WINDOWS && size > 0; ++i) {
    arm (control);
    check_window (vdisk, &whole, control);
  }
  fuzz_files_arm (0);
}
