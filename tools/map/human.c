/* SPDX-License-Identifier: BSD-3-Clause */
/* The map as a table for people.  The width of its columns follows from
 * the size of the disk, so that a line can be written as soon as its
 * interval is known.
 */

#include "map/writer.h"

#include <string.h>

#include "human.h"

/* At least as wide as the titles of the columns. */
#define WIDTH_MIN 8
#define HUMAN_WIDTH 9
#define KIND_WIDTH 10
#define DEPTH_WIDTH 5
#define HOST_WIDTH 11

struct state {
  struct vdisk_extent row;      /* not written yet: it may grow */
  struct map_tail tail;         /* of the row */
  unsigned width;               /* of numbers of bytes */
  unsigned host_width;
  uint64_t length;              /* the last one put, and its text */
  char size[HUMAN_SIZE_MAX];
};

/* A length as a person reads it.  Many intervals are of the same. */
static void
put_size (struct map *map, uint64_t length)
{
  struct state *state = map->state;

  if (length != state->length) {
    human_size (length, state->size);
    state->length = length;
  }
  out_spaces (&map->out, HUMAN_WIDTH - (int) strlen (state->size));
  out_text (&map->out, state->size);
}

/* Which layer has it, and where. */
static void
put_place (struct map *map, const struct vdisk_extent *row)
{
  const struct state *state = map->state;
  struct out *out = &map->out;

  out_padded (out, row->depth, DEPTH_WIDTH);
  out_text (out, "  ");
  if (row->kind == VDISK_PACKED || row->host_offset == VDISK_NO_HOST_OFFSET) {
    out_spaces (out, state->host_width - 1);
    out_text (out, "-");
  }
  else
    out_padded (out, row->host_offset, state->host_width);
  out_text (out, "  ");
  out_name (out, vdisk_layer_data_file (map->vdisk, row->depth));
}

static void
put_row (struct map *map, const struct vdisk_extent *row)
{
  const struct state *state = map->state;
  const char *kind = map_kind_name (row->kind);
  struct out *out = &map->out;

  if (row->length == 0)
    return;
  out_padded (out, row->offset, state->width);
  out_text (out, "  ");
  out_padded (out, row->length, state->width);
  out_text (out, "  ");
  put_size (map, row->length);
  out_text (out, "  ");
  out_text (out, kind);
  if (row->kind != VDISK_HOLE) {
    out_spaces (out, KIND_WIDTH - (int) strlen (kind) + 2);
    put_place (map, row);
  }
  out_text (out, "\n");
}

static void
human_begin (struct map *map)
{
  struct state *state = map->state;

  state->width = out_digits (vdisk_size (map->vdisk));
  if (state->width < WIDTH_MIN)
    state->width = WIDTH_MIN;
  /* Most files are about as large as the disk, or smaller. */
  state->host_width = state->width < HOST_WIDTH ? HOST_WIDTH
    : state->width;
  out_format (&map->out, "%*s  %*s  %*s  %-*s  %*s  %*s  %s\n",
              state->width, "start", state->width, "length", HUMAN_WIDTH,
              "size", KIND_WIDTH, "kind", DEPTH_WIDTH, "depth",
              state->host_width, "host offset", "file");
}

static void
human_extent (struct map *map, const struct vdisk_extent *extent)
{
  struct state *state = map->state;

  if (state->row.length > 0 && map_tail_goes_on (&state->tail, extent))
    state->row.length += extent->length;
  else {
    put_row (map, &state->row);
    state->row = *extent;
  }
  map_tail_set (&state->tail, extent);
}

static void
human_end (struct map *map)
{
  const struct state *state = map->state;

  put_row (map, &state->row);
}

const struct map_writer map_writer_human = {
  .name = "human",
  .help = "a table (the default)",
  .state_size = sizeof (struct state),
  .begin = human_begin,
  .extent = human_extent,
  .end = human_end,
};
