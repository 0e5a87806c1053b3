/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening outputs, and reading them region by region. */

#include "output/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/align.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/minmax.h"

static const struct output_format *const formats[] = {
  &output_raw, &output_qcow2, &output_vhd, &output_xva, NULL,
};

const char *const *
vdisk_output_formats (void)
{
  static const char *names[sizeof formats / sizeof formats[0]];
  size_t i;

  for (i = 0; formats[i]; ++i)
    names[i] = formats[i]->name;
  return names;
}

/* --- Options ------------------------------------------------------------ */

int
output_no_option (const struct vdisk_output *output, const char *name,
                  struct vdisk_error *error)
{
  return error_set (error, ENOENT, "output %s: there is no option '%s'",
                    output->format->name, name);
}

int
output_parse_size (const char *name, const char *value, uint64_t *size,
                   struct vdisk_error *error)
{
  static const char suffixes[] = "kmgt";
  unsigned shift = 0;
  const char *suffix;
  char *end;

  errno = 0;
  *size = strtoull (value, &end, 10);
  if (*end != '\0') {
    suffix = strchr (suffixes, *end | 0x20);
    shift = suffix && end[1] == '\0' ? 10 * (suffix - suffixes + 1) : 64;
  }
  if (*value < '0' || *value > '9' || errno != 0 || shift == 64 ||
      *size > UINT64_MAX >> shift)
    return error_set (error, EINVAL, "%s=%s: must be a number of bytes, with "
                      "an optional suffix k, M, G or T", name, value);
  *size <<= shift;
  return 0;
}

int
output_parse_power (const char *name, const char *value, uint64_t min,
                    uint64_t max, uint64_t *size, struct vdisk_error *error)
{
  if (output_parse_size (name, value, size, error) == -1)
    return -1;
  if (!is_power_of_2 (*size) || *size < min || *size > max)
    return error_set (error, EINVAL, "%s=%s: must be a power of two from %"
                      PRIu64 " to %" PRIu64, name, value, min, max);
  return 0;
}

int
output_parse_bool (const char *name, const char *value, bool *is_true,
                   struct vdisk_error *error)
{
  static const char *const words[] = {
    "false", "true", "off", "on", "no", "yes", "0", "1",
  };
  size_t i;

  for (i = 0; i < sizeof words / sizeof words[0]; ++i)
    if (strcasecmp (value, words[i]) == 0) {
      *is_true = i % 2 == 1;
      return 0;
    }
  return error_set (error, EINVAL, "%s=%s: must be true or false", name,
                    value);
}

/* Take "name=value". */
static int
take_option (struct vdisk_output *output, const char *option,
             struct vdisk_error *error)
{
  const char *equals = strchr (option, '=');
  CLEANUP_FREE char *name = NULL;

  if (equals == NULL)
    return error_set (error, EINVAL, "output %s: option '%s' must be "
                      "NAME=VALUE", output->format->name, option);
  name = strndup (option, equals - option);
  if (name == NULL)
    return error_no_memory (error, "output");
  return output->format->set
    ? output->format->set (output, name, equals + 1, error)
    : output_no_option (output, name, error);
}

static int
take_options (struct vdisk_output *output, const char *const *options,
              struct vdisk_error *error)
{
  for (; options && *options; ++options)
    if (take_option (output, *options, error) == -1)
      return -1;
  return 0;
}

/* --- Opening and closing ------------------------------------------------ */

static const struct output_format *
format_by_name (const char *name, struct vdisk_error *error)
{
  size_t i;

  for (i = 0; formats[i]; ++i)
    if (strcmp (formats[i]->name, name) == 0)
      return formats[i];
  error_record (error, EINVAL, "output '%s': there is no such format", name);
  return NULL;
}

struct vdisk_output *
vdisk_output_open (struct vdisk *vdisk, const char *format,
                   const char *const *options, struct vdisk_error *error)
{
  const struct output_format *found;
  struct vdisk_output *output;

  error_clear (error);
  found = format_by_name (format, error);
  if (found == NULL)
    return NULL;
  output = calloc (1, sizeof *output);
  if (output)
    output->state = calloc (1, found->state_size + 1);
  if (output == NULL || output->state == NULL) {
    error_no_memory (error, "output");
    free (output);
    return NULL;
  }
  output->format = found;
  output->disk = vdisk;
  if (take_options (output, options, error) == -1 ||
      found->plan (output, error) == -1) {
    vdisk_output_close (output);
    return NULL;
  }
  return output;
}

