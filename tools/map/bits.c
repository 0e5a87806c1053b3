/* SPDX-License-Identifier: BSD-3-Clause */
/* Dialects that have a bit for each piece of the disk: is any of it changed?
 *
 * XenServer's changed block tracking has pieces of 64 KiB.  Its log files
 * hold bits from the least significant one of a byte on, and what its API
 * answers is the same turned round, in base64.
 */

#include "map/changed.h"

#include <string.h>

#include "util/minmax.h"

#define CBT_PIECE (64 << 10)

/* The head of a log file: the UUIDs of the parent and the child, which are
 * not known here, whether it is consistent, and the disk's size in bytes.  As
 * a compiler for x86-64 lays it out. */
struct cbt_header {
  uint8_t parent[16], child[16];
  uint8_t consistent[4], padding[4];
  uint8_t size[8];              /* little-endian */
};
_Static_assert (sizeof (struct cbt_header) == 48, "log file");

struct state {
  uint64_t piece;               /* bytes */
  uint64_t bits;                /* put so far, or in 'byte' */
  uint8_t byte;                 /* the first bit is the least significant */
  bool msb_first, base64;
  uint8_t triple[3];            /* for base64 */
  unsigned triple_count;
};

/* --- Bytes -------------------------------------------------------------- */

static void
put_base64 (struct out *out, const uint8_t *bytes, unsigned count)
{
  static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const uint32_t value = bytes[0] << 16 | bytes[1] << 8 | bytes[2];
  char text[4];
  unsigned i;

  for (i = 0; i < 4; ++i)
    text[i] = i <= count ? digits[value >> (18 - 6 * i) & 63] : '=';
  out_bytes (out, text, sizeof text);
}

static uint8_t
turn_round (uint8_t byte)
{
  uint8_t turned = 0;
  unsigned i;

  for (i = 0; i < 8; ++i)
    turned |= (byte >> i & 1) << (7 - i);
  return turned;
}

static void
put_byte (struct map *map, uint8_t byte)
{
  struct state *state = map->state;
  const char raw = state->msb_first ? turn_round (byte) : byte;

  if (!state->base64) {
    out_bytes (&map->out, &raw, 1);
    return;
  }
  state->triple[state->triple_count++] = raw;
  if (state->triple_count == sizeof state->triple) {
    put_base64 (&map->out, state->triple, sizeof state->triple);
    state->triple_count = 0;
  }
}

/* --- Bits --------------------------------------------------------------- */

/* Put bits up to number 'end', which are all the same. */
static void
put_bits (struct map *map, uint64_t end, bool set)
{
  struct state *state = map->state;

  while (state->bits < end) {
    const unsigned at = state->bits % 8;
    const unsigned count = min_u64 (8 - at, end - state->bits);

    if (set)
      state->byte |= ((1u << count) - 1) << at;
    state->bits += count;
    if (state->bits % 8 == 0) {
      put_byte (map, state->byte);
      state->byte = 0;
    }
  }
}

/* A piece that any part has changed of has: the bit may have been put by the
 * extent before, or else be in the byte that is not put yet. */
static void
bits_extent (struct map *map, const struct vdisk_extent *extent)
{
  struct state *state = map->state;
  const uint64_t offset = extent->offset - map->start;
  const uint64_t end = offset + extent->length;

  if (!map_is_changed (map, extent))
    return;
  put_bits (map, offset / state->piece, false);
  put_bits (map, (end - 1) / state->piece + 1, true);
}

static void
bits_end (struct map *map)
{
  struct state *state = map->state;
  const uint64_t length = map->end - map->start;
  const uint64_t count = length / state->piece +
    (length % state->piece != 0);

  put_bits (map, count, false);
  if (state->bits % 8 != 0)
    put_byte (map, state->byte);
  if (state->triple_count > 0) {
    memset (state->triple + state->triple_count, 0,
            sizeof state->triple - state->triple_count);
    put_base64 (&map->out, state->triple, state->triple_count);
  }
  if (state->base64)
    out_text (&map->out, "\n");
}

static void
bitmap_begin (struct map *map)
{
  struct state *state = map->state;

  state->piece = map->cluster_size;
  state->msb_first = map->msb_first;
}

static void
cbt_begin (struct map *map)
{
  struct state *state = map->state;
  struct cbt_header header = { .consistent = { 1 } };
  const uint64_t size = map->end - map->start;
  unsigned i;

  state->piece = CBT_PIECE;
  for (i = 0; i < 8; ++i)
    header.size[i] = size >> 8 * i;
  out_bytes (&map->out, (const char *) &header, sizeof header);
}

static void
cbt_base64_begin (struct map *map)
{
  struct state *state = map->state;

  state->piece = CBT_PIECE;
  state->msb_first = state->base64 = true;
}

const struct map_writer map_writer_bitmap = {
  .name = "bitmap",
  .help = "a bit for each cluster (--bit-order, --cluster-size)",
  .state_size = sizeof (struct state),
  .begin = bitmap_begin,
  .extent = bits_extent,
  .end = bits_end,
};

const struct map_writer map_writer_cbt = {
  .name = "cbt",
  .help = "as a log file of XenServer's changed block tracking",
  .state_size = sizeof (struct state),
  .begin = cbt_begin,
  .extent = bits_extent,
  .end = bits_end,
};

const struct map_writer map_writer_cbt_base64 = {
  .name = "cbt-base64",
  .help = "as XenServer's VDI.list_changed_blocks answers",
  .state_size = sizeof (struct state),
  .begin = cbt_base64_begin,
  .extent = bits_extent,
  .end = bits_end,
};
