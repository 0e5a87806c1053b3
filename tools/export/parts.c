/* SPDX-License-Identifier: BSD-3-Clause */
/* Ranges, shards, and the variables by which engines number their jobs. */

#include "export/parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "util/align.h"
#include "util/error.h"
#include "util/minmax.h"

/* So many units an output has, as far as they are within the bounds. */
#define UNITS 1024
#define UNIT_MIN (UINT64_C (64) << 10)
#define UNIT_MAX (UINT64_C (256) << 20)

/* How an engine numbers its jobs.  Where it tells neither the first number
 * nor the step these are 'base' and 1. */
static const struct engine {
  const char *index, *first, *step;
  const char *count, *last;     /* either, or none, tells how many */
  uint64_t base;
} engines[] = {
  { .index = "SLURM_ARRAY_TASK_ID", .first = "SLURM_ARRAY_TASK_MIN",
    .step = "SLURM_ARRAY_TASK_STEP", .count = "SLURM_ARRAY_TASK_COUNT" },
  { .index = "JOB_COMPLETION_INDEX" },
  { .index = "AWS_BATCH_JOB_ARRAY_INDEX",
    .count = "AWS_BATCH_JOB_ARRAY_SIZE" },
  { .index = "SGE_TASK_ID", .first = "SGE_TASK_FIRST",
    .step = "SGE_TASK_STEPSIZE", .last = "SGE_TASK_LAST", .base = 1 },
  { .index = "PARALLEL_SEQ", .base = 1 },
};

#define ENGINES (sizeof engines / sizeof engines[0])

/* Digits alone, up to 'end', which is not one. */
static bool
take_digits (const char **text, char end, uint64_t *number)
{
  char *after;

  if (**text < '0' || **text > '9')
    return false;
  errno = 0;
  *number = strtoull (*text, &after, 10);
  *text = after + (*after != '\0');
  return errno == 0 && *after == end;
}

int
parts_take_range (struct export_parts *parts, const char *text,
                  struct vdisk_error *error)
{
  const char *at = text;

  if (!take_digits (&at, '-', &parts->first) ||
      !take_digits (&at, '\0', &parts->last) || parts->last < parts->first)
    return error_set (error, EINVAL, "--range: '%s' is not A-B: the numbers "
                      "of the first byte and the last", text);
  parts->has_range = true;
  return 0;
}

/* The number that a variable has; false if there is none of that name, or it
 * has no number (as SGE_TASK_ID, "undefined"). */
static bool
variable (const char *name, uint64_t *number)
{
  const char *value = name ? getenv (name) : NULL;

  return value && take_digits (&value, '\0', number);
}

/* The only engine of which this is a job, or NULL. */
static const struct engine *
find_engine (struct vdisk_error *error)
{
  const struct engine *found = NULL;
  uint64_t number;
  size_t i;

  for (i = 0; i < ENGINES; ++i) {
    if (!variable (engines[i].index, &number))
      continue;
    if (found) {
      error_record (error, EINVAL, "--shard=auto: there are both %s and %s",
                    found->index, engines[i].index);
      return NULL;
    }
    found = &engines[i];
  }
  if (found == NULL)
    error_record (error, EINVAL, "--shard=auto: there is no number in "
                  "SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX, "
                  "AWS_BATCH_JOB_ARRAY_INDEX, SGE_TASK_ID or PARALLEL_SEQ");
  return found;
}

/* Find how many jobs there are: 'wanted' if the user has said so (not 0),
 * which the engine may not contradict, since then its first number may be
 * that of some shards alone that are made again. */
static int
find_count (struct export_parts *parts, const struct engine *engine,
            uint64_t first, uint64_t step, uint64_t wanted,
            struct vdisk_error *error)
{
  const char *name = engine->count ? engine->count : engine->last;
  uint64_t count;
  bool told = variable (name, &count);

  if (told && engine->last) {
    told = count >= first;
    count = told ? (count - first) / step + 1 : 0;
  }
  if (!told && wanted == 0)
    return error_set (error, EINVAL, "--shard=auto: %s does not come with "
                      "how many there are: say --shard=auto/N",
                      engine->index);
  if (told && wanted > 0 && count != wanted)
    return error_set (error, EINVAL, "--shard=auto/%" PRIu64 ": by %s there "
                      "are %" PRIu64 " jobs: say which shard it is, as in "
                      "--shard=K/%" PRIu64, wanted, name, count, wanted);
  parts->shard_count = wanted > 0 ? wanted : count;
  return 0;
}

static int
take_auto (struct export_parts *parts, uint64_t wanted,
           struct vdisk_error *error)
{
  const struct engine *engine = find_engine (error);
  uint64_t index, first, step;

  if (engine == NULL)
    return -1;
  variable (engine->index, &index);
  if (!variable (engine->first, &first))
    first = engine->base;
  if (!variable (engine->step, &step) || step == 0)
    step = 1;
  if (find_count (parts, engine, first, step, wanted, error) == -1)
    return -1;
  if (index < first || (index - first) / step >= parts->shard_count)
    return error_set (error, EINVAL, "--shard=auto: %s is %" PRIu64 ", which "
                      "is not from %" PRIu64 " to %" PRIu64, engine->index,
                      index, first, first + (parts->shard_count - 1) * step);
  parts->shard = (index - first) / step + 1;
  return 0;
}

static bool
is_count (uint64_t count)
{
  return count >= 1 && count <= SHARDS_MAX;
}

int
parts_take_shard (struct export_parts *parts, const char *text,
                  struct vdisk_error *error)
{
  const char *at = text;

  if (strcmp (text, "auto") == 0)
    return take_auto (parts, 0, error);
  if (strncmp (text, "auto/", 5) == 0) {
    uint64_t count;

    at += 5;
    if (take_digits (&at, '\0', &count) && is_count (count))
      return take_auto (parts, count, error);
  }
  else if (take_digits (&at, '/', &parts->shard) &&
           take_digits (&at, '\0', &parts->shard_count) &&
           is_count (parts->shard_count) && parts->shard >= 1 &&
           parts->shard <= parts->shard_count)
    return 0;
  return error_set (error, EINVAL, "--shard: '%s' is neither K/N, with K from "
                    "1 to N and N up to %" PRIu64 ", nor auto or auto/N",
                    text, SHARDS_MAX);
}

uint64_t
parts_unit (uint64_t size)
{
  uint64_t unit = UNIT_MIN;

  while (unit < UNIT_MAX && size / unit >= UNITS)
    unit *= 2;
  return unit;
}

void
parts_locate_shard (const struct export_parts *parts, uint64_t size,
                    uint64_t *start, uint64_t *end)
{
  const uint64_t unit = parts_unit (size);
  const uint64_t units = divide_up (size, unit);
  const uint64_t each = units / parts->shard_count;
  const uint64_t rest = units % parts->shard_count;
  const uint64_t k = parts->shard - 1;

  /* The first 'rest' shards have a unit more than the others. */
  *start = min_u64 (size, (k * each + min_u64 (k, rest)) * unit);
  *end = min_u64 (size, ((k + 1) * each + min_u64 (k + 1, rest)) * unit);
}
