/* SPDX-License-Identifier: BSD-3-Clause */
/* The document of 'qemu-img map --output=json', byte for byte.
 *
 * The order of the keys, the spaces and the lines are QEMU's, and so are
 * some views of its: a hole of a raw file or of a VHD is "present", one of
 * a QCOW2 or QED image is not; a hole of the host file under allocated
 * clusters is "data", and "zero" only in some images (see
 * vdisk_layer_qemu_finds_holes); disks end at a multiple of 512.
 *
 * QEMU has no differences.  They are as an overlay would be: what has not
 * changed is not "present", in whatever format; and they end where the disk
 * does.
 */

#include "map/writer.h"

#include <string.h>

#define SECTOR_SIZE 512

/* The largest there is in QCOW2. */
#define CLUSTER_SIZE_MAX (2 << 20)

/* Layers deeper than this are asked again and again. */
#define LAYERS_MAX 256

enum {
  PRESENT = 1, ZERO = 2, DATA = 4, COMPRESSED = 8, HAS_OFFSET = 16,
};

/* An object of the document. */
struct entry {
  uint64_t start, length, offset;
  unsigned depth;
  unsigned flags;
};

enum trait {
  RAW = 1, VHD = 2, ASKED_FOR_HOLES = 4, FINDS_HOLES = 8,
};

struct state {
  struct entry entry;           /* not written yet: it may grow */
  uint64_t end;                 /* of the disk, as QEMU sees it */
  uint8_t traits[LAYERS_MAX];   /* enum trait of each layer */
};

static unsigned
format_traits (const struct map *map, unsigned depth)
{
  const char *format = vdisk_layer_format (map->vdisk, depth);

  if (format == NULL || vdisk_is_difference (map->vdisk))
    return 0;
  return strcmp (format, "raw") == 0 ? RAW
    : strcmp (format, "vhd") == 0 ? VHD : 0;
}

static unsigned
traits_of (const struct map *map, unsigned depth)
{
  const struct state *state = map->state;

  return depth < LAYERS_MAX ? state->traits[depth]
    : format_traits (map, depth);
}

static bool
finds_holes (struct map *map, unsigned depth)
{
  struct state *state = map->state;
  unsigned traits = traits_of (map, depth);

  if (!(traits & ASKED_FOR_HOLES)) {
    traits |= ASKED_FOR_HOLES;
    if (vdisk_layer_qemu_finds_holes (map->vdisk, depth))
      traits |= FINDS_HOLES;
    if (depth < LAYERS_MAX)
      state->traits[depth] = traits;
  }
  return traits & FINDS_HOLES;
}

static void
put_bool (struct out *out, const char *key, bool value)
{
  out_text (out, key);
  out_text (out, value ? "true" : "false");
}

static void
put_entry (struct map *map, const struct entry *entry)
{
  struct out *out = &map->out;

  out_text (out, "{ \"start\": ");
  out_number (out, entry->start);
  out_text (out, ", \"length\": ");
  out_number (out, entry->length);
  out_text (out, ", \"depth\": ");
  out_number (out, entry->depth);
  put_bool (out, ", \"present\": ", entry->flags & PRESENT);
  put_bool (out, ", \"zero\": ", entry->flags & ZERO);
  put_bool (out, ", \"data\": ", entry->flags & DATA);
  if (map->qemu_compressed)
    put_bool (out, ", \"compressed\": ", entry->flags & COMPRESSED);
  if (entry->flags & HAS_OFFSET) {
    out_text (out, ", \"offset\": ");
    out_number (out, entry->offset);
  }
  out_text (out, "}");
}

static bool
entry_continues (const struct entry *a, const struct entry *b)
{
  if (a->flags != b->flags || a->depth != b->depth)
    return false;
  return !(a->flags & HAS_OFFSET) || a->offset + a->length == b->offset;
}

static void
add_entry (struct map *map, const struct entry *entry)
{
  struct state *state = map->state;

  if (state->entry.length > 0) {
    if (entry_continues (&state->entry, entry)) {
      state->entry.length += entry->length;
      return;
    }
    put_entry (map, &state->entry);
    out_text (&map->out, ",\n");
  }
  state->entry = *entry;
}

static unsigned
flags_of (struct map *map, const struct vdisk_extent *extent)
{
  const unsigned offset =
    extent->host_offset != VDISK_NO_HOST_OFFSET ? HAS_OFFSET : 0;

  switch (extent->kind) {
  case VDISK_DATA:
    return PRESENT | DATA | offset;
  case VDISK_PACKED:
    /* QEMU does not tell where compressed clusters are. */
    return PRESENT | DATA | (map->qemu_compressed ? COMPRESSED : 0);
  case VDISK_ZERO:
    if (!extent->host_hole)
      return PRESENT | ZERO | offset;
    return PRESENT | DATA | offset |
      (finds_holes (map, extent->depth) ? ZERO : 0);
  case VDISK_HOLE:
    return ZERO | offset |
      (traits_of (map, extent->depth) & (RAW | VHD) ? PRESENT : 0);
  }
  return 0;
}