void
vdisk_output_close (struct vdisk_output *output)
{
  unsigned i;

  if (output == NULL)
    return;
  if (output->format->close)
    output->format->close (output);
  for (i = 0; i < output->region_count; ++i)
    free (output->regions[i].bytes);
  free (output->state);
  free (output);
}

uint64_t
vdisk_output_size (const struct vdisk_output *output)
{
  return output->size;
}

/* --- Laying out --------------------------------------------------------- */

static int
add_region (struct vdisk_output *output, struct output_region region,
            struct vdisk_error *error)
{
  if (region.length == 0)
    return 0;
  if (region.length > INT64_MAX - output->size)
    return error_set (error, EFBIG, "output %s: the file would have more "
                      "than 2^63 bytes", output->format->name);
  region.offset = output->size;
  output->regions[output->region_count++] = region;
  output->size += region.length;
  return 0;
}

int
output_add_hole (struct vdisk_output *output, uint64_t length,
                 struct vdisk_error *error)
{
  return add_region (output, (struct output_region) {
      .kind = REGION_HOLE, .length = length,
    }, error);
}

int
output_add_bytes (struct vdisk_output *output, const void *bytes,
                  size_t count, struct vdisk_error *error)
{
  uint8_t *copy;

  if (count == 0)
    return 0;
  copy = malloc (count);
  if (copy == NULL)
    return error_no_memory (error, "output");
  memcpy (copy, bytes, count);
  if (add_region (output, (struct output_region) {
        .kind = REGION_BYTES, .length = count, .bytes = copy,
      }, error) == 0)
    return 0;
  free (copy);
  return -1;
}

int
output_add_table (struct vdisk_output *output, uint64_t length,
                  output_fill *fill, struct vdisk_error *error)
{
  return add_region (output, (struct output_region) {
      .kind = REGION_TABLE, .length = length, .fill = fill,
    }, error);
}

int
output_add_disk (struct vdisk_output *output, struct vdisk_error *error)
{
  return add_region (output, (struct output_region) {
      .kind = REGION_DISK, .length = vdisk_size (output->disk),
    }, error);
}

static bool
has_last_unit (const struct unit_index *index, bool *has_last,
               struct vdisk_error *error)
{
  const uint64_t units = unit_index_units (index);
  struct unit_run run = { 0 };

  if (units > 0 &&
      unit_index_next_run (index, units - 1, units, &run, error) == -1)
    return false;
  *has_last = run.count > 0;
  return true;
}

int
output_add_units (struct vdisk_output *output,
                  const struct output_region *region,
                  struct vdisk_error *error)
{
  const uint64_t unit_size = unit_index_unit_size (region->index);
  struct output_region units = *region;
  bool has_last;

  if (!has_last_unit (region->index, &has_last, error))
    return -1;
  units.kind = REGION_UNITS;
  if (__builtin_mul_overflow (unit_index_stored (region->index),
                              region->before + unit_size + region->after,
                              &units.length))
    units.length = UINT64_MAX;
  else if (has_last)
    units.length -= unit_size - region->last_length;
  return add_region (output, units, error);
}

/* --- Reading ------------------------------------------------------------ */

/* A read of some of the stored units. */
struct units_read {
  const struct vdisk_output *output;
  const struct output_region *region;
  uint8_t *buffer;
  uint64_t offset, end;         /* in the region */
  struct vdisk_error *error;
};

static uint64_t
stride_of (const struct output_region *region)
{
  return region->before + unit_index_unit_size (region->index) +
    region->after;
}

/* Read the part of [start, start + length), of the region, that is wanted,
 * of what frames a unit. */
