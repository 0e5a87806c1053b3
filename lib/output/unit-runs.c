/* SPDX-License-Identifier: BSD-3-Clause */
/* From extents to runs of units. */

#include "output/unit-runs.h"

#include "util/align.h"
#include "util/minmax.h"

/* A count is kept for each piece of so many units or bytes, whichever is
 * less, or for larger ones, so that there are no more than so many counts. */
#define STEP_BITS_MIN 9
#define STEP_BYTES_BITS 25              /* 32 MiB */
#define COUNTS_MAX (1 << 20)

void
unit_runs_init (struct unit_runs *runs, struct vdisk *disk,
                uint64_t unit_size, enum unit_rule rule)
{
  *runs = (struct unit_runs) {
    .disk = disk, .unit_bits = log2_of (unit_size), .rule = rule,
    .units = divide_up (vdisk_size (disk), unit_size),
  };
}

unsigned
unit_runs_step_bits (const struct unit_runs *runs)
{
  unsigned bits = runs->unit_bits > STEP_BYTES_BITS ? 0
    : min_u64 (STEP_BITS_MIN, STEP_BYTES_BITS - runs->unit_bits);

  while (runs->units >> bits >= COUNTS_MAX)
    bits++;
  return bits;
}

struct walk {
  const struct unit_runs *runs;
  unit_run_visitor *visit;
  void *opaque;
  uint64_t end;                 /* a unit */
  struct unit_run run;          /* found and not visited yet */
  bool has_stopped;
};

/* Add the units [first, end), of which the first may be the last of the run
 * already. */
static int
add_units (struct walk *walk, uint64_t first, uint64_t end)
{
  struct unit_run *run = &walk->run;

  end = min_u64 (end, walk->end);
  if (first >= end)
    return 0;
  if (run->count > 0 && first > run->first + run->count) {
    if (walk->visit (walk->opaque, run) != 0) {
      walk->has_stopped = true;
      return 1;
    }
    run->count = 0;
  }
  if (run->count == 0)
    run->first = first;
  run->count = end - run->first;
  return 0;
}

static int
take_extent (void *opaque, const struct vdisk_extent *extent)
{
  struct walk *walk = opaque;
  const unsigned bits = walk->runs->unit_bits;

  if (extent->kind != VDISK_DATA && extent->kind != VDISK_PACKED)
    return 0;
  return add_units (walk, extent->offset >> bits,
                    ((extent->offset + extent->length - 1) >> bits) + 1);
}

static bool
is_end (const struct unit_runs *runs, uint64_t unit)
{
  return runs->rule == UNITS_AND_ENDS &&
    (unit == 0 || unit == runs->units - 1);
}

/* The first unit in [from, end), by bits, that is stored, or is not; 'end' if
 * there is none. */
static uint64_t
find_unit (const struct unit_runs *runs, uint64_t from, uint64_t end,
           bool stored)
{
  while (from < end) {
    uint64_t word = runs->changed[from / 64];

    if (runs->excepted)
      word &= ~runs->excepted[from / 64];
    if (!stored)
      word = ~word;
    word >>= from % 64;
    if (word != 0)
      return min_u64 (end, from + __builtin_ctzll (word));
    from = round_down (from, 64) + 64;
  }
  return end;
}

static void
walk_bits (struct walk *walk, uint64_t from)
{
  const struct unit_runs *runs = walk->runs;
  uint64_t first, end;

  for (; !walk->has_stopped; from = end) {
    first = find_unit (runs, from, walk->end, true);
    if (first == walk->end)
      return;
    end = find_unit (runs, first, walk->end, false);
    add_units (walk, first, end);
  }
}

static int
walk_map (struct walk *walk, uint64_t from, struct vdisk_error *error)
{
  const struct unit_runs *runs = walk->runs;
  const uint64_t start = from << runs->unit_bits;
  const uint64_t end = walk->end == runs->units ? vdisk_size (runs->disk)
    : walk->end << runs->unit_bits;

  return vdisk_extents (runs->disk, start, end - start, take_extent, walk,
                        error);
}

int
unit_runs_walk (const struct unit_runs *runs, uint64_t from, uint64_t end,
                unit_run_visitor *visit, void *opaque,
                struct vdisk_error *error)
{
  struct walk walk = {
    .runs = runs, .visit = visit, .opaque = opaque, .end = end,
  };

  if (from >= end)
    return 0;
  if (is_end (runs, from))
    add_units (&walk, from, from + 1);
  if (runs->changed)
    walk_bits (&walk, from);
  else if (walk_map (&walk, from, error) == -1)
    return -1;
  if (!walk.has_stopped && is_end (runs, end - 1))
    add_units (&walk, end - 1, end);
  if (!walk.has_stopped && walk.run.count > 0)
    visit (opaque, &walk.run);
  return 0;
}
