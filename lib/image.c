/* SPDX-License-Identifier: BSD-3-Clause */
/* An open image: every read, block status and prefetch is one walk over
 * the intervals of a range.
 */

#include "image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "map/cluster-cache.h"
#include "debug.h"
#include "describe.h"
#include "util/error.h"
#include "extents.h"
#include "check-report.h"
#include "format/format.h"
#include "map/interval-cache.h"
#include "options.h"
#include "reference.h"
#include "source/file.h"
#include "source/nbd.h"
#include "source/source.h"
#include "url.h"
#include "util/checked.h"
#include "util/minmax.h"

/* When the result is not kept, as much is mapped at a time as gives about
 * so many intervals, but no more than could give so many (a power of two):
 * more would cost memory for each thread, and gain nothing. */
#define BULK_INTERVALS 8192
#define BULK_INTERVALS_MAX (64 << 10)

struct vdisk {
  struct vdisk_options *options;
  struct chain *chain;
  struct interval_cache *intervals;
  struct cluster_cache *clusters;
};

/* Takes so many intervals of a walk.  0 to go on, 1 to stop, -1 for an
 * error. */
typedef int visitor (struct vdisk *vdisk, const struct interval *intervals,
                     size_t count, void *opaque, struct vdisk_error *error);

/* How many intervals of a list, from number i on, lie wholly in
 * [offset, end). */
static size_t
count_whole (const struct interval_list *list, size_t i, uint64_t offset,
             uint64_t end)
{
  if (list->at[i].offset < offset)
    return 0;
  return (interval_list_end (list) <= end ? list->count
          : interval_list_find (list, end)) - i;
}

/* Visit the intervals of a list that lie in [offset, end). */
static int
visit_list (struct vdisk *vdisk, const struct interval_list *list,
            uint64_t offset, uint64_t end, visitor *visit, void *opaque,
            struct vdisk_error *error)
{
  size_t i, n;
  int r = 0;

  for (i = interval_list_find (list, offset);
       i < list->count && list->at[i].offset < end && r == 0; i += n) {
    n = count_whole (list, i, offset, end);
    if (n > 0)
      r = visit (vdisk, &list->at[i], n, opaque, error);
    else {
      const struct interval clipped = interval_clip (&list->at[i], offset,
                                                     end);

      n = 1;
      r = visit (vdisk, &clipped, 1, opaque, error);
    }
  }
  return r;
}

/* Map [offset, end) into 'list', as far as that can be done, and visit
 * it. */
static int
visit_mapped (struct vdisk *vdisk, uint64_t offset, uint64_t end,
              struct interval_list *list, visitor *visit, void *opaque,
              struct vdisk_error *error)
{
  struct vdisk_error why = { 0 };
  const int mapped = chain_map (vdisk->chain, offset, end - offset, list,
                                &why);
  const int r = visit_list (vdisk, list, offset, end, visit, opaque, error);

  if (r == 0 && mapped == -1)
    return error_set (error, why.errnum, "%s", error_raw (&why));
  return r;
}

/* Visit [offset, end), which lies in one segment.  Where the segment is
 * damaged, so much may still be whole. */
static int
visit_segment (struct vdisk *vdisk, uint64_t offset, uint64_t end,
               visitor *visit, void *opaque, struct vdisk_error *error)
{
  struct vdisk_error damage = { 0 };
  struct interval_list list = { 0 };
  struct segment segment;
  int r;

  if (interval_cache_get (vdisk->intervals, offset, &segment,
                          &damage) == 0) {
    r = visit_list (vdisk, &segment.intervals, offset, end, visit, opaque,
                    error);
    interval_cache_release (vdisk->intervals, &segment);
    return r;
  }
  r = visit_mapped (vdisk, offset, end, &list, visit, opaque, error);
  interval_list_free (&list);
  return r;
}

static int
check_range (const struct vdisk *vdisk, uint64_t offset, uint64_t count,
             struct vdisk_error *error)
{
  error_clear (error);
  if (vdisk->chain->inspect_only)
    return error_set (error, EINVAL, "%s: opened only to be inspected",
                      vdisk_layer_file (vdisk, 0));
  if (!range_within (offset, count, vdisk_size (vdisk)))
    return error_set (error, EINVAL, "%" PRIu64 " bytes at offset %" PRIu64
                      " reach beyond the end of the disk (%" PRIu64
                      " bytes)", count, offset, vdisk_size (vdisk));
  return 0;
}

/* Visit the range by way of the cache. */
static int
walk (struct vdisk *vdisk, uint64_t offset, uint64_t count,
      visitor *visit, void *opaque, struct vdisk_error *error)
{
  uint64_t end, next;
  int r;

  r = check_range (vdisk, offset, count, error);
  for (end = offset + count; offset < end && r == 0; offset = next) {
    next = min_u64 (end, interval_cache_segment_end (vdisk->intervals,
                                                     offset));
    r = visit_segment (vdisk, offset, next, visit, opaque, error);
  }
  return r == -1 ? -1 : 0;
}

