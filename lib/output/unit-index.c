/* SPDX-License-Identifier: BSD-3-Clause */
/* Counts of stored units, and walks between them. */

#include "output/unit-index.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "util/align.h"
#include "util/error.h"
#include "util/minmax.h"

/* Where reads in order go on, each from where the last one began, so that
 * they do not walk over each step from its start.  Several may be under way
 * at different places. */
#define POSITIONS 16

struct position {
  uint64_t unit, rank;
};

struct unit_index {
  struct unit_runs runs;
  unsigned step_bits;
  uint64_t stored;
  uint64_t steps;
  uint64_t *counts;             /* how many are stored before step i; one
                                   more than there are steps */
  pthread_mutex_t lock;         /* of what follows */
  struct position positions[POSITIONS]; /* of a step i in slot i % POSITIONS */
};

/* --- Making it ---------------------------------------------------------- */

struct counting {
  struct unit_index *index;
  uint64_t step;                /* the next to be counted */
};

/* What is stored before the steps up to 'unit', if nothing is from where the
 * last run ended. */
static void
count_up_to (struct counting *counting, uint64_t unit)
{
  struct unit_index *index = counting->index;

  while (counting->step <= index->steps &&
         counting->step << index->step_bits <= unit)
    index->counts[counting->step++] = index->stored;
}

static int
count_run (void *opaque, const struct unit_run *run)
{
  struct counting *counting = opaque;
  struct unit_index *index = counting->index;
  const uint64_t end = run->first + run->count;

  count_up_to (counting, run->first);
  for (; counting->step <= index->steps &&
         counting->step << index->step_bits < end; counting->step++)
    index->counts[counting->step] = index->stored +
      ((counting->step << index->step_bits) - run->first);
  index->stored += run->count;
  return 0;
}

static struct unit_index *
make_index (const struct unit_runs *runs, struct vdisk_error *error)
{
  struct unit_index *index = calloc (1, sizeof *index);
  struct counting counting = { .index = index };

  if (index == NULL)
    goto no_memory;
  index->runs = *runs;
  pthread_mutex_init (&index->lock, NULL);
  index->step_bits = unit_runs_step_bits (&index->runs);
  index->steps = divide_up (index->runs.units,
                            UINT64_C (1) << index->step_bits);
  index->counts = calloc (index->steps + 1, sizeof index->counts[0]);
  if (index->counts == NULL)
    goto no_memory;
  if (unit_runs_walk (&index->runs, 0, index->runs.units, count_run,
                      &counting, error) == -1) {
    unit_index_free (index);
    return NULL;
  }
  count_up_to (&counting, UINT64_MAX);
  return index;

 no_memory:
  unit_index_free (index);
  error_no_memory (error, "output");
  return NULL;
}

struct unit_index *
unit_index_new (struct vdisk *disk, uint64_t unit_size, enum unit_rule rule,
                struct vdisk_error *error)
{
  struct unit_runs runs;

  unit_runs_init (&runs, disk, unit_size, rule);
  return make_index (&runs, error);
}

struct unit_index *
unit_index_new_changes (struct vdisk *disk,
                        const struct vdisk_changes *changes,
                        bool without_zeros, struct vdisk_error *error)
{
  struct unit_runs runs;

  unit_runs_init (&runs, disk, changes->unit_size, UNITS_WITH_DATA);
  runs.changed = changes->changed;
  runs.excepted = without_zeros ? changes->zeros : NULL;
  return make_index (&runs, error);
}

void
unit_index_free (struct unit_index *index)
{
  if (index == NULL)
    return;
  pthread_mutex_destroy (&index->lock);
  free (index->counts);
  free (index);
}

/* --- Asking it ---------------------------------------------------------- */

struct vdisk *
unit_index_disk (const struct unit_index *index)
{
  return index->runs.disk;
}

uint64_t
unit_index_unit_size (const struct unit_index *index)
{
  return UINT64_C (1) << index->runs.unit_bits;
}

uint64_t
unit_index_units (const struct unit_index *index)
{
  return index->runs.units;
}

uint64_t
unit_index_stored (const struct unit_index *index)
{
  return index->stored;
}

