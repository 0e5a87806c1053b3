/* SPDX-License-Identifier: BSD-3-Clause */
/* What can be had of an open image: bytes, extents, and what its layers are.
 */

#include "image.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "check-report.h"
#include "debug.h"
#include "describe.h"
#include "extents.h"
#include "format/format.h"
#include "map/cluster-cache.h"
#include "source/source.h"
#include "util/error.h"
#include "util/minmax.h"
#include "view/view.h"
#include "walk.h"

/* A read: where the bytes of the guest offset 'offset' go. */
struct reading {
  const struct vdisk *vdisk;
  uint8_t *buffer;
  uint64_t offset;
};

static int
read_interval (const struct interval *interval,
               const struct reading *reading, struct vdisk_error *error)
{
  const struct vdisk *vdisk = reading->vdisk;
  uint8_t *to = reading->buffer + (interval->offset - reading->offset);
  struct layer *layer = vdisk->chain->layers[interval->depth];

  switch ((enum vdisk_kind) interval->kind) {
  case VDISK_HOLE:
  case VDISK_ZERO:
    memset (to, 0, interval->length);
    return 0;
  case VDISK_DATA:
    return layer_read_data (layer, to, interval->length, interval->host,
                            error);
  case VDISK_PACKED:
    return cluster_cache_read (vdisk->clusters, interval,
                               layer->cluster_size, to, error);
  }
  return error_set (error, EINVAL, "an interval is of kind %d",
                    interval->kind);
}

static int
read_intervals (const struct interval *intervals, size_t count, void *opaque,
                struct vdisk_error *error)
{
  size_t i;

  for (i = 0; i < count; ++i)
    if (read_interval (&intervals[i], opaque, error) == -1)
      return -1;
  return 0;
}

int
vdisk_pread (struct vdisk *vdisk, void *buffer, size_t count,
             uint64_t offset, struct vdisk_error *error)
{
  struct reading reading = {
    .vdisk = vdisk, .buffer = buffer, .offset = offset,
  };
  const uint64_t since = debug_clock (vdisk->options);
  const int r = walk_cached (vdisk->intervals, offset, count,
                             read_intervals, &reading, error);

  debug_slow (vdisk->options, since, vdisk_layer_file (vdisk, 0), "read",
              count, offset);
  return r;
}

#define EXTENTS_FLAGS \
  ((unsigned) (VDISK_EXTENTS_NO_HOST_HOLES | VDISK_EXTENTS_MERGED))

static int
report_intervals (const struct interval *intervals, size_t count,
                  void *opaque, struct vdisk_error *error)
{
  return extents_report (opaque, intervals, count, error);
}

int
vdisk_extents (struct vdisk *vdisk, uint64_t offset, uint64_t count,
               vdisk_extent_callback *callback, void *opaque,
               struct vdisk_error *error)
{
  return vdisk_extents_flags (vdisk, offset, count, 0, callback, opaque,
                              error);
}

int
vdisk_extents_flags (struct vdisk *vdisk, uint64_t offset, uint64_t count,
                     unsigned flags, vdisk_extent_callback *callback,
                     void *opaque, struct vdisk_error *error)
{
  struct extents extents = {
    .chain = vdisk->chain, .is_difference = vdisk_is_difference (vdisk),
    .callback = callback, .opaque = opaque, .flags = flags,
  };
  const uint64_t since = debug_clock (vdisk->options);
  int r;

  if (flags & ~EXTENTS_FLAGS) {
    error_clear (error);
    return error_set (error, EINVAL, "flags for extents: 0x%x, must be of "
                      "0x%x", flags, EXTENTS_FLAGS);
  }
  r = walk_once (vdisk->intervals, offset, count, report_intervals, &extents,
                 error);
  /* What comes before an error is told, and may end it all. */
  if (extents_finish (&extents) && r == -1) {
    error_clear (error);
    r = 0;
  }
  debug_slow (vdisk->options, since, vdisk_layer_file (vdisk, 0), "extents",
              count, offset);
  return r;
}

static int
prefetch_intervals (const struct interval *intervals, size_t count,
                    void *opaque, struct vdisk_error *error)
{
  const struct vdisk *vdisk = opaque;
  size_t i;
  int r = 0;

  for (i = 0; i < count && r == 0; ++i) {
    const struct interval *interval = &intervals[i];
    struct layer *layer = vdisk->chain->layers[interval->depth];

    if (interval->kind == VDISK_DATA)
      r = source_prefetch (layer->data, interval->host, interval->length);
    else if (interval->kind == VDISK_PACKED)
      r = source_prefetch (layer->source, interval->host,
                           interval->packed_size);
  }
  if (cancel_check (vdisk->options, vdisk_layer_file (vdisk, 0),
                    error) == -1)
    return -1;
  return r == -1;
}

