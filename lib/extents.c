/* SPDX-License-Identifier: BSD-3-Clause */
/* Telling extents, with the holes of the host files.
 *
 * Where the file of a layer has a hole under data, the data reads as zeros:
 * a raw disk has a hole there, in other formats it is a ZERO that is
 * allocated.  The same is true of what lies beyond the end of a file that
 * ends within its last cluster.
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

/* Tell a piece of data whose kind the file has. */
static int
report_piece (const struct extents *extents, const struct layer *layer,
              struct vdisk_extent *piece)
{
  if (extents->known_kind == VDISK_HOLE && layer->is_raw)
    piece->kind = VDISK_HOLE;
  else if (extents->known_kind != VDISK_DATA) {
    piece->kind = VDISK_ZERO;
    piece->host_hole = 1;
  }
  return extents->callback (extents->opaque, piece) != 0;
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
may_have_holes (const struct chain *chain, const struct interval *interval)
{
  const struct source *source = chain->layers[interval->depth]->data;

  return interval->kind == VDISK_DATA && chain->host_holes &&
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
    const struct vdisk_extent extent = {
      .offset = interval->offset, .length = interval->length,
      .host_offset = interval->host, .kind = interval->kind,
      .depth = interval->depth,
    };

    if (may_have_holes (extents->chain, interval))
      r = report_data (extents, &extent, error);
    else
      r = extents->callback (extents->opaque, &extent) != 0;
  }
  return r;
}
