/* SPDX-License-Identifier: BSD-3-Clause */
/* The naive model of a map.  It clips and merges for itself, so that it
 * does not share the mistakes of lib/interval.c.
 */

#include "map-model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "random.h"
#include "source/memory.h"
#include "support.h"

void
map_model_free (struct map_model *model)
{
  free (model->at);
  *model = (struct map_model) { 0 };
}

static void
add (struct map_model *model, const struct interval *piece)
{
  if (piece->length == 0)
    return;
  if (model->count == model->allocated) {
    model->allocated = model->allocated ? 2 * model->allocated : 64;
    model->at = reallocarray (model->at, model->allocated,
                              sizeof *model->at);
    ck_assert_ptr_nonnull (model->at);
  }
  model->at[model->count] = *piece;
  model->at[model->count++].offset = model->end;
  model->end += piece->length;
}

void
map_model_add (struct map_model *model, enum vdisk_kind kind,
               uint64_t length, uint64_t host)
{
  add (model, &(struct interval) {
    .length = length, .host = host, .kind = kind,
  });
}

void
map_model_add_packed (struct map_model *model, uint64_t length, uint64_t host,
                      uint32_t packed_size)
{
  add (model, &(struct interval) {
    .length = length, .host = host, .kind = VDISK_PACKED,
    .packed_size = packed_size,
  });
}

/* What of a piece lies in [offset, end). */
static struct interval
part_of (const struct interval *piece, uint64_t offset, uint64_t end)
{
  struct interval part = *piece;
  uint64_t skipped = 0;

  if (part.offset < offset)
    skipped = offset - part.offset;
  part.offset += skipped;
  part.length -= skipped;
  if (part.kind != VDISK_PACKED && part.host != VDISK_NO_HOST_OFFSET)
    part.host += skipped;
  if (part.offset + part.length > end)
    part.length = end - part.offset;
  return part;
}

/* Does b go on where a ends? */
static bool
goes_on (const struct interval *a, const struct interval *b)
{
  if (a->kind != b->kind || a->kind == VDISK_PACKED)
    return false;
  if (a->host == VDISK_NO_HOST_OFFSET)
    return b->host == VDISK_NO_HOST_OFFSET;
  return b->host == a->host + a->length;
}