static int
read_frame (const struct units_read *read, uint64_t start, uint32_t length,
            output_frame *frame, uint64_t unit)
{
  const uint64_t from = max_u64 (start, read->offset);
  const uint64_t to = min_u64 (start + length, read->end);
  CLEANUP_FREE uint8_t *bytes = NULL;

  if (from >= to)
    return 0;
  bytes = malloc (length);
  if (bytes == NULL)
    return error_no_memory (read->error, "output");
  if (frame (read->output, read->region, unit, bytes, read->error) == -1)
    return -1;
  memcpy (read->buffer + (from - read->offset), bytes + (from - start),
          to - from);
  return 0;
}

/* Read the wanted part of so many guest bytes, which lie at 'start' in the
 * region. */
static int
read_guest (const struct units_read *read, uint64_t start, uint64_t length,
            uint64_t guest)
{
  const uint64_t from = max_u64 (start, read->offset);
  const uint64_t to = min_u64 (start + length, read->end);
  const uint64_t size = vdisk_size (read->output->disk);
  uint64_t present;
  uint8_t *buffer;

  if (from >= to)
    return 0;
  guest += from - start;
  buffer = read->buffer + (from - read->offset);
  present = guest < size ? min_u64 (to - from, size - guest) : 0;
  memset (buffer + present, 0, to - from - present);
  return present == 0 ? 0
    : vdisk_pread (read->output->disk, buffer, present, guest, read->error);
}

/* How many bytes a unit takes in the file, without what frames it. */
static uint64_t
unit_length (const struct output_region *region, uint64_t unit)
{
  return unit == unit_index_units (region->index) - 1 ? region->last_length
    : unit_index_unit_size (region->index);
}

/* Read the wanted part of one unit with its frame. */
static int
read_unit (const struct units_read *read, uint64_t rank, uint64_t unit)
{
  const struct output_region *region = read->region;
  const uint64_t start = rank * stride_of (region);
  const uint64_t length = unit_length (region, unit);
  const uint64_t data = start + region->before;

  if (read_frame (read, start, region->before, region->frame_before,
                  unit) == -1 ||
      read_guest (read, data, length,
                  unit * unit_index_unit_size (region->index)) == -1)
    return -1;
  return read_frame (read, data + length, region->after,
                     region->frame_after, unit);
}

/* Read the wanted part of a run of units, the first of which is number
 * 'rank' of those stored. */
static int
read_run (const struct units_read *read, uint64_t rank,
          const struct unit_run *run)
{
  const struct output_region *region = read->region;
  const uint64_t unit_size = unit_index_unit_size (region->index);
  const uint64_t last = run->first + run->count - 1;
  uint64_t i;

  /* Units that nothing frames are read at once. */
  if (region->before == 0 && region->after == 0)
    return read_guest (read, rank * unit_size, (run->count - 1) * unit_size +
                       unit_length (region, last), run->first * unit_size);
  for (i = 0; i < run->count; ++i)
    if (read_unit (read, rank + i, run->first + i) == -1)
      return -1;
  return 0;
}

/* Find stored units from 'unit' on, of which about so many are wanted: to
 * look for the end of a run that goes on much longer would cost more than
 * to read it. */
static int
find_run (const struct units_read *read, uint64_t unit, uint64_t wanted,
          struct unit_run *run)
{
  const struct unit_index *index = read->region->index;
  const uint64_t units = unit_index_units (index);

  do {
    if (unit_index_next_run (index, unit, min_u64 (units, unit + wanted),
                             run, read->error) == -1)
      return -1;
    wanted *= 2;
  } while (run->count == 0 && wanted < 2 * units);
  if (run->count == 0)
    return error_set (read->error, EIO, "output %s: the map has changed "
                      "while it was read", read->output->format->name);
  return 0;
}

static int
read_units (const struct units_read *read)
{
  const struct unit_index *index = read->region->index;
  const uint64_t stride = stride_of (read->region);
  uint64_t rank = read->offset / stride;
  const uint64_t last = (read->end - 1) / stride;
  struct unit_run run;
  uint64_t unit;

  if (unit_index_select (index, rank, &unit, read->error) == -1)
    return -1;
  for (; rank <= last; rank += run.count, unit = run.first + run.count) {
    /* As many units as are wanted, and no more, if they follow each other. */
    if (find_run (read, unit, last - rank + 1, &run) == -1)
      return -1;
    run.count = min_u64 (run.count, last - rank + 1);
    if (read_run (read, rank, &run) == -1)
      return -1;
  }
  return 0;
}