int
vdisk_prefetch (struct vdisk *vdisk, uint64_t offset, uint64_t count,
                struct vdisk_error *error)
{
  const uint64_t since = debug_clock (vdisk->options);
  const int r = walk_cached (vdisk->intervals, offset, count,
                             prefetch_intervals, vdisk, error);

  debug_slow (vdisk->options, since, vdisk_layer_file (vdisk, 0), "prefetch",
              count, offset);
  return r;
}

void
vdisk_cancel (struct vdisk *vdisk)
{
  cancel_set (&vdisk->image->cancel);
}

uint64_t
vdisk_size (const struct vdisk *vdisk)
{
  return vdisk->view->size;
}

uint32_t
vdisk_cluster_size (const struct vdisk *vdisk)
{
  return vdisk->chain->layers[vdisk->chain->first]->cluster_size;
}

uint32_t
vdisk_preferred_block_size (const struct vdisk *vdisk)
{
  const struct view *view = vdisk->view;
  const uint32_t size =
    vdisk->chain->layers[vdisk->chain->first]->preferred_size;

  return view->is_difference ? min_u64 (size, view->granularity) : size;
}

unsigned
vdisk_layers (const struct vdisk *vdisk)
{
  return vdisk->chain->count;
}

static const struct layer *
layer_at (const struct vdisk *vdisk, unsigned depth)
{
  return depth < vdisk->chain->count ? vdisk->chain->layers[depth] : NULL;
}

void
vdisk_free (void *pointer)
{
  free (pointer);
}

char *
vdisk_describe (struct vdisk *vdisk, unsigned depth,
                struct vdisk_error *error)
{
  error_clear (error);
  if (depth >= vdisk->chain->count) {
    error_record (error, EINVAL, "there is no layer %u", depth);
    return NULL;
  }
  if (cancel_check (vdisk->options, vdisk_layer_file (vdisk, 0),
                    error) == -1)
    return NULL;
  return layer_describe (vdisk->chain->layers[depth], error);
}

/* What the first version of the struct that has a size has: up to and with
 * its last member. */
#define CHECK_SIZE_MIN (offsetof (struct vdisk_check, image_end_offset) + \
                        sizeof (uint64_t))

int
vdisk_check (struct vdisk *vdisk,
             vdisk_finding_callback *finding_callback,
             vdisk_progress_callback *progress_callback, void *opaque,
             struct vdisk_check *check, struct vdisk_error *error)
{
  struct layer *top = vdisk->image->chain->layers[0];
  struct vdisk_check found = { .struct_size = check->struct_size };
  struct check_report report = {
    .check = &found, .finding_callback = finding_callback,
    .progress_callback = progress_callback, .opaque = opaque,
    .options = vdisk->options, .file = top->source->name,
  };
  int r;

  error_clear (error);
  if (check->struct_size < CHECK_SIZE_MIN)
    return error_set (error, EINVAL, "struct vdisk_check: struct_size %zu, "
                      "must be at least %zu (VDISK_CHECK_INIT sets it)",
                      check->struct_size, CHECK_SIZE_MIN);
  if (cancel_check (vdisk->options, top->source->name, error) == -1)
    return -1;
  if (top->format->check == NULL)
    r = layer_error (top, error, ENOTSUP, "the %s format has no metadata to "
                     "check", top->format->name);
  else
    r = top->format->check (top, &report, error);
  memcpy (check, &found, min_u64 (check->struct_size, sizeof found));
  return r;
}

const char *
vdisk_layer_format (const struct vdisk *vdisk, unsigned depth)
{
  const struct layer *layer = layer_at (vdisk, depth);

  return layer ? layer->format->name : NULL;
}

const char *
vdisk_layer_file (const struct vdisk *vdisk, unsigned depth)
{
  const struct layer *layer = layer_at (vdisk, depth);

  return layer ? layer->source->name : NULL;
}

const char *
vdisk_layer_data_file (const struct vdisk *vdisk, unsigned depth)
{
  const struct layer *layer = layer_at (vdisk, depth);

  return layer ? layer->data->name : NULL;
}

int
vdisk_layer_descriptor (const struct vdisk *vdisk, unsigned depth)
{
  const struct layer *layer = layer_at (vdisk, depth);

  return layer ? source_descriptor (layer->source) : -1;
}

int
vdisk_layer_data_descriptor (const struct vdisk *vdisk, unsigned depth)
{
  const struct layer *layer = layer_at (vdisk, depth);

  return layer ? source_descriptor (layer->data) : -1;
}

int
vdisk_layer_qemu_finds_holes (struct vdisk *vdisk, unsigned depth)
{
  const struct layer *layer = layer_at (vdisk, depth);

  return layer &&
    (layer->is_raw || (layer->format->qemu_finds_holes &&
                       layer->format->qemu_finds_holes (layer)));
}