/* Tables that are shared or overlap can make a small file look as if it
 * had any number of them. */
static int
check_work (const struct vdisk *vdisk, uint64_t work,
            struct vdisk_error *error)
{
  const uint64_t max = chain_work_max (vdisk->chain);

  if (work <= max)
    return 0;
  return error_set (error, EIO, "%s: tables or blocks overlap: mapping the "
                    "disk takes more of them than its files can hold (%"
                    PRIu64 " bytes)", vdisk_layer_file (vdisk, 0), max);
}

/* Visit a range that nobody may ask for again soon: only the first segment
 * goes by way of the cache (a client that wants one extent at a time comes
 * back for its next one), what follows is mapped in larger pieces. */
static int
walk_once (struct vdisk *vdisk, uint64_t offset, uint64_t count,
           visitor *visit, void *opaque, struct vdisk_error *error)
{
  const uint64_t segment_size =
    interval_cache_segment_size (vdisk->intervals);
  uint64_t end, next, piece = segment_size;
  struct interval_list list = { 0 };
  int r;

  if (check_range (vdisk, offset, count, error) == -1)
    return -1;
  if (count == 0)
    return 0;
  end = offset + count;
  next = min_u64 (end, interval_cache_segment_end (vdisk->intervals,
                                                   offset));
  r = visit_segment (vdisk, offset, next, visit, opaque, error);
  for (offset = next; offset < end && r == 0; offset = next) {
    next = offset + min_u64 (end - offset,
                             piece - (offset & (piece - 1)));
    r = visit_mapped (vdisk, offset, next, &list, visit, opaque, error);
    if (r == 0)
      r = check_work (vdisk, list.work, error);
    if (list.count > BULK_INTERVALS && piece > segment_size)
      piece /= 2;
    else if (list.count <= BULK_INTERVALS / 2 &&
             piece / BULK_INTERVALS_MAX < vdisk->chain->granularity)
      piece *= 2;
  }
  interval_list_free (&list);
  return r == -1 ? -1 : 0;
}

/* A read: where the bytes of the guest offset 'offset' go. */
struct reading {
  uint8_t *buffer;
  uint64_t offset;
};

static int
read_interval (struct vdisk *vdisk, const struct interval *interval,
               const struct reading *reading, struct vdisk_error *error)
{
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
    return cluster_cache_read (vdisk->clusters, interval, to, error);
  }
  return error_set (error, EINVAL, "an interval is of kind %d",
                    interval->kind);
}

static int
read_intervals (struct vdisk *vdisk, const struct interval *intervals,
                size_t count, void *opaque, struct vdisk_error *error)
{
  size_t i;

  for (i = 0; i < count; ++i)
    if (read_interval (vdisk, &intervals[i], opaque, error) == -1)
      return -1;
  return 0;
}

int
vdisk_pread (struct vdisk *vdisk, void *buffer, size_t count,
             uint64_t offset, struct vdisk_error *error)
{
  struct reading reading = { .buffer = buffer, .offset = offset };
  const uint64_t since = debug_clock (vdisk->options);
  const int r = walk (vdisk, offset, count, read_intervals, &reading, error);

  debug_slow (vdisk->options, since, vdisk_layer_file (vdisk, 0), "read",
              count, offset);
  return r;
}

static int
report_intervals (struct vdisk *vdisk, const struct interval *intervals,
                  size_t count, void *opaque, struct vdisk_error *error)
{
  (void) vdisk;
  return extents_report (opaque, intervals, count, error);
}

int
vdisk_extents (struct vdisk *vdisk, uint64_t offset, uint64_t count,
               vdisk_extent_callback *callback, void *opaque,
               struct vdisk_error *error)
{
  struct extents extents = {
    .chain = vdisk->chain, .callback = callback, .opaque = opaque,
  };
  const uint64_t since = debug_clock (vdisk->options);
  const int r = walk_once (vdisk, offset, count, report_intervals, &extents,
                           error);

  debug_slow (vdisk->options, since, vdisk_layer_file (vdisk, 0), "extents",
              count, offset);
  return r;
}

static int
prefetch_intervals (struct vdisk *vdisk, const struct interval *intervals,
                    size_t count, void *opaque, struct vdisk_error *error)
{
  size_t i;

  (void) opaque;
  (void) error;
  for (i = 0; i < count; ++i) {
    const struct interval *interval = &intervals[i];
    struct layer *layer = vdisk->chain->layers[interval->depth];

    if (interval->kind == VDISK_DATA)
      source_prefetch (layer->data, interval->host, interval->length);
    else if (interval->kind == VDISK_PACKED)
      source_prefetch (layer->source, interval->host,
                       interval->packed_size);
  }
  return 0;
}

