/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening outputs, and reading them region by region. */

#include "output/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "util/align.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/minmax.h"

static const struct output_format *const formats[] = {
  &output_raw, &output_qcow2, &output_vhd, &output_xva, &output_chunked,
  NULL,
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

static int
check_disks (const struct output_format *format, size_t count,
             struct vdisk_error *error)
{
  if (count == 1 || (count > 1 && format->has_many_disks))
    return 0;
  return error_set (error, EINVAL, "output %s: %zu disks, must be %s",
                    format->name, count,
                    format->has_many_disks ? "one or more" : "one");
}

/* An output that has not been laid out. */
static struct vdisk_output *
output_new (const struct output_format *format, struct vdisk *const *disks,
            size_t count, struct vdisk_error *error)
{
  struct vdisk_output *output = calloc (1, sizeof *output);

  if (output == NULL)
    goto no_memory;
  output->format = format;
  output->state = calloc (1, format->state_size + 1);
  output->disks = calloc (count, sizeof *output->disks);
  if (output->state == NULL || output->disks == NULL)
    goto no_memory;
  memcpy (output->disks, disks, count * sizeof *disks);
  output->disk_count = count;
  output->disk = disks[0];
  return output;

 no_memory:
  error_no_memory (error, "output");
  if (output) {
    free (output->state);
    free (output->disks);
  }
  free (output);
  return NULL;
}

static int
take_changes (struct vdisk_output *output,
              const struct vdisk_changes *changes, struct vdisk_error *error)
{
  if (changes == NULL)
    return 0;
  if (changes->struct_size != sizeof *changes || changes->base == NULL ||
      changes->changed == NULL || !is_power_of_2 (changes->unit_size))
    return error_set (error, EINVAL, "output %s: the changes are not all "
                      "there", output->format->name);
  if (!output->format->takes_changes)
    return error_set (error, ENOTSUP, "output %s: this has no changes over "
                      "a base", output->format->name);
  output->changes = *changes;
  return 0;
}

static struct vdisk_output *
open_output (struct vdisk *const *disks, size_t count, const char *format,
             const char *const *options, const struct vdisk_changes *changes,
             struct vdisk_error *error)
{
  const struct output_format *found;
  struct vdisk_output *output;

  error_clear (error);
  found = format_by_name (format, error);
  if (found == NULL || check_disks (found, count, error) == -1)
    return NULL;
  output = output_new (found, disks, count, error);
  if (output == NULL)
    return NULL;
  if (take_changes (output, changes, error) == -1 ||
      take_options (output, options, error) == -1 ||
      found->plan (output, error) == -1) {
    vdisk_output_close (output);
    return NULL;
  }
  return output;
}

struct vdisk_output *
vdisk_output_open (struct vdisk *vdisk, const char *format,
                   const char *const *options, struct vdisk_error *error)
{
  return open_output (&vdisk, 1, format, options, NULL, error);
}

struct vdisk_output *
vdisk_output_open_disks (struct vdisk *const *disks, size_t count,
                         const char *format, const char *const *options,
                         struct vdisk_error *error)
{
  return open_output (disks, count, format, options, NULL, error);
}

struct vdisk_output *
vdisk_output_open_changes (struct vdisk *vdisk, const char *format,
                           const char *const *options,
                           const struct vdisk_changes *changes,
                           struct vdisk_error *error)
{
  return open_output (&vdisk, 1, format, options, changes, error);
}

void
vdisk_output_close (struct vdisk_output *output)
{
  size_t i;

  if (output == NULL)
    return;
  if (output->format->close)
    output->format->close (output);
  for (i = 0; i < output->region_count; ++i)
    free (output->regions[i].bytes);
  free (output->regions);
  free (output->disks);
  free (output->state);
  free (output);
}

uint64_t
vdisk_output_size (const struct vdisk_output *output)
{
  return output->size;
}

/* --- Laying out --------------------------------------------------------- */

int
output_add_region (struct vdisk_output *output, struct output_region region,
                   struct vdisk_error *error)
{
  struct output_region *regions;

  if (region.length == 0)
    return 0;
  if (region.length > INT64_MAX - output->size)
    return error_set (error, EFBIG, "output %s: the file would have more "
                      "than 2^63 bytes", output->format->name);
  regions = reallocarray (output->regions, output->region_count + 1,
                          sizeof *regions);
  if (regions == NULL)
    return error_no_memory (error, "output");
  output->regions = regions;
  region.offset = output->size;
  output->regions[output->region_count++] = region;
  output->size += region.length;
  return 0;
}

int
output_add_hole (struct vdisk_output *output, uint64_t length,
                 struct vdisk_error *error)
{
  return output_add_region (output, (struct output_region) {
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
  if (output_add_region (output, (struct output_region) {
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
  return output_add_region (output, (struct output_region) {
      .kind = REGION_TABLE, .length = length, .fill = fill,
    }, error);
}

int
output_add_disk (struct vdisk_output *output, struct vdisk_error *error)
{
  return output_add_region (output, (struct output_region) {
      .kind = REGION_DISK, .length = vdisk_size (output->disk),
    }, error);
}

/* --- Reading ------------------------------------------------------------ */

static int
read_region (const struct vdisk_output *output,
             const struct output_region *region, uint8_t *buffer,
             size_t count, uint64_t offset, struct vdisk_error *error)
{
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
    return output_read_units (output, region, buffer, count, offset, error);
  }
  return error_set (error, EINVAL, "output %s: a region is of kind %d",
                    output->format->name, region->kind);
}

static int
check_range (const struct vdisk_output *output, uint64_t offset,
             uint64_t count, struct vdisk_error *error)
{
  error_clear (error);
  if (cancel_check (output->disk->options, vdisk_layer_file (output->disk, 0),
                    error) == -1)
    return -1;
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
  size_t low = 0, high = output->region_count;

  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;

    if (output->regions[middle].offset <= offset)
      low = middle;
    else
      high = middle;
  }
  return &output->regions[low];
}

uint64_t
vdisk_output_cut (const struct vdisk_output *output, uint64_t offset)
{
  const struct output_region *region;

  if (offset >= output->size)
    return output->size;
  region = region_at (output, offset);
  return region->kind == REGION_UNITS
    ? offset - (offset - region->offset) % output_unit_stride (region)
    : offset;
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
