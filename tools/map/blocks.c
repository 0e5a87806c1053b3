/* SPDX-License-Identifier: BSD-3-Clause */
/* A picture of the disk for a terminal, as wide as that.
 *
 * Each character is a cell of the disk.  Where there is data it is a block
 * as high as the share of the cell that is data; else it tells zeros from
 * holes.  On a terminal there are colours too.
 */

#include "map/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "human.h"
#include "map/cells.h"

#define WIDTH_DEFAULT 80
#define ROWS_MAX 16

/* The offset before each row, and the space after it. */
#define LABEL_WIDTH 9
#define MARGIN_WIDTH 2

/* Rows are a multiple of so many cells, so that they start at round
 * numbers; unless the terminal is too narrow. */
#define COLUMNS_UNIT 32
#define COLUMNS_MIN 16

/* A character has eight levels. */
#define LEVELS 8

struct state {
  struct cells cells;
  unsigned columns;
  bool colours;
  const char *colour;           /* in use, or NULL */
};

/* How kinds look.  Compressed data is told by its colour alone; without
 * colours by shades, of which there are only two. */
static const char *const levels[LEVELS] = {
  "\u2581", "\u2582", "\u2583", "\u2584",
  "\u2585", "\u2586", "\u2587", "\u2588",
};
#define SHADE_PACKED "\u2593"
#define SHADE_PARTLY_PACKED "\u2592"
#define SHADE_ZERO "\u2591"
#define DOT_HOLE "\u00b7"

static const char *const colours[MAP_KINDS] = {
  [VDISK_DATA] = "38;5;33", [VDISK_PACKED] = "38;5;214",
  [VDISK_ZERO] = "38;5;73", [VDISK_HOLE] = "38;5;245",
};

static unsigned
terminal_width (void)
{
  const char *columns = getenv ("COLUMNS");
  struct winsize size;

  if (ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return size.ws_col;
  if (columns && atoi (columns) > 0)
    return atoi (columns);
  return WIDTH_DEFAULT;
}

static bool
want_colours (void)
{
  const char *no_colour = getenv ("NO_COLOR");
  const char *term = getenv ("TERM");

  return isatty (STDOUT_FILENO) && (no_colour == NULL || *no_colour == '\0')
    && term && strcmp (term, "dumb") != 0;
}

static void
blocks_begin (struct map *map)
{
  struct state *state = map->state;
  const unsigned width = terminal_width ();
  const unsigned used = LABEL_WIDTH + MARGIN_WIDTH;
  unsigned columns = width > used ? width - used : 0;

  columns -= columns % (columns < COLUMNS_UNIT ? COLUMNS_MIN : COLUMNS_UNIT);
  if (columns < COLUMNS_MIN)
    columns = COLUMNS_MIN;
  if (columns > CELLS_MAX / ROWS_MAX)
    columns = CELLS_MAX / ROWS_MAX;
  state->columns = columns;
  state->colours = want_colours ();
  cells_init (&state->cells, map, columns * ROWS_MAX);
}

static void
blocks_extent (struct map *map, const struct vdisk_extent *extent)
{
  struct state *state = map->state;

  cells_add (&state->cells, extent);
}

/* Change the colour; NULL is the terminal's own. */
static void
set_colour (struct map *map, const char *colour)
{
  struct state *state = map->state;

  if (!state->colours || colour == state->colour)
    return;
  out_format (&map->out, "\033[%sm", colour ? colour : "0");
  state->colour = colour;
}

/* Put text in the colour of a kind. */
static void
put_coloured (struct map *map, enum vdisk_kind kind, const char *text)
{
  set_colour (map, colours[kind]);
  out_text (&map->out, text);
}

/* A cell of which so many levels hold data, most of it of that kind. */
static const char *
data_mark (const struct state *state, enum vdisk_kind kind, unsigned level)
{
  if (kind == VDISK_DATA || state->colours)
    return levels[level - 1];
  return level >= LEVELS / 2 ? SHADE_PACKED : SHADE_PARTLY_PACKED;
}

static void
put_cell (struct map *map, size_t i)
{
  const struct state *state = map->state;
  unsigned shares[MAP_KINDS], data;
  enum vdisk_kind kind;

  cells_divide (&state->cells, i, LEVELS, shares);
  data = shares[VDISK_DATA] + shares[VDISK_PACKED];
  if (data > 0) {
    kind = shares[VDISK_DATA] >= shares[VDISK_PACKED] ? VDISK_DATA
      : VDISK_PACKED;
    put_coloured (map, kind, data_mark (state, kind, data));
  }
  else if (shares[VDISK_ZERO] >= shares[VDISK_HOLE])
    put_coloured (map, VDISK_ZERO, SHADE_ZERO);
  else
    put_coloured (map, VDISK_HOLE, DOT_HOLE);
}

static void
put_title (struct map *map)
{
  const struct state *state = map->state;
  char size[HUMAN_SIZE_MAX], cell[HUMAN_SIZE_MAX];

  out_name (&map->out, map->image);
  out_format (&map->out, ": %s, %s; one character is %s, as high as it is "
              "full of data\n\n",
              vdisk_layer_format (map->vdisk, 0),
              human_size (vdisk_size (map->vdisk), size),
              human_size (cells_size (&state->cells), cell));
}

static void
put_legend (struct map *map)
{
  const struct state *state = map->state;
  const uint64_t whole = map->end - map->start;
  const char *const marks[MAP_KINDS] = {
    [VDISK_DATA] = levels[LEVELS - 1],
    [VDISK_PACKED] = data_mark (state, VDISK_PACKED, LEVELS),
    [VDISK_ZERO] = SHADE_ZERO, [VDISK_HOLE] = DOT_HOLE,
  };
  char size[HUMAN_SIZE_MAX], percent[PERCENT_MAX];
  size_t i;

  out_text (&map->out, "\n");
  for (i = 0; i < MAP_KINDS; ++i) {
    const enum vdisk_kind kind = map_kinds[i];
    const uint64_t bytes = state->cells.totals.bytes[kind];

    out_format (&map->out, "%*s", LABEL_WIDTH + MARGIN_WIDTH, "");
    put_coloured (map, kind, marks[kind]);
    set_colour (map, NULL);
    out_format (&map->out, " %-10s %10s %7s%%\n", map_kind_name (kind),
                human_size (bytes, size),
                totals_percent (bytes, whole, percent));
  }
}

static void
blocks_end (struct map *map)
{
  const struct state *state = map->state;
  const struct cells *cells = &state->cells;
  char size[HUMAN_SIZE_MAX];
  size_t i;

  put_title (map);
  for (i = 0; i < cells->count; ++i) {
    if (i % state->columns == 0)
      out_format (&map->out, "%*s%*s", LABEL_WIDTH,
                  human_size (cells_offset (cells, i), size), MARGIN_WIDTH,
                  "");
    put_cell (map, i);
    if (i % state->columns == state->columns - 1 || i + 1 == cells->count) {
      set_colour (map, NULL);
      out_text (&map->out, "\n");
    }
  }
  put_legend (map);
}

const struct map_writer map_writer_blocks = {
  .name = "blocks",
  .help = "a picture of the disk for a terminal",
  .state_size = sizeof (struct state),
  .begin = blocks_begin,
  .extent = blocks_extent,
  .end = blocks_end,
};
