/* SPDX-License-Identifier: BSD-3-Clause */
/* The dialects of 'vdisk map'.  Each has a writer: what it does with the
 * extents of a disk, one after the other.  A new dialect is one writer,
 * and one line in map/writer.c.
 */

#ifndef VDISK_MAP_WRITER_H
#define VDISK_MAP_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "map/out.h"
#include "vdisk.h"

/* What is being mapped, and how it was asked for. */
struct map {
  struct vdisk *vdisk;
  const char *image;            /* as the user has named it */
  uint64_t start, end;          /* the range */
  uint64_t cluster_size;        /* of dialects that count clusters */
  bool msb_first;               /* of dialects of bits */
  bool qemu_compressed;         /* has QEMU's document that key? */
  void *state;                  /* the writer's own */
  struct out out;
};

struct map_writer {
  /* What --output takes, and its line of --help. */
  const char *name;
  const char *help;

  /* Bytes of map->state, which starts as zeros and is freed by the
   * caller. */
  size_t state_size;

  /* Write what comes before the first extent. */
  void (*begin) (struct map *map);

  /* Take the next extent.  They tile the range, ascending, and are not
   * merged.  This is called millions of times. */
  void (*extent) (struct map *map, const struct vdisk_extent *extent);

  /* Write what comes after the last extent.  Not called if the map could
   * not be read to the end: then the document stays unfinished. */
  void (*end) (struct map *map);
};

extern const struct map_writer map_writer_bitmap;
extern const struct map_writer map_writer_blocks;
extern const struct map_writer map_writer_cbt;
extern const struct map_writer map_writer_cbt_base64;
extern const struct map_writer map_writer_clusters;
extern const struct map_writer map_writer_csi;
extern const struct map_writer map_writer_human;
extern const struct map_writer map_writer_imageio;
extern const struct map_writer map_writer_imageio_dirty;
extern const struct map_writer map_writer_intervals;
extern const struct map_writer map_writer_nbd_extents;
extern const struct map_writer map_writer_nbdinfo;
extern const struct map_writer map_writer_nbdinfo_dirty;
extern const struct map_writer map_writer_qemu;
extern const struct map_writer map_writer_svg;
extern const struct map_writer map_writer_totals;

/* All that --output takes, NULL-terminated; the first is the default.
 * (Totals are asked for with --totals.) */
extern const struct map_writer *const map_writers[];

/* The writer of that name, or NULL. */
const struct map_writer *map_writer_by_name (const char *name);

/* For writers that have nothing to write at one of the ends. */
void map_write_nothing (struct map *map);

/* "data", "compressed", "zero", "hole". */
const char *map_kind_name (enum vdisk_kind kind);

/* The order in which kinds are listed: those that take space first. */
#define MAP_KINDS 4
extern const enum vdisk_kind map_kinds[MAP_KINDS];

static inline uint64_t
map_extent_end (const struct vdisk_extent *extent)
{
  return extent->offset + extent->length;
}

/* What has to be known of an extent to tell if the next one is more of the
 * same.  Kind and depth are kept apart: an extent has just been made, and
 * a copy of both as one would wait for them to reach the memory. */
struct map_tail {
  enum vdisk_kind kind;
  uint64_t host_end;            /* VDISK_NO_HOST_OFFSET: there is none */
  unsigned depth;
};

static inline void
map_tail_set (struct map_tail *tail, const struct vdisk_extent *extent)
{
  tail->kind = extent->kind;
  tail->depth = extent->depth;
  tail->host_end = extent->host_offset;
  if (tail->host_end != VDISK_NO_HOST_OFFSET)
    tail->host_end += extent->length;
}

/* Would a person see the next extent as more of the last?  Holes are,
 * whatever layer they end in, and so are compressed clusters of one file,
 * wherever in it they are. */
static inline bool
map_tail_goes_on (const struct map_tail *tail,
                  const struct vdisk_extent *next)
{
  if (tail->kind != next->kind)
    return false;
  if (next->kind == VDISK_HOLE)
    return true;
  if (tail->depth != next->depth)
    return false;
  return next->kind == VDISK_PACKED || tail->host_end == next->host_offset;
}

#endif /* VDISK_MAP_WRITER_H */
