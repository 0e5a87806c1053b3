/* SPDX-License-Identifier: BSD-3-Clause */
/* A picture of the disk as SVG.
 *
 * The disk is laid out in rows, like text, so that an offset is easy to
 * find.  Each row is cut into cells of equal size, and each cell is a
 * small column filled from the bottom with what it holds: a cell that is
 * half data is half full.  However many intervals the map has, the picture
 * has no more than so many cells.
 */

#include "map/writer.h"

#include <string.h>

#include "human.h"
#include "map/cells.h"
#include "map/xml.h"
#include "util/share.h"

#define COLUMNS 128
#define ROWS_MAX 48

/* In pixels. */
#define CELL_WIDTH 7
#define CELL_HEIGHT 14
#define ROW_HEIGHT 17
#define LEFT 92
#define RIGHT 36
#define GRID_WIDTH (COLUMNS * CELL_WIDTH)
#define WIDTH (LEFT + GRID_WIDTH + RIGHT)
#define BAR_TOP 84
#define BAR_HEIGHT 18
#define GRID_TOP 212
#define BOTTOM 30

/* Columns between ticks, and rows between labels. */
#define TICK_COLUMNS 32
#define LABEL_ROWS 4

/* The longest file name that fits in the title. */
#define TITLE_MAX 72

/* The class of a kind's style.  The colours differ in lightness too, for
 * those who see no colours, or print without.  In a cell kinds lie one on
 * the other in the order of map_kinds; the last is the background. */
static const char *const classes[MAP_KINDS] = {
  [VDISK_DATA] = "d", [VDISK_PACKED] = "c",
  [VDISK_ZERO] = "z", [VDISK_HOLE] = "h",
};

static const char style[] =
  "<style>\n"
  "text { font-family: system-ui, 'DejaVu Sans', Helvetica, Arial, "
  "sans-serif; font-size: 12px; fill: #3c4650 }\n"
  ".title { font-size: 20px; font-weight: bold; fill: #14212d }\n"
  ".strong { font-weight: bold; fill: #14212d }\n"
  ".small { font-size: 11px; fill: #66727e }\n"
  ".end { text-anchor: end } .middle { text-anchor: middle }\n"
  ".d { fill: #004488 } .c { fill: #dd9a00 }"
  " .z { fill: #8fc8d8 } .h { fill: #e9ecef }\n"
  ".tick { stroke: #66727e; stroke-width: 1 }"
  " .guide { stroke: #fff; stroke-width: 1; opacity: .7 }\n"
  "</style>\n";

static const char *const meanings[MAP_KINDS] = {
  [VDISK_DATA] = "stored as it is",
  [VDISK_PACKED] = "stored compressed",
  [VDISK_ZERO] = "recorded as zeros",
  [VDISK_HOLE] = "nothing stored, reads as zeros",
};

static unsigned
row_count (const struct cells *cells)
{
  return (cells->count + COLUMNS - 1) / COLUMNS;
}

static const char *
base_name (const char *path)
{
  const char *slash = strrchr (path, '/');

  return slash && slash[1] ? slash + 1 : path;
}

static void
put_title (struct map *map, const struct cells *cells)
{
  const unsigned layers = vdisk_layers (map->vdisk);
  struct out *out = &map->out;
  char size[HUMAN_SIZE_MAX];

  out_format (out, "<text class=\"title\" x=\"%d\" y=\"44\">", LEFT);
  xml_put_shortened (out, base_name (map->image), TITLE_MAX);
  out_format (out, "</text>\n<text x=\"%d\" y=\"66\">%s image, ", LEFT,
              vdisk_layer_format (map->vdisk, 0));
  out_format (out, "disk of %s",
              human_size (vdisk_size (map->vdisk), size));
  if (layers > 1)
    out_format (out, ", chain of %u files", layers);
  if (map->start > 0)
    out_format (out, ", from %s", human_size (map->start, size));
  if (map->end < vdisk_size (map->vdisk))
    out_format (out, ", up to %s", human_size (map->end, size));
  out_text (out, "</text>\n");
  out_format (out, "<text class=\"small end\" x=\"%d\" y=\"66\">"
              "each cell is %s, filled with what it holds; "
              "each row is %s</text>\n", LEFT + GRID_WIDTH,
              human_size (cells_size (cells), size),
              human_size (cells_size (cells) * COLUMNS,
                          (char[HUMAN_SIZE_MAX]) { 0 }));
}