static int
sum_run (void *opaque, const struct unit_run *run)
{
  uint64_t *sum = opaque;

  *sum += run->count;
  return 0;
}

int
unit_index_rank (const struct unit_index *index, uint64_t unit,
                 uint64_t *rank, struct vdisk_error *error)
{
  const uint64_t step = unit >> index->step_bits;

  *rank = index->counts[step];
  /* What is stored in the step may be known without looking. */
  if (step == index->steps || index->counts[step + 1] == *rank)
    return 0;
  return unit_runs_walk (&index->runs, step << index->step_bits, unit,
                         sum_run, rank, error);
}

/* The last step before which no more than 'rank' are stored. */
static uint64_t
find_step (const struct unit_index *index, uint64_t rank)
{
  uint64_t low = 0, high = index->steps;

  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;

    if (index->counts[middle] <= rank)
      low = middle;
    else
      high = middle;
  }
  return low;
}

struct selecting {
  uint64_t left;                /* to be passed over */
  uint64_t unit;
  bool is_found;
};

static int
pass_run (void *opaque, const struct unit_run *run)
{
  struct selecting *selecting = opaque;

  if (selecting->left < run->count) {
    selecting->unit = run->first + selecting->left;
    selecting->is_found = true;
    return 1;
  }
  selecting->left -= run->count;
  return 0;
}

/* The last known place in a step from which a unit can be looked for. */
static struct position
recall (struct unit_index *index, uint64_t step, uint64_t rank)
{
  struct position found;

  pthread_mutex_lock (&index->lock);
  found = index->positions[step % POSITIONS];
  pthread_mutex_unlock (&index->lock);
  if (found.unit >> index->step_bits == step && found.rank <= rank &&
      found.rank >= index->counts[step])
    return found;
  return (struct position) {
    .unit = step << index->step_bits, .rank = index->counts[step],
  };
}

static void
remember (struct unit_index *index, uint64_t step, uint64_t unit,
          uint64_t rank)
{
  pthread_mutex_lock (&index->lock);
  index->positions[step % POSITIONS] = (struct position) {
    .unit = unit, .rank = rank,
  };
  pthread_mutex_unlock (&index->lock);
}

int
unit_index_select (struct unit_index *index, uint64_t rank, uint64_t *unit,
                   struct vdisk_error *error)
{
  const uint64_t step = find_step (index, rank);
  const struct position from = recall (index, step, rank);
  struct selecting selecting = { .left = rank - from.rank };
  const uint64_t end = min_u64 (index->runs.units,
                                (step + 1) << index->step_bits);

  if (unit_runs_walk (&index->runs, from.unit, end, pass_run, &selecting,
                      error) == -1)
    return -1;
  if (!selecting.is_found)
    return error_set (error, EIO, "%s: the map has changed while it was read",
                      vdisk_layer_file (index->runs.disk, 0));
  *unit = selecting.unit;
  remember (index, step, selecting.unit, rank);
  return 0;
}

struct taking {
  struct unit_run *runs;
  size_t room, count;
};

static int
take_run (void *opaque, const struct unit_run *run)
{
  struct taking *taking = opaque;

  taking->runs[taking->count++] = *run;
  return taking->count == taking->room;
}

int
unit_index_next_runs (const struct unit_index *index, uint64_t from,
                      uint64_t end, struct unit_run *runs, size_t *count,
                      struct vdisk_error *error)
{
  struct taking taking = { .runs = runs, .room = *count };
  int r;

  end = min_u64 (end, index->runs.units);
  /* Pass over steps in which nothing is stored. */
  while (from < end) {
    const uint64_t step = from >> index->step_bits;

    if (index->counts[step + 1] > index->counts[step])
      break;
    from = (step + 1) << index->step_bits;
  }
  r = unit_runs_walk (&index->runs, from, end, take_run, &taking, error);
  *count = taking.count;
  return r;
}

int
unit_index_next_run (const struct unit_index *index, uint64_t from,
                     uint64_t end, struct unit_run *run,
                     struct vdisk_error *error)
{
  size_t count = 1;

  run->count = 0;
  return unit_index_next_runs (index, from, end, run, &count, error);
}
