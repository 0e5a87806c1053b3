/* SPDX-License-Identifier: BSD-3-Clause */
/* The simplest way to work out what a chain is made of. */

#include "table-model.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

void
model_add (struct model *model, struct table_image *image)
{
  if (model->count == MODEL_LAYERS_MAX)
    ck_abort_msg ("too many layers");
  if (model->count > 0)
    table_add_name (model->layers[model->count - 1], image->name);
  model->layers[model->count++] = image;
}

static struct source *
wrap_holey (struct source *inner, void *opaque)
{
  const struct model_holes *holes = opaque;

  return source_holey (inner, holes->at, holes->count);
}

void
model_punch (struct model *model, unsigned depth,
             const struct model_holes *holes)
{
  struct table_image *file = model->layers[depth]->data;

  model->holes[depth] = *holes;
  file->wrap = wrap_holey;
  file->wrap_opaque = &model->holes[depth];
}

void
model_free (struct model *model)
{
  unsigned i;

  for (i = 0; i < model->count; ++i) {
    if (model->layers[i]->data != model->layers[i])
      table_free (model->layers[i]->data);
    table_free (model->layers[i]);
  }
  model->count = 0;
}

static const struct table_row *
row_at (const struct table_image *image, uint64_t offset)
{
  const struct table_row *row = table_rows (image);

  while (offset - row->offset >= row->length)
    row++;
  return row;
}

static bool
is_in_hole (const struct model_holes *holes, uint64_t offset)
{
  size_t i;

  for (i = 0; i < holes->count; ++i)
    if (offset >= holes->at[i][0] && offset < holes->at[i][1])
      return true;
  return false;
}

struct interval
model_sector (const struct model *model, uint64_t offset)
{
  const uint64_t size = table_header (model->layers[0])->size;
  struct interval sector = {
    .offset = offset, .length = MODEL_SECTOR, .kind = VDISK_HOLE,
    .host = VDISK_NO_HOST_OFFSET,
  };
  unsigned depth;

  if (sector.length > size - offset)
    sector.length = size - offset;
  for (depth = 0; depth < model->count && sector.kind == VDISK_HOLE;
       ++depth) {
    const struct table_image *image = model->layers[depth];
    const struct table_row *row;

    /* Past its end a disk is empty, whatever is below. */
    if (offset >= table_header (image)->size)
      break;
    row = row_at (image, offset);
    sector.kind = row->kind;
    sector.depth = depth;
    sector.host = row->host;
    sector.packed_size = row->packed_size;
    if (row->kind != VDISK_PACKED && row->host != VDISK_NO_HOST_OFFSET)
      sector.host += offset - row->offset;
    if (row->kind == VDISK_DATA && model->host_holes &&
        is_in_hole (&model->holes[depth], sector.host)) {
      sector.kind = table_header (image)->is_raw ? VDISK_HOLE : VDISK_ZERO;
      break;
    }
  }
  return sector;
}

void
model_bytes (const struct model *model, const struct interval *sector,
             uint8_t *bytes)
{
  const struct table_image *image = model->layers[sector->depth];
  const uint32_t cluster_size = table_header (image)->cluster_size;
  uint8_t cluster[MODEL_CLUSTER_MAX];

  memset (bytes, 0, MODEL_SECTOR);
  if (sector->kind == VDISK_DATA &&
      !is_in_hole (&model->holes[sector->depth], sector->host))
    memcpy (bytes, image->data->bytes + sector->host, sector->length);
  if (sector->kind == VDISK_PACKED) {
    table_unpack (image->bytes + sector->host, cluster, cluster_size);
    memcpy (bytes, cluster + sector->offset % cluster_size, sector->length);
  }
}

uint64_t
model_damage (const struct model *model, uint64_t offset, uint64_t end)
{
  while (offset < end) {
    const uint64_t start = offset / MODEL_SECTOR * MODEL_SECTOR;

    if (model_sector (model, start).kind == TABLE_DAMAGED)
      return offset;
    offset = start + MODEL_SECTOR;
  }
  return end;
}

/* What a list says of the sector that starts at 'start', from 'offset',
 * in that sector, on. */
static bool
agrees_at (const struct model *model, const struct interval *interval,
           uint64_t start, uint64_t offset)
{
  const struct interval sector = model_sector (model, start);
  uint64_t host = sector.host;

  if (sector.kind != interval->kind || sector.depth != interval->depth ||
      sector.packed_size != interval->packed_size)
    return false;
  if (host == VDISK_NO_HOST_OFFSET || sector.kind == VDISK_PACKED)
    return interval->host == host;
  return interval->host + (offset - interval->offset) ==
    host + (offset - start);
}