/* Zeros by which QEMU fills the last sector of a raw file, or of what a
 * server serves: there they are nowhere. */
static void
add_padding (struct map *map, uint64_t start, uint64_t end, unsigned depth)
{
  add_entry (map, &(struct entry) {
      .start = start, .length = end - start, .offset = start,
      .depth = depth, .flags = PRESENT | ZERO |
        (vdisk_is_uri (vdisk_layer_file (map->vdisk, depth)) ? 0
         : HAS_OFFSET),
    });
}

static uint64_t
sector_end (uint64_t offset)
{
  return (offset | (SECTOR_SIZE - 1)) + 1;
}

/* Offset 0 of an external data file is a cluster like any other, but a
 * zero cluster there has no space for QEMU, unless it is made of
 * subclusters.  Returns how many bytes of the layer's file that is. */
static uint64_t
overlooked_size (const struct map *map, unsigned depth)
{
  const uint32_t size = vdisk_layer_cluster_size (map->vdisk, depth);

  return vdisk_layer_subcluster_size (map->vdisk, depth) == size ? size : 0;
}

/* Add the part of an extent, from 'start' on, whose space QEMU overlooks.
 * Returns where the rest starts. */
static uint64_t
add_overlooked (struct map *map, const struct vdisk_extent *extent,
                uint64_t start, uint64_t end)
{
  const unsigned depth = extent->depth;
  uint64_t size;

  if (extent->kind != VDISK_ZERO || extent->host_hole ||
      extent->host_offset >= CLUSTER_SIZE_MAX ||
      !vdisk_layer_has_data_file (map->vdisk, depth))
    return start;
  size = overlooked_size (map, depth);
  if (extent->host_offset >= size)
    return start;
  if (size < end)
    end = size;
  add_entry (map, &(struct entry) {
      .start = start, .length = end - start,
      .depth = depth, .flags = PRESENT | ZERO,
    });
  return end;
}

/* Where the raw file below a hole ends within a sector, add the rest of
 * that.  Returns where the rest of the hole starts. */
static uint64_t
add_padding_below (struct map *map, const struct vdisk_extent *extent,
                   uint64_t start, uint64_t end)
{
  if (extent->kind != VDISK_HOLE || start % SECTOR_SIZE == 0 ||
      start == map->start ||
      !(traits_of (map, extent->depth + 1) & RAW))
    return start;
  if (end > sector_end (start))
    end = sector_end (start);
  add_padding (map, start, end, extent->depth + 1);
  return end;
}

static void
qemu_begin (struct map *map)
{
  struct state *state = map->state;
  unsigned i;

  for (i = 0; i < vdisk_layers (map->vdisk) && i < LAYERS_MAX; ++i)
    state->traits[i] = format_traits (map, i);
  state->end = vdisk_size (map->vdisk) & ~(uint64_t) (SECTOR_SIZE - 1);
  if (vdisk_is_difference (map->vdisk) || traits_of (map, 0) & RAW)
    state->end = vdisk_size (map->vdisk);
  state->entry.start = map->start;
  out_text (&map->out, "[");
}

static void
qemu_extent (struct map *map, const struct vdisk_extent *extent)
{
  const struct state *state = map->state;
  uint64_t start = extent->offset, end = map_extent_end (extent);

  if (end > state->end)
    end = state->end;
  if (start >= end)
    return;
  start = add_padding_below (map, extent, start, end);
  start = add_overlooked (map, extent, start, end);
  if (start < end)
    add_entry (map, &(struct entry) {
        .start = start, .length = end - start,
        .offset = extent->host_offset + (start - extent->offset),
        .depth = extent->depth, .flags = flags_of (map, extent),
      });
}

static void
qemu_end (struct map *map)
{
  const struct state *state = map->state;
  const uint64_t size = vdisk_size (map->vdisk);

  if (map->end == size && size % SECTOR_SIZE != 0 &&
      traits_of (map, 0) & RAW)
    add_padding (map, size, sector_end (size), 0);
  /* For no bytes at all there is an object too. */
  put_entry (map, &state->entry);
  out_text (&map->out, "]\n");
}

const struct map_writer map_writer_qemu = {
  .name = "qemu",
  .help = "as 'qemu-img map --output=json'",
  .state_size = sizeof (struct state),
  .begin = qemu_begin,
  .extent = qemu_extent,
  .end = qemu_end,
};