/* One bar for the whole disk, divided among the kinds. */
static void
put_bar (struct map *map, const struct cells *cells)
{
  const uint64_t whole = cells->end - cells->start;
  uint64_t before = 0;
  size_t i;

  for (i = 0; i < MAP_KINDS && whole > 0; ++i) {
    const uint64_t bytes = cells->totals.bytes[map_kinds[i]];
    const unsigned x = share_of (before, whole, GRID_WIDTH);
    const unsigned end = share_of (before + bytes, whole, GRID_WIDTH);

    before += bytes;
    if (bytes > 0)
      out_format (&map->out, "<rect class=\"%s\" x=\"%u\" y=\"%d\" "
                  "width=\"%u\" height=\"%d\"/>\n", classes[map_kinds[i]],
                  LEFT + x, BAR_TOP, end > x ? end - x : 1, BAR_HEIGHT);
  }
}

static void
put_legend (struct map *map, const struct cells *cells)
{
  char size[HUMAN_SIZE_MAX], percent[PERCENT_MAX];
  size_t i;

  for (i = 0; i < MAP_KINDS; ++i) {
    const enum vdisk_kind kind = map_kinds[i];
    const uint64_t bytes = cells->totals.bytes[kind];
    const int x = LEFT + i * (GRID_WIDTH / MAP_KINDS);
    const int y = BAR_TOP + BAR_HEIGHT + 16;

    out_format (&map->out, "<rect class=\"%s\" x=\"%d\" y=\"%d\" "
                "width=\"14\" height=\"14\" rx=\"2\"/>\n", classes[kind], x,
                y);
    out_format (&map->out, "<text class=\"strong\" x=\"%d\" y=\"%d\">%s"
                "</text>\n", x + 22, y + 12, map_kind_name (kind));
    out_format (&map->out, "<text x=\"%d\" y=\"%d\">%s, %s%%</text>\n",
                x + 22, y + 29, human_size (bytes, size),
                totals_percent (bytes, cells->end - cells->start, percent));
    out_format (&map->out, "<text class=\"small\" x=\"%d\" y=\"%d\">%s"
                "</text>\n", x + 22, y + 45, meanings[kind]);
  }
}

/* Offsets within a row, above the grid. */
static void
put_ticks (struct map *map, const struct cells *cells)
{
  const int bottom = GRID_TOP + row_count (cells) * ROW_HEIGHT;
  char size[HUMAN_SIZE_MAX];
  unsigned column;

  for (column = TICK_COLUMNS; column < COLUMNS; column += TICK_COLUMNS) {
    const int x = LEFT + column * CELL_WIDTH;

    out_format (&map->out, "<path class=\"tick\" d=\"M%d.5 %dv6\"/>"
                "<path class=\"guide\" d=\"M%d.5 %dV%d\"/>\n",
                x, GRID_TOP - 8, x, GRID_TOP, bottom);
    out_format (&map->out, "<text class=\"small middle\" x=\"%d\" "
                "y=\"%d\">+%s</text>\n", x, GRID_TOP - 12,
                human_size (column * cells_size (cells), size));
  }
}

/* Put what cells have of the first kinds up to 'level', as one shape that
 * stands on the bottom of the row.  What is painted later hides the lower
 * part of it. */
static void
put_shape (struct map *map, const struct cells *cells, unsigned row,
           unsigned level)
{
  const size_t first = row * COLUMNS;
  unsigned column, k, height = 0, width = 0;
  bool drawn = false;

  for (column = 0; column < COLUMNS && first + column < cells->count;
       ++column, width += CELL_WIDTH) {
    unsigned shares[MAP_KINDS], top = 0;

    cells_divide (cells, first + column, CELL_HEIGHT, shares);
    for (k = 0; k <= level; ++k)
      top += shares[map_kinds[k]];
    if (top == height)
      continue;
    if (!drawn)
      out_format (&map->out, "<path class=\"%s\" d=\"M%d %d",
                  classes[map_kinds[level]], LEFT,
                  GRID_TOP + row * ROW_HEIGHT + CELL_HEIGHT);
    drawn = true;
    out_format (&map->out, "h%uv%d", width, (int) height - (int) top);
    height = top;
    width = 0;
  }
  if (drawn)
    out_format (&map->out, "h%uv%uz\"/>\n", width, height);
}