bool
model_agrees (const struct model *model, const struct interval_list *list,
              uint64_t offset, uint64_t end)
{
  size_t i;

  for (i = 0; i < list->count; ++i) {
    const struct interval *interval = &list->at[i];
    const uint64_t interval_end = interval->offset + interval->length;

    if (interval->offset != offset || interval->length == 0)
      return false;
    while (offset < interval_end) {
      const uint64_t start = offset / MODEL_SECTOR * MODEL_SECTOR;

      if (!agrees_at (model, interval, start, offset))
        return false;
      offset = start + MODEL_SECTOR < interval_end ? start + MODEL_SECTOR
                                                   : interval_end;
    }
  }
  return offset == end;
}

static uint32_t
random_kind (struct random *random, const struct model_mix *mix)
{
  const unsigned shares[] = {
    [VDISK_HOLE] = mix->hole, [VDISK_ZERO] = mix->zero,
    [VDISK_DATA] = mix->data, [VDISK_PACKED] = mix->packed,
  };
  uint64_t n = random_below (random, mix->hole + mix->zero + mix->data +
                             mix->packed + mix->damaged);
  uint32_t kind;

  for (kind = VDISK_HOLE; kind <= VDISK_PACKED; ++kind) {
    if (n < shares[kind])
      return kind;
    n -= shares[kind];
  }
  return TABLE_DAMAGED;
}

struct table_image *
model_random_image (struct random *random, const char *name, uint64_t size,
                    const struct model_mix *mix)
{
  struct table_image *image = table_new (name, size);
  const uint32_t cluster_size = MODEL_CLUSTER_MAX >> random_below (random, 3);
  uint64_t offset = 0;

  table_header (image)->cluster_size = cluster_size;
  while ((offset = table_end (image)) < size) {
    uint64_t length = MODEL_SECTOR *
      (1 + random_below (random, mix->run_sectors));
    uint32_t kind = random_kind (random, mix);

    if (kind == VDISK_PACKED) {
      /* Up to where one can start, or one whole. */
      length = cluster_size - offset % cluster_size;
      if (length != cluster_size)
        kind = VDISK_HOLE;
    }
    if (length > size - offset)
      length = size - offset;
    if (random_below (random, 2))
      table_skip (image, MODEL_SECTOR);
    table_add (image, kind, length);
  }
  return image;
}

/* Is some of a range of the file a compressed cluster?  With a hole there it
 * would be another one. */
static bool
has_packed (const struct table_image *image, uint64_t offset, uint64_t end)
{
  const struct table_row *row = table_rows (image);
  uint32_t i;

  for (i = 0; i < table_header (image)->row_count; ++i, ++row)
    if (row->kind == VDISK_PACKED && row->host < end &&
        row->host + row->packed_size > offset)
      return true;
  return false;
}

static struct model_holes
random_holes (struct random *random, const struct table_image *image)
{
  struct model_holes holes = { .count = 0 };
  uint64_t offset = 0;

  while (holes.count < 32) {
    uint64_t *hole = holes.at[holes.count];

    offset += MODEL_SECTOR * (1 + random_below (random, 20));
    hole[0] = TABLE_DATA_OFFSET + offset;
    offset += MODEL_SECTOR * (1 + random_below (random, 20));
    hole[1] = TABLE_DATA_OFFSET + offset;
    if (hole[1] > image->data->size)
      break;
    if (!has_packed (image, hole[0], hole[1]))
      holes.count++;
  }
  return holes;
}

struct model
model_random (struct random *random, const struct model_mix *mix,
              uint64_t max_sectors, enum model_sizes sizes)
{
  struct model model = { .host_holes = random_below (random, 4) > 0 };
  const unsigned count = 1 + random_below (random, 6);
  const uint64_t disk =
    MODEL_SECTOR * (1 + random_below (random, max_sectors));
  uint64_t size = disk, limit = UINT64_MAX;
  unsigned i;

  for (i = 0; i < count; ++i) {
    struct table_image *image;

    if (i > 0) {
      size = random_below (random, 3) ? disk : MODEL_SECTOR *
        (1 + random_below (random, max_sectors));
      if (sizes == MODEL_ORDERED && size > limit)
        size = limit;
      if (size < disk && size < limit)
        limit = size;
    }
    image = model_random_image (random, model_name (i), size, mix);
    table_header (image)->is_raw = random_below (random, 5) == 0;
    model_add (&model, image);
  }
  return model;
}

void
model_punch_some (struct random *random, struct model *model)
{
  unsigned i;

  for (i = 0; i < model->count; ++i)
    if (random_below (random, 3) > 0) {
      const struct model_holes holes =
        random_holes (random, model->layers[i]);

      model_punch (model, i, &holes);
    }
}

const char *
model_name (unsigned depth)
{
  static const char *const names[MODEL_LAYERS_MAX] = {
    "layer-0", "layer-1", "layer-2", "layer-3", "layer-4", "layer-5",
    "layer-6", "layer-7",
  };

  return names[depth];
}