static int
read_region (const struct vdisk_output *output,
             const struct output_region *region, uint8_t *buffer,
             size_t count, uint64_t offset, struct vdisk_error *error)
{
  const struct units_read units = {
    .output = output, .region = region, .buffer = buffer, .offset = offset,
    .end = offset + count, .error = error,
  };

  switch (region->kind) {
  case REGION_HOLE:
    memset (buffer, 0, count);
    return 0;
  case REGION_BYTES:
    memcpy (buffer, region->bytes + offset, count);
    return 0;
  case REGION_TABLE:
    return region->fill (output, region, buffer, count, offset, error);
  case REGION_DISK:
    return vdisk_pread (output->disk, buffer, count, offset, error);
  case REGION_UNITS:
    return read_units (&units);
  }
  return error_set (error, EINVAL, "output %s: a region is of kind %d",
                    output->format->name, region->kind);
}

static int
check_range (const struct vdisk_output *output, uint64_t offset,
             uint64_t count, struct vdisk_error *error)
{
  error_clear (error);
  if (!range_within (offset, count, output->size))
    return error_set (error, EINVAL, "%" PRIu64 " bytes at offset %" PRIu64
                      " reach beyond the end of the output (%" PRIu64
                      " bytes)", count, offset, output->size);
  return 0;
}

/* The region that holds an offset, which is within the file. */
static const struct output_region *
region_at (const struct vdisk_output *output, uint64_t offset)
{
  const struct output_region *region = output->regions;

  while (offset - region->offset >= region->length)
    region++;
  return region;
}

int
vdisk_output_pread (struct vdisk_output *output, void *buffer, size_t count,
                    uint64_t offset, struct vdisk_error *error)
{
  uint8_t *to = buffer;

  if (check_range (output, offset, count, error) == -1)
    return -1;
  while (count > 0) {
    const struct output_region *region = region_at (output, offset);
    const size_t n = min_u64 (count, region->offset + region->length -
                              offset);

    if (read_region (output, region, to, n, offset - region->offset,
                     error) == -1)
      return -1;
    to += n;
    offset += n;
    count -= n;
  }
  return 0;
}

/* --- Holes -------------------------------------------------------------- */

struct extents_walk {
  vdisk_output_extent_callback *callback;
  void *opaque;
  uint64_t offset, length;      /* of an extent that is not told yet */
  int is_hole;
  bool has_stopped;
};

/* Tell an extent, together with those of its kind before it. */
static int
tell (struct extents_walk *walk, uint64_t length, int is_hole)
{
  if (walk->length > 0 && walk->is_hole != is_hole) {
    if (walk->callback (walk->opaque, walk->offset, walk->length,
                        walk->is_hole) != 0) {
      walk->has_stopped = true;
      return 1;
    }
    walk->offset += walk->length;
    walk->length = 0;
  }
  walk->is_hole = is_hole;
  walk->length += length;
  return 0;
}

static int
tell_guest_extent (void *opaque, const struct vdisk_extent *extent)
{
  return tell (opaque, extent->length,
               extent->kind == VDISK_HOLE || extent->kind == VDISK_ZERO);
}

int
vdisk_output_extents (struct vdisk_output *output, uint64_t offset,
                      uint64_t count, vdisk_output_extent_callback *callback,
                      void *opaque, struct vdisk_error *error)
{
  struct extents_walk walk = {
    .callback = callback, .opaque = opaque, .offset = offset,
  };
  int r = 0;

  if (check_range (output, offset, count, error) == -1)
    return -1;
  while (count > 0 && r == 0 && !walk.has_stopped) {
    const struct output_region *region = region_at (output, offset);
    const uint64_t n = min_u64 (count, region->offset + region->length -
                                offset);

    if (region->kind == REGION_DISK)
      r = vdisk_extents (output->disk, offset - region->offset, n,
                         tell_guest_extent, &walk, error);
    else
      tell (&walk, n, region->kind == REGION_HOLE);
    offset += n;
    count -= n;
  }
  if (!walk.has_stopped && walk.length > 0)
    callback (opaque, walk.offset, walk.length, walk.is_hole);
  return r;
}