/* What to say where the pointer rests on a row. */
static void
put_row_title (struct map *map, const struct cells *cells, unsigned row)
{
  const size_t first = row * COLUMNS;
  uint64_t bytes[MAP_KINDS] = { 0 };
  uint64_t start = cells_offset (cells, first);
  uint64_t end = cells_offset (cells, first + COLUMNS);
  char a[HUMAN_SIZE_MAX], b[HUMAN_SIZE_MAX], percent[PERCENT_MAX];
  size_t i, k;

  for (i = first; i < first + COLUMNS && i < cells->count; ++i)
    for (k = 0; k < MAP_KINDS; ++k)
      bytes[k] += cells->bytes[i][k];
  out_format (&map->out, "<title>%s to %s", human_size (start, a),
              human_size (end, b));
  for (k = 0; k < MAP_KINDS; ++k)
    if (bytes[map_kinds[k]] > 0)
      out_format (&map->out, ", %s %s%%", map_kind_name (map_kinds[k]),
                  totals_percent (bytes[map_kinds[k]], end - start,
                                  percent));
  out_text (&map->out, "</title>\n");
}

static void
put_row (struct map *map, const struct cells *cells, unsigned row)
{
  const size_t first = row * COLUMNS;
  const size_t left = cells->count - first;
  const int y = GRID_TOP + row * ROW_HEIGHT;
  char size[HUMAN_SIZE_MAX];
  int level;

  if (row % LABEL_ROWS == 0)
    out_format (&map->out, "<text class=\"small end\" x=\"%d\" y=\"%d\">%s"
                "</text><path class=\"tick\" d=\"M%d %d.5h6\"/>\n",
                LEFT - 12, y + CELL_HEIGHT - 3,
                human_size (cells_offset (cells, first), size), LEFT - 8,
                y + CELL_HEIGHT / 2);
  out_text (&map->out, "<g>");
  put_row_title (map, cells, row);
  out_format (&map->out, "<rect class=\"h\" x=\"%d\" y=\"%d\" "
              "width=\"%zu\" height=\"%d\"/>\n", LEFT, y,
              (left < COLUMNS ? left : COLUMNS) * CELL_WIDTH, CELL_HEIGHT);
  for (level = MAP_KINDS - 2; level >= 0; --level)
    put_shape (map, cells, row, level);
  out_text (&map->out, "</g>\n");
}

static void
svg_begin (struct map *map)
{
  cells_init (map->state, map, COLUMNS * ROWS_MAX);
}

static void
svg_extent (struct map *map, const struct vdisk_extent *extent)
{
  cells_add (map->state, extent);
}

static void
svg_end (struct map *map)
{
  const struct cells *cells = map->state;
  const unsigned rows = row_count (cells);
  const int height = GRID_TOP + rows * ROW_HEIGHT + BOTTOM;
  unsigned row;

  out_format (&map->out,
              "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
              "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
              "height=\"%d\" viewBox=\"0 0 %d %d\">\n<title>Map of ",
              WIDTH, height, WIDTH, height);
  xml_put_text (&map->out, map->image);
  out_text (&map->out, "</title>\n");
  out_text (&map->out, style);
  out_format (&map->out, "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>"
              "\n", WIDTH, height);
  put_title (map, cells);
  put_bar (map, cells);
  put_legend (map, cells);
  for (row = 0; row < rows; ++row)
    put_row (map, cells, row);
  put_ticks (map, cells);
  out_text (&map->out, "</svg>\n");
}

const struct map_writer map_writer_svg = {
  .name = "svg",
  .help = "a picture of the disk",
  .state_size = sizeof (struct cells),
  .begin = svg_begin,
  .extent = svg_extent,
  .end = svg_end,
};
