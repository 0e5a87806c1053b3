/* SPDX-License-Identifier: BSD-3-Clause */
/* Telling extents, with the holes of the host files.
 *
 * Where the file of a layer has a hole under data, the data reads as zeros:
 * a raw disk has a hole there, in other formats it is a ZERO that is
 * allocated.  So it is in a difference of raw disks, too, where HOLE is what
 * has not changed.  The same is true of what lies beyond the end of a file
 * that ends within its last cluster.
 *
 * Extents come in the pieces in which they are found, or merged: then the
 * last one is held back until it is known where it ends.
 */

#include "extents.h"

#include "chain.h"
#include "util/error.h"
#include "source/source.h"
#include "util/checked.h"
#include "util/minmax.h"

/* Find out what is at 'host' in a file, and how far. */
static int
look_up (struct extents *extents, struct source *source, uint64_t host,
         struct vdisk_error *error)
{
  uint64_t length = UINT64_MAX - host;

  extents->source = NULL;
  extents->known_kind = VDISK_HOLE;
  if (host < source->size &&
      source_extent (source, host, &length, &extents->known_kind,
                     error) == -1)
    return -1;
  extents->source = source;
  extents->known_offset = host;
  extents->known_end = host + length;
  return 0;
}

static inline bool
is_known (const struct extents *extents, const struct source *source,
          uint64_t host)
{
  return extents->source == source && host >= extents->known_offset &&
    host < extents->known_end;
}

/* Is 'next' more of what 'last', its neighbour, is? */
static bool
continues (const struct chain *chain, const struct vdisk_extent *last,
           const struct vdisk_extent *next)
{
  if (last->kind != next->kind || last->depth != next->depth ||
      last->host_hole != next->host_hole)
    return false;
  /* The next cluster may have the same stream, from its start again. */
  if (next->kind == VDISK_PACKED)
    return next->offset % chain->layers[next->depth]->cluster_size != 0;
  if (last->host_offset == VDISK_NO_HOST_OFFSET ||
      next->host_offset == VDISK_NO_HOST_OFFSET)
    return last->host_offset == next->host_offset;
  return last->host_offset + last->length == next->host_offset;
}

int
extents_finish (struct extents *extents)
{
  const struct vdisk_extent last = extents->pending;

  extents->pending.length = 0;
  return last.length > 0 && extents->callback (extents->opaque, &last) != 0;
}

/* Tell an extent, or see first if it goes on.  1 if the callback wants no
 * more. */
static int
report_extent (struct extents *extents, const struct vdisk_extent *extent)
{
  if (!(extents->flags & VDISK_EXTENTS_MERGED))
    return extents->callback (extents->opaque, extent) != 0;
  if (extents->pending.length > 0 &&
      continues (extents->chain, &extents->pending, extent)) {
    extents->pending.length += extent->length;
    return 0;
  }
  if (extents_finish (extents))
    return 1;
  extents->pending = *extent;
  return 0;
}

/* Tell a piece of data whose kind the file has. */
static int
report_piece (struct extents *extents, const struct layer *layer,
              struct vdisk_extent *piece)
{
  if (extents->known_kind == VDISK_HOLE && layer->is_raw &&
      !extents->is_difference)
    piece->kind = VDISK_HOLE;
  else if (extents->known_kind != VDISK_DATA) {
    piece->kind = VDISK_ZERO;
    piece->host_hole = 1;
  }
  return report_extent (extents, piece);
}

/* Tell data in the pieces that its file has of it. */
static int
report_data (struct extents *extents, const struct vdisk_extent *data,
             struct vdisk_error *error)
{
  const struct layer *layer = extents->chain->layers[data->depth];
  uint64_t done;
  int r = 0;

  for (done = 0; done < data->length && r == 0; ) {
    struct vdisk_extent piece = *data;

    piece.offset += done;
    piece.host_offset += done;
    if (!is_known (extents, layer->data, piece.host_offset) &&
        look_up (extents, layer->data, piece.host_offset, error) == -1)
      return -1;
    piece.length = min_u64 (data->length - done,
                            extents->known_end - piece.host_offset);
    done += piece.length;
    r = report_piece (extents, layer, &piece);
  }
  return r;
}

/* May some of it be no data, but a hole of its file? */
static inline bool
may_have_holes (const struct extents *extents,
                const struct interval *interval)
{
  const struct chain *chain = extents->chain;
  const struct source *source = chain->layers[interval->depth]->data;

  return interval->kind == VDISK_DATA && chain->host_holes &&
    !(extents->flags & VDISK_EXTENTS_NO_HOST_HOLES) &&
    (source->sparse ||
     !range_within (interval->host, interval->length, source->size));
}

unsigned
vdisk_extent_nbd_flags (const struct vdisk_extent *extent)
{
  switch (extent->kind) {
  case VDISK_HOLE: return VDISK_NBD_HOLE | VDISK_NBD_ZERO;
  case VDISK_ZERO:
    return VDISK_NBD_ZERO | (extent->host_hole ? 0 : VDISK_NBD_HOLE);
  case VDISK_DATA:
  case VDISK_PACKED: return 0;
  }
  return 0;
}

int
extents_report (struct extents *extents, const struct interval *intervals,
                size_t count, struct vdisk_error *error)
{
  size_t i;
  int r = 0;

  for (i = 0; i < count && r == 0; ++i) {
    const struct interval *interval = &intervals[i];
    struct vdisk_extent extent = {
      .offset = interval->offset, .length = interval->length,
      .host_offset = interval->host, .kind = interval->kind,
      .depth = interval->depth,
    };

    if (interval->kind == VDISK_PACKED) {
      const struct layer *layer = extents->chain->layers[interval->depth];

      extent.compression = layer->compression;
      extent.packed_length = layer_packed_size (layer, interval);
    }
    if (may_have_holes (extents, interval))
      r = report_data (extents, &extent, error);
    else
      r = report_extent (extents, &extent);
  }
  return r;
}