int
vdisk_prefetch (struct vdisk *vdisk, uint64_t offset, uint64_t count,
                struct vdisk_error *error)
{
  const uint64_t since = debug_clock (vdisk->options);
  const int r = walk (vdisk, offset, count, prefetch_intervals, NULL, error);

  debug_slow (vdisk->options, since, vdisk_layer_file (vdisk, 0), "prefetch",
              count, offset);
  return r;
}

struct vdisk *
image_open (struct source *top, const struct vdisk_options *options,
            const struct resolver *resolver, struct vdisk_error *error)
{
  struct vdisk *vdisk = calloc (1, sizeof *vdisk);
  size_t budget = options->cache_size / 2;

  if (vdisk == NULL || (vdisk->options = options_copy (options)) == NULL) {
    error_no_memory (error, top->name);
    source_close (top);
    goto fail;
  }
  vdisk->chain = chain_open (top, vdisk->options, resolver, error);
  if (vdisk->chain == NULL)
    goto fail;
  vdisk->intervals = interval_cache_new (vdisk->chain, budget);
  vdisk->clusters = cluster_cache_new (vdisk->chain, budget);
  if (vdisk->intervals == NULL || vdisk->clusters == NULL) {
    error_no_memory (error, vdisk_layer_file (vdisk, 0));
    goto fail;
  }
  return vdisk;

 fail:
  vdisk_close (vdisk);
  return NULL;
}

static struct source *
open_file_reference (void *opaque, const struct source *from,
                     const char *role, const char *name,
                     const struct vdisk_options *options,
                     struct vdisk_error *error)
{
  (void) opaque;
  return reference_open (from, role, name, options, error);
}

static struct vdisk *
open_path (const char *path, const struct vdisk_options *options,
           const struct resolver *resolver, struct vdisk_error *error)
{
  struct vdisk_options *defaults = NULL;
  struct vdisk *vdisk = NULL;
  struct source *top = NULL;

  error_clear (error);
  if (options == NULL) {
    options = defaults = vdisk_options_new ();
    if (options == NULL) {
      error_no_memory (error, path);
      return NULL;
    }
  }
  if (source_is_nbd_uri (path))
    top = source_nbd_open (path, error);
  else if (url_check (path, options, error) == 0) {
    top = source_file_open (path, options->force_share, error);
    if (top == NULL)
      options_advise_sharing (options, error);
  }
  if (top)
    vdisk = image_open (top, options, resolver, error);
  vdisk_options_free (defaults);
  return vdisk;
}

int
vdisk_is_uri (const char *path)
{
  return source_is_nbd_uri (path);
}

struct vdisk *
vdisk_open (const char *path, const struct vdisk_options *options,
            struct vdisk_error *error)
{
  static const struct resolver files = { .open = open_file_reference };

  return open_path (path, options, &files, error);
}

struct vdisk *
vdisk_inspect (const char *path, const struct vdisk_options *options,
               struct vdisk_error *error)
{
  return open_path (path, options, NULL, error);
}

void
vdisk_close (struct vdisk *vdisk)
{
  if (vdisk == NULL)
    return;
  if (vdisk->clusters && vdisk->intervals) {
    const char *file = vdisk_layer_file (vdisk, 0);

    interval_cache_debug (vdisk->intervals, vdisk->options, file);
    cluster_cache_debug (vdisk->clusters, vdisk->options, file);
  }
  cluster_cache_free (vdisk->clusters);
  interval_cache_free (vdisk->intervals);
  chain_close (vdisk->chain);
  vdisk_options_free (vdisk->options);
  free (vdisk);
}

uint64_t
vdisk_size (const struct vdisk *vdisk)
{
  return chain_size (vdisk->chain);
}

uint32_t
vdisk_cluster_size (const struct vdisk *vdisk)
{
  return vdisk->chain->layers[0]->cluster_size;
}

uint32_t
vdisk_preferred_block_size (const struct vdisk *vdisk)
{
  return vdisk->chain->layers[0]->preferred_size;
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

char *
vdisk_describe (struct vdisk *vdisk, unsigned depth,
                struct vdisk_error *error)
{
  error_clear (error);
  if (depth >= vdisk->chain->count) {
    error_record (error, EINVAL, "there is no layer %u", depth);
    return NULL;
  }
  return layer_describe (vdisk->chain->layers[depth], error);
}

int
vdisk_check (struct vdisk *vdisk,
             vdisk_finding_callback *finding_callback,
             vdisk_progress_callback *progress_callback, void *opaque,
             struct vdisk_check *check, struct vdisk_error *error)
{
  struct layer *top = vdisk->chain->layers[0];
  struct check_report report = {
    .check = check, .finding_callback = finding_callback,
    .progress_callback = progress_callback, .opaque = opaque,
  };

  error_clear (error);
  *check = (struct vdisk_check) { 0 };
  if (top->format->check == NULL)
    return layer_error (top, error, ENOTSUP, "the %s format has no metadata "
                        "to check", top->format->name);
  return top->format->check (top, &report, error);
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
