/* SPDX-License-Identifier: BSD-3-Clause */
/* The documents of 'vhd-tool read_headers' and 'read_headers_interval':
 * which clusters (blocks, of a VHD) of the disk hold data.
 *
 * Rounding is outward: a cluster is listed if any byte of it is data,
 * stored or compressed, in whatever file of the chain.  What reads as
 * zeros is not listed, even where the image says so itself: readers copy
 * the clusters that are listed to a target that starts as zeros, so that a
 * cluster zeroed over a backing file's data is right for being left out.
 * (A reader that lays them over another disk needs a dialect that tells
 * zeros from holes.)
 *
 * vhd-tool goes by the block allocation table alone, and so also lists
 * blocks in which nothing was ever written.
 */

#include "map/changed.h"

struct state {
  unsigned bits;                /* log2 of the cluster size */
  uint64_t first, last;         /* a run of clusters, not written yet */
  bool has_run;
  bool has_written;
};

/* Write the run of a struct state. */
typedef void put_run (struct out *out, const struct state *state);

static void
put_numbers (struct out *out, const struct state *state)
{
  uint64_t i;

  for (i = state->first; i <= state->last && out->error == 0; ++i) {
    if (i > state->first)
      out_bytes (out, ",", 1);
    out_number (out, i);
  }
}

static void
put_interval (struct out *out, const struct state *state)
{
  out_bytes (out, "[", 1);
  out_number (out, state->first);
  out_bytes (out, ",", 1);
  out_number (out, state->last);
  out_bytes (out, "]", 1);
}

static inline void
finish_run (struct map *map, put_run *put)
{
  struct state *state = map->state;

  if (!state->has_run)
    return;
  if (state->has_written)
    out_bytes (&map->out, ",", 1);
  put (&map->out, state);
  state->has_written = true;
}

static inline void
add_extent (struct map *map, const struct vdisk_extent *extent,
            put_run *put)
{
  struct state *state = map->state;
  uint64_t first, last;

  if (!map_is_changed (map, extent))
    return;
  first = extent->offset >> state->bits;
  last = (map_extent_end (extent) - 1) >> state->bits;
  if (!state->has_run || first > state->last + 1) {
    finish_run (map, put);
    state->first = first;
    state->has_run = true;
  }
  state->last = last;
}

static void
clusters_begin (struct map *map)
{
  struct state *state = map->state;

  state->bits = __builtin_ctzll (map->cluster_size);
  out_text (&map->out, "{\"virtual_size\":");
  out_number (&map->out, vdisk_size (map->vdisk));
  out_text (&map->out, ",\"cluster_bits\":");
  out_number (&map->out, state->bits);
  out_text (&map->out, ",\"data_clusters\":[");
}

static void
clusters_extent (struct map *map, const struct vdisk_extent *extent)
{
  add_extent (map, extent, put_numbers);
}

static void
clusters_end (struct map *map)
{
  finish_run (map, put_numbers);
  out_text (&map->out, "]}");
}

static void
intervals_extent (struct map *map, const struct vdisk_extent *extent)
{
  add_extent (map, extent, put_interval);
}

static void
intervals_end (struct map *map)
{
  finish_run (map, put_interval);
  out_text (&map->out, "]}");
}

const struct map_writer map_writer_clusters = {
  .name = "clusters",
  .help = "as 'vhd-tool read_headers': numbers of data clusters",
  .state_size = sizeof (struct state),
  .begin = clusters_begin,
  .extent = clusters_extent,
  .end = clusters_end,
};

const struct map_writer map_writer_intervals = {
  .name = "intervals",
  .help = "as 'vhd-tool read_headers_interval': runs of data clusters",
  .state_size = sizeof (struct state),
  .begin = clusters_begin,
  .extent = intervals_extent,
  .end = intervals_end,
};