/* The index of the first piece that ends after 'offset'. */
static size_t
find_piece (const struct map_model *model, uint64_t offset)
{
  size_t low = 0, high = model->count;

  while (low < high) {
    size_t middle = (low + high) / 2;

    if (model->at[middle].offset + model->at[middle].length <= offset)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* There are so many of them that Check hears only of those that differ: it
 * writes down every assertion. */
static void
check_interval (const struct interval *found, const struct interval *wanted)
{
  static const char *const kinds[] = { "hole", "zero", "data", "packed" };

  if (found->kind == wanted->kind && found->depth == wanted->depth &&
      found->offset == wanted->offset && found->length == wanted->length &&
      found->host == wanted->host &&
      found->packed_size == wanted->packed_size)
    return;
  ck_abort_msg ("mapped %s:%d %" PRIu64 "+%" PRIu64 "@%" PRId64 "/%" PRIu32
                ", should be %s:%d %" PRIu64 "+%" PRIu64 "@%" PRId64 "/%"
                PRIu32, kinds[found->kind], found->depth, found->offset,
                found->length, (int64_t) found->host, found->packed_size,
                kinds[wanted->kind], wanted->depth, wanted->offset,
                wanted->length, (int64_t) wanted->host,
                wanted->packed_size);
}

void
map_model_check_list (const struct map_model *model,
                      const struct interval_list *list,
                      uint64_t offset, uint64_t count)
{
  const uint64_t end = offset + count;
  size_t i = find_piece (model, offset), n = 0;

  ck_assert_uint_le (end, model->end);
  while (offset < end) {
    struct interval wanted = part_of (&model->at[i++], offset, end);

    offset += wanted.length;
    while (offset < end) {
      const struct interval next = part_of (&model->at[i], offset, end);

      if (!goes_on (&wanted, &next))
        break;
      wanted.length += next.length;
      offset += next.length;
      i++;
    }
    if (n == list->count)
      ck_abort_msg ("nothing is mapped from %" PRIu64 " on", wanted.offset);
    check_interval (&list->at[n++], &wanted);
  }
  ck_assert_uint_eq (n, list->count);
}

void
map_model_check (const struct map_model *model, struct layer *layer,
                 uint64_t offset, uint64_t count)
{
  struct interval_list list = { 0 };
  struct vdisk_error error = { 0 };
  int r = layer->format->map (layer, offset, count, &list, &error);

  ck_assert_msg (r == 0, "range %" PRIu64 "+%" PRIu64 ": %s", offset, count,
                 error.message);
  map_model_check_list (model, &list, offset, count);
  interval_list_free (&list);
}

/* An offset in the disk, mostly close to where a piece starts. */
static uint64_t
random_offset (const struct map_model *model, uint64_t disk_size,
               struct random *random)
{
  uint64_t offset = random_below (random, disk_size);

  if (random_below (random, 8) > 0) {
    offset = model->at[random_below (random, model->count)].offset;
    offset += random_below (random, 3) * random_below (random, 1024);
    offset -= offset < 2 ? 0 : random_below (random, 3);
  }
  return offset < disk_size ? offset : disk_size - 1;
}

void
map_model_check_random (const struct map_model *model, struct layer *layer,
                        struct random *random, unsigned rounds)
{
  while (rounds-- > 0) {
    uint64_t offset = random_offset (model, layer->size, random);
    uint64_t count = 1 + random_below (random, UINT64_C (2)
                                       << random_below (random, 24));

    if (count > layer->size - offset)
      count = layer->size - offset;
    map_model_check (model, layer, offset, count);
  }
}

/* Map the whole disk.  True if a read failed; then the next time none
 * does. */
static bool
check_faulty_map (const struct map_model *model, struct layer *layer)
{
  struct interval_list list = { 0 };
  struct vdisk_error error = { 0 };
  int r = layer->format->map (layer, 0, layer->size, &list, &error);

  if (r == -1) {
    ck_assert_str_eq (error.message, "injected");
    ck_assert_int_eq (error.errnum, EIO);
    map_model_check_list (model, &list, 0,
                          list.count ? interval_list_end (&list) : 0);
    map_model_check (model, layer, 0, layer->size);
  }
  else
    map_model_check_list (model, &list, 0, layer->size);
  interval_list_free (&list);
  return r == -1;
}

void
map_model_check_faults (const struct map_model *model,
                        const struct format *format,
                        const void *bytes, size_t size)
{
  struct vdisk_error error = { 0 };
  size_t fail_at, failed_maps = 0;
  bool failed = true;

  for (fail_at = 0; failed; ++fail_at) {
    struct source *source =
      source_faulty (source_memory ("disk", bytes, size), fail_at);
    struct layer *layer = open_layer (format, source, NULL, &error);

    if (layer) {
      failed = check_faulty_map (model, layer);
      failed_maps += failed;
      ck_assert (failed || source_faulty_count (source) == fail_at);
    }
    else {
      ck_assert_str_eq (error.message, "injected");
      ck_assert_int_eq (error.errnum, EIO);
    }
    layer_close (layer);
  }
  ck_assert_uint_gt (failed_maps, 0);
}

void
map_check_error (struct layer *layer, uint64_t offset, uint64_t count,
                 const char *map, const char *message)
{
  struct interval_list list = { 0 };
  struct vdisk_error error = { 0 }, again = { 0 };
  uint64_t damage = offset;

  ck_assert_int_eq (layer->format->map (layer, offset, count, &list,
                                        &error), -1);
  ck_assert_str_eq (list_text (&list), map);
  if (message)
    ck_assert_str_eq (error.message, message);
  ck_assert_int_eq (error.errnum, EIO);
  if (list.count > 0) {
    ck_assert_uint_eq (list.at[0].offset, offset);
    damage = interval_list_end (&list);
  }
  ck_assert_uint_lt (damage, offset + count);
  interval_list_free (&list);

  ck_assert_int_eq (layer->format->map (layer, damage, 1, &list, &again),
                    -1);
  ck_assert_uint_eq (list.count, 0);
  if (message)
    ck_assert_str_eq (again.message, message);
  interval_list_free (&list);
}
