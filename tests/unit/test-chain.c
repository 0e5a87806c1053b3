/* SPDX-License-Identifier: BSD-3-Clause */
/* Chains: opening them by the references of each layer, and the map that
 * the layers make together, against a model that works it out sector by
 * sector.
 */

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "util/error.h"
#include "extents.h"
#include "options.h"
#include "random.h"
#include "source/memory.h"
#include "support.h"
#include "table-format.h"
#include "table-model.h"

/* Options for the table format, which outlive all chains. */
static const struct vdisk_options *
table_options (bool host_holes)
{
  static struct vdisk_options options[2];
  struct vdisk_options *defaults = vdisk_options_new ();

  ck_assert_ptr_nonnull (defaults);
  options[host_holes] = *defaults;
  options[host_holes].format = &format_table;
  options[host_holes].host_holes = host_holes;
  vdisk_options_free (defaults);
  return &options[host_holes];
}

/* Open the chain of images whose top is the first on the shelf. */
static struct chain *
open_shelf (struct table_shelf *shelf, bool host_holes,
            struct vdisk_error *error)
{
  const struct resolver resolver = table_resolver (shelf);
  struct chain *chain;

  error_clear (error);
  chain = chain_open (table_source (shelf->images[0]),
                      table_options (host_holes), &resolver, error);
  if (chain)
    ck_assert_int_eq (error->errnum, 0);
  else
    ck_assert_int_ne (error->errnum, 0);
  return chain;
}

/* Open the chain of a model, with the data files of its layers. */
static struct chain *
open_model (struct model *model)
{
  struct table_image *images[2 * MODEL_LAYERS_MAX];
  struct table_shelf shelf = { .images = images };
  struct vdisk_error error;
  struct chain *chain;
  unsigned i;

  for (i = 0; i < model->count; ++i) {
    images[shelf.count++] = model->layers[i];
    if (model->layers[i]->data != model->layers[i])
      images[shelf.count++] = model->layers[i]->data;
  }
  chain = open_shelf (&shelf, model->host_holes, &error);
  ck_assert_msg (chain != NULL, "%s", error.message);
  ck_assert_uint_eq (chain->count, model->count);
  ck_assert_uint_eq (chain_size (chain),
                     table_header (model->layers[0])->size);
  return chain;
}

/* --- Flattening: cases made by hand ---------------------------------- */

#define KIB UINT64_C (1024)

struct collecting {
  const struct interval *interval;
  struct interval_list *list;
};

static int
collect (void *opaque, const struct vdisk_extent *extent)
{
  const struct collecting *collecting = opaque;
  const struct interval interval = {
    .offset = extent->offset, .length = extent->length,
    .host = extent->host_offset, .kind = extent->kind,
    .depth = extent->depth,
    .packed_size = collecting->interval->packed_size,
  };

  ck_assert_int_eq (extent->host_hole,
                    collecting->interval->kind == VDISK_DATA &&
                    extent->kind == VDISK_ZERO);
  return interval_list_append (collecting->list, &interval);
}

/* As chain_map, with the holes of the host files. */
static int
map_with_holes (const struct chain *chain, uint64_t offset, uint64_t count,
                struct interval_list *list, struct vdisk_error *error)
{
  struct interval_list mapped = { 0 };
  struct collecting collecting = { .list = list };
  struct extents extents = {
    .chain = chain, .callback = collect, .opaque = &collecting,
  };
  struct vdisk_error hidden = { 0 };
  int r = chain_map (chain, offset, count, &mapped, &hidden);
  size_t i;

  for (i = 0; i < mapped.count; ++i) {
    collecting.interval = &mapped.at[i];
    if (extents_report (&extents, &mapped.at[i], 1, error) == -1)
      break;
  }
  if (i < mapped.count)
    r = -1;
  else if (r == -1 && error)
    *error = hidden;
  interval_list_free (&mapped);
  return r;
}

/* The whole map of a model's chain as text. */
static const char *
model_map_text (struct model *model)
{
  struct chain *chain = open_model (model);
  struct interval_list list = { 0 };
  struct vdisk_error error = { 0 };
  const char *text;

  ck_assert_msg (map_with_holes (chain, 0, chain_size (chain), &list,
                                 &error) == 0, "%s", error.message);
  ck_assert_int_eq (error.errnum, 0);
  ck_assert_uint_eq (interval_list_end (&list), chain_size (chain));
  text = list_text (&list);
  interval_list_free (&list);
  chain_close (chain);
  return text;
}

/* One layer of a case: a size, and rows of a letter for the kind (h, z, d,
 * p for packed) and a length. */
struct plan {
  uint64_t size;
  struct { char kind; uint64_t length; } rows[6];
};

static uint32_t
kind_of_letter (char letter)
{
  switch (letter) {
  case 'h': return VDISK_HOLE;
  case 'z': return VDISK_ZERO;
  case 'd': return VDISK_DATA;
  case 'p': return VDISK_PACKED;
  default: return TABLE_DAMAGED;
  }
}

static void
add_plan (struct model *model, const struct plan *plan)
{
  struct table_image *image = table_new (model_name (model->count),
                                         plan->size);
  size_t i;

  for (i = 0; i < 6 && plan->rows[i].kind; ++i)
    table_add (image, kind_of_letter (plan->rows[i].kind),
               plan->rows[i].length);
  table_fill (image, VDISK_HOLE);
  model_add (model, image);
}

static const struct {
  struct plan layers[4];
  const char *text;
} plans[] = {
  /* One layer. */
  { { { 4096, { { 0 } } } }, "hole 0+4096" },
  { { { 4096, { { 'd', 4096 } } } }, "data 0+4096@65536" },
  { { { 5000, { { 'd', 1000 }, { 'z', 1000 }, { 'h', 1000 } } } },
    "data 0+1000@65536, zero 1000+1000, hole 2000+3000" },
  /* The upper one decides, where it says anything. */
  { { { 4096, { { 'd', 4096 } } }, { 4096, { { 'd', 4096 } } } },
    "data 0+4096@65536" },
  { { { 4096, { { 'z', 4096 } } }, { 4096, { { 'd', 4096 } } } },
    "zero 0+4096" },
  { { { 4096, { { 'h', 4096 } } }, { 4096, { { 'd', 4096 } } } },
    "data:1 0+4096@65536" },
  { { { 4096, { { 'h', 4096 } } }, { 4096, { { 'z', 4096 } } } },
    "zero:1 0+4096" },
  { { { 4096, { { 'h', 4096 } } }, { 4096, { { 'h', 4096 } } } },
    "hole:1 0+4096" },
  { { { 4096, { { 'd', 1024 }, { 'h', 1024 }, { 'z', 1024 } } },
      { 4096, { { 'd', 4096 } } } },
    "data 0+1024@65536, data:1 1024+1024@66560, zero 2048+1024, "
    "data:1 3072+1024@68608" },
  /* Three layers. */
  { { { 4096, { { 'h', 1024 }, { 'd', 1024 } } },
      { 4096, { { 'd', 512 }, { 'h', 2560 }, { 'z', 512 } } },
      { 4096, { { 'd', 4096 } } } },
    "data:1 0+512@65536, data:2 512+512@66048, data 1024+1024@65536, "
    "data:2 2048+1024@67584, zero:1 3072+512, data:2 3584+512@69120" },
  /* A compressed cluster that shows in pieces. */
  { { { 4096, { { 'h', 512 }, { 'd', 512 } } },
      { 4096, { { 'p', 2048 }, { 'p', 2048 } } } },
    "packed:1 0+512@65536/8, data 512+512@65536, "
    "packed:1 1024+1024@65536/8, packed:1 2048+2048@66048/8" },
  /* The parent is larger, or smaller, by odd bytes too. */
  { { { 2048, { { 'h', 2048 } } }, { 4096, { { 'd', 4096 } } } },
    "data:1 0+2048@65536" },
  { { { 4096, { { 'h', 4096 } } }, { 1024, { { 'd', 1024 } } } },
    "data:1 0+1024@65536, hole 1024+3072" },
  { { { 4096, { { 'h', 4096 } } }, { 1001, { { 'd', 1001 } } } },
    "data:1 0+1001@65536, hole 1001+3095" },
  { { { 4097, { { 'h', 4097 } } }, { 4099, { { 'd', 4099 } } } },
    "data:1 0+4097@65536" },
  { { { 4096, { { 'd', 2048 }, { 'h', 2048 } } },
      { 1024, { { 'd', 1024 } } } },
    "data 0+2048@65536, hole 2048+2048" },
  { { { 4096, { { 'h', 4096 } } }, { 0, { { 'h', 0 } } } }, "hole 0+4096" },
};

START_TEST (flatten_plan)
{
  struct model model = { .count = 0 };
  size_t i;

  for (i = 0; i < 4 && (i == 0 || plans[_i].layers[i].size ||
                        plans[_i].layers[i].rows[0].kind); ++i)
    add_plan (&model, &plans[_i].layers[i]);
  ck_assert_str_eq (model_map_text (&model), plans[_i].text);
  model_free (&model);
}
END_TEST

/* A disk that was made larger than its parent is empty there.  What the
 * parent of the parent has at these offsets was never on this disk. */
static const struct {
  struct plan layers[4];
  const char *text;
} shorter[] = {
  { { { 4096, { { 'h', 4096 } } },
      { 1024, { { 'h', 1024 } } },
      { 4096, { { 'd', 4096 } } } },
    "data:2 0+1024@65536, hole 1024+3072" },
  { { { 4096, { { 'h', 4096 } } },
      { 1024, { { 'd', 512 } } },
      { 4096, { { 'z', 4096 } } } },
    "data:1 0+512@65536, zero:2 512+512, hole 1024+3072" },
  { { { 4096, { { 'h', 4096 } } },
      { 3072, { { 'h', 3072 } } },
      { 1024, { { 'h', 1024 } } },
      { 4096, { { 'd', 4096 } } } },
    "data:3 0+1024@65536, hole:1 1024+2048, hole 3072+1024" },
};

START_TEST (shorter_layer_between)
{
  struct model model = { .count = 0 };
  size_t i;

  for (i = 0; i < 4 && shorter[_i].layers[i].size; ++i)
    add_plan (&model, &shorter[_i].layers[i]);
  ck_assert_str_eq (model_map_text (&model), shorter[_i].text);
  model_free (&model);
}
END_TEST

/* What was in the list before is gone. */
START_TEST (replaces_list)
{
  struct model model = { .count = 0 };
  const struct interval old = { .offset = 7, .length = 9, .kind = 1 };
  struct interval_list list = { 0 };
  struct chain *chain;

  add_plan (&model, &(struct plan) { 4096, { { 'd', 4096 } } });
  chain = open_model (&model);
  ck_assert_int_eq (interval_list_append (&list, &old), 0);
  ck_assert_int_eq (chain_map (chain, 512, 1024, &list, NULL), 0);
  ck_assert_str_eq (list_text (&list), "data 512+1024@66048");
  ck_assert_int_eq (chain_map (chain, 0, 1, &list, NULL), 0);
  ck_assert_str_eq (list_text (&list), "data 0+1@65536");
  interval_list_free (&list);
  chain_close (chain);
  model_free (&model);
}
END_TEST

/* --- Flattening: random chains --------------------------------------- */

/* Map a range, and compare it with the model: right up to the first
 * damage, which is an error. */
static void
check_range (const struct model *model, const struct chain *chain,
             uint64_t offset, uint64_t end)
{
  const uint64_t damage = model_damage (model, offset, end);
  struct interval_list list = { 0 };
  struct vdisk_error error = { 0 };
  int r = map_with_holes (chain, offset, end - offset, &list, &error);
  size_t i;

  if (r != (damage < end ? -1 : 0) ||
      error.errnum != (damage < end ? EIO : 0) ||
      !model_agrees (model, &list, offset, damage))
    ck_abort_msg ("map of %" PRIu64 " to %" PRIu64 " (damage at %" PRIu64
                  ", %s): %s", offset, end, damage, error.message,
                  list_text (&list));
  for (i = 1; i < list.count; ++i)
    if (interval_continues (&list.at[i - 1], &list.at[i]))
      ck_abort_msg ("not merged: %s", list_text (&list));
  interval_list_free (&list);
}

static void
check_model (struct random *random, struct model *model)
{
  struct chain *chain = open_model (model);
  const uint64_t size = chain_size (chain);
  unsigned i;

  check_range (model, chain, 0, size);
  for (i = 0; i < 30; ++i) {
    /* Half of the time by sectors. */
    uint64_t unit = i % 2 ? MODEL_SECTOR : 1;
    uint64_t offset = random_below (random, size) / unit * unit;
    uint64_t count = (1 + random_below (random, size - offset)) / unit *
      unit;

    if (count > 0)
      check_range (model, chain, offset, offset + count);
  }
  chain_close (chain);
  model_free (model);
}

/* Many holes and short runs; also all kinds alike; also mostly data. */
static const struct model_mix mixes[] = {
  { .hole = 8, .zero = 1, .data = 2, .packed = 1, .run_sectors = 6 },
  { .hole = 1, .zero = 1, .data = 1, .packed = 1, .run_sectors = 20 },
  { .hole = 1, .data = 5, .run_sectors = 30 },
};

START_TEST (random_chain)
{
  struct random random = { .state = _i };
  unsigned round;

  for (round = 0; round < 8; ++round) {
    struct model model = model_random (&random, &mixes[round % 3],
                                       200, MODEL_ORDERED);

    check_model (&random, &model);
  }
}
END_TEST

START_TEST (random_sizes)
{
  struct random random = { .state = 1000 + _i };
  unsigned round;

  for (round = 0; round < 8; ++round) {
    struct model_mix mix = mixes[0];
    struct model model;

    mix.damaged = round % 2;
    model = model_random (&random, &mix, 200, MODEL_ANY_SIZES);
    if (round >= 4)
      model_punch_some (&random, &model);
    check_model (&random, &model);
  }
}
END_TEST

START_TEST (random_holes)
{
  struct random random = { .state = 2000 + _i };
  unsigned round;

  for (round = 0; round < 8; ++round) {
    struct model model = model_random (&random, &mixes[round % 3],
                                       200, MODEL_ORDERED);

    model_punch_some (&random, &model);
    check_model (&random, &model);
  }
}
END_TEST

START_TEST (random_damage)
{
  struct random random = { .state = 3000 + _i };
  unsigned round;

  for (round = 0; round < 10; ++round) {
    struct model_mix mix = mixes[round % 3];
    struct model model;

    mix.damaged = round % 2;
    mix.data *= 2;
    mix.zero *= 2;
    mix.hole *= 2;
    model = model_random (&random, &mix, 200, MODEL_ORDERED);
    model_punch_some (&random, &model);
    check_model (&random, &model);
  }
}
END_TEST

/* --- Damage ---------------------------------------------------------- */

/* Map what is left of a disk from 'offset' on; up to where it is right. */
static uint64_t
mapped_to (const struct chain *chain, uint64_t offset,
           struct vdisk_error *error)
{
  struct interval_list list = { 0 };
  uint64_t end = offset;

  error_clear (error);
  if (map_with_holes (chain, offset, chain_size (chain) - offset, &list,
                      error) == 0)
    ck_assert_int_eq (error->errnum, 0);
  if (list.count > 0) {
    ck_assert_uint_eq (list.at[0].offset, offset);
    end = interval_list_end (&list);
  }
  interval_list_free (&list);
  return end;
}

START_TEST (damage_hidden)
{
  struct model model = { .count = 0 };
  struct vdisk_error error;
  struct chain *chain;

  add_plan (&model, &(struct plan) { 4096, {
    { 'h', 1024 }, { 'z', 1024 }, { 'h', 1024 }, { 'd', 1024 } } });
  add_plan (&model, &(struct plan) { 4096, {
    { 'd', 1024 }, { 'x', 1024 }, { 'd', 1024 }, { 'x', 1024 } } });
  ck_assert_str_eq (model_map_text (&model),
                    "data:1 0+1024@65536, zero 1024+1024, "
                    "data:1 2048+1024@66560, data 3072+1024@65536");
  chain = open_model (&model);
  ck_assert_uint_eq (mapped_to (chain, 1500, &error), 4096);
  chain_close (chain);
  model_free (&model);
}
END_TEST

START_TEST (damage_visible)
{
  struct model model = { .count = 0 };
  struct vdisk_error error;
  struct chain *chain;

  add_plan (&model, &(struct plan) { 4096, {
    { 'h', 1024 }, { 'z', 512 }, { 'h', 1024 }, { 'd', 1024 } } });
  add_plan (&model, &(struct plan) { 4096, {
    { 'd', 1024 }, { 'x', 1024 }, { 'd', 2048 } } });
  chain = open_model (&model);
  ck_assert_uint_eq (mapped_to (chain, 0, &error), 1536);
  ck_assert_int_eq (error.errnum, EIO);
  ck_assert_str_eq (error.message, "layer-1: table: damage at 1536");
  ck_assert_uint_eq (mapped_to (chain, 1536, &error), 1536);
  ck_assert_str_eq (error.message, "layer-1: table: damage at 1536");
  ck_assert_uint_eq (mapped_to (chain, 1600, &error), 1600);
  ck_assert_str_eq (error.message, "layer-1: table: damage at 1600");
  ck_assert_uint_eq (mapped_to (chain, 2048, &error), 4096);
  ck_assert_uint_eq (mapped_to (chain, 2560, &error), 4096);
  chain_close (chain);
  model_free (&model);
}
END_TEST

/* The damage that comes first cuts, whichever layer has it. */
START_TEST (damage_in_two_layers)
{
  struct model model = { .count = 0 };
  struct vdisk_error error;
  struct chain *chain;

  add_plan (&model, &(struct plan) { 4096, {
    { 'h', 3072 }, { 'x', 512 } } });
  add_plan (&model, &(struct plan) { 4096, {
    { 'h', 2048 }, { 'x', 512 } } });
  add_plan (&model, &(struct plan) { 4096, {
    { 'd', 1024 }, { 'x', 512 }, { 'd', 2560 } } });
  chain = open_model (&model);
  ck_assert_uint_eq (mapped_to (chain, 0, &error), 1024);
  ck_assert_int_eq (error.errnum, EIO);
  ck_assert_uint_eq (mapped_to (chain, 1536, &error), 2048);
  ck_assert_uint_eq (mapped_to (chain, 2560, &error), 3072);
  ck_assert_uint_eq (mapped_to (chain, 3584, &error), 4096);
  chain_close (chain);
  model_free (&model);
}
END_TEST

/* --- Host holes ------------------------------------------------------ */

static const struct {
  bool host_holes, is_raw;
  const char *text;
} holey[] = {
  { true, false, "zero 0+1024@65536, data 1024+1024@66560, "
    "zero 2048+2048@67584" },
  { false, false, "data 0+4096@65536" },
  { true, true, "hole 0+1024@65536, data 1024+1024@66560, "
    "hole 2048+2048@67584" },
  { false, true, "data 0+4096@65536" },
};

START_TEST (host_holes)
{
  static const struct model_holes holes = {
    .at = { { 65536, 66560 }, { 67584, 70000 } }, .count = 2,
  };
  struct model model = { .host_holes = holey[_i].host_holes };

  add_plan (&model, &(struct plan) { 4096, { { 'd', 4096 } } });
  table_header (model.layers[0])->is_raw = holey[_i].is_raw;
  model_punch (&model, 0, &holes);
  ck_assert_str_eq (model_map_text (&model), holey[_i].text);
  model_free (&model);
}
END_TEST

/* Only data can lie in a hole, and only in its own file. */
START_TEST (host_holes_elsewhere)
{
  static const struct model_holes all = {
    .at = { { 65536, 100000 } }, .count = 1,
  };
  struct model model = { .host_holes = true };

  add_plan (&model, &(struct plan) { 8192, {
    { 'd', 2048 }, { 'p', 2048 }, { 'z', 2048 } } });
  add_plan (&model, &(struct plan) { 8192, { { 'p', 2048 }, { 'd', 6144 } } });
  model_punch (&model, 1, &all);
  ck_assert_str_eq (model_map_text (&model),
                    "data 0+2048@65536, packed 2048+2048@67584/8, "
                    "zero 4096+2048, zero:1 6144+2048@70144");
  model_free (&model);
}
END_TEST

/* A source that does not know its holes from some offset on. */
struct forgetful {
  struct source source;
  struct source *inner;
};

#define FORGOTTEN 67584

static int
forgetful_pread (struct source *source, void *buffer, size_t count,
                 uint64_t offset, struct vdisk_error *error)
{
  return source_pread (((struct forgetful *) source)->inner, buffer, count,
                       offset, error);
}

static int
forgetful_extent (struct source *source, uint64_t offset, uint64_t *length,
                  enum vdisk_kind *kind, struct vdisk_error *error)
{
  if (offset >= FORGOTTEN)
    return error_set (error, EIO, "%s: forgotten", source->name);
  *kind = VDISK_DATA;
  *length = FORGOTTEN - offset;
  return 0;
}

static void
forgetful_close (struct source *source)
{
  source_close (((struct forgetful *) source)->inner);
  free (source);
}

static struct source *
wrap_forgetful (struct source *inner, void *opaque)
{
  static const struct source_ops ops = {
    .pread = forgetful_pread, .extent = forgetful_extent,
    .close = forgetful_close,
  };
  struct forgetful *forgetful = calloc (1, sizeof *forgetful);

  (void) opaque;
  ck_assert_ptr_nonnull (forgetful);
  forgetful->source = *inner;
  forgetful->source.ops = &ops;
  forgetful->source.sparse = true;
  forgetful->inner = inner;
  return &forgetful->source;
}

START_TEST (host_holes_unknown)
{
  struct model model = { .host_holes = true };
  struct vdisk_error error;
  struct chain *chain;

  add_plan (&model, &(struct plan) { 4096, {
    { 'z', 1024 }, { 'd', 1024 }, { 'd', 1024 }, { 'd', 1024 } } });
  model.layers[0]->wrap = wrap_forgetful;
  chain = open_model (&model);
  ck_assert_uint_eq (mapped_to (chain, 0, &error), 3072);
  ck_assert_int_eq (error.errnum, EIO);
  ck_assert_str_eq (error.message, "layer-0: forgotten");
  ck_assert_uint_eq (mapped_to (chain, 3072, &error), 3072);
  chain_close (chain);
  model_free (&model);
}
END_TEST

/* --- Data files ------------------------------------------------------ */

static void
add_with_data_file (struct model *model)
{
  struct table_image *image = table_new ("image", 4096);

  image->data = table_new_file ("the-data", 1024);
  strcpy (table_header (image)->data_file, "the-data");
  table_add (image, VDISK_DATA, 2048);
  table_fill (image, VDISK_HOLE);
  model_add (model, image);
}

START_TEST (data_file)
{
  static const struct model_holes holes = {
    .at = { { 0, 1536 } }, .count = 1,
  };
  struct model model = { .host_holes = true };
  struct chain *chain;

  add_with_data_file (&model);
  ck_assert_str_eq (model_map_text (&model),
                    "data 0+2048@1024, hole 2048+2048");
  chain = open_model (&model);
  ck_assert_str_eq (chain->layers[0]->source->name, "image");
  ck_assert_str_eq (chain->layers[0]->data->name, "the-data");
  chain_close (chain);

  /* Holes count of the file that has the data. */
  model_punch (&model, 0, &holes);
  ck_assert_str_eq (model_map_text (&model),
                    "zero 0+512@1024, data 512+1536@1536, hole 2048+2048");
  model_free (&model);
}
END_TEST

START_TEST (data_file_missing)
{
  struct model model = { .count = 0 };
  struct table_shelf shelf = { .images = model.layers, .count = 1 };
  struct vdisk_error error;

  add_with_data_file (&model);
  ck_assert_ptr_null (open_shelf (&shelf, true, &error));
  ck_assert_int_eq (error.errnum, ENOENT);
  ck_assert_str_eq (error.message,
                    "image: data file 'the-data': not on the shelf");
  model_free (&model);
}
END_TEST

/* --- Opening --------------------------------------------------------- */

START_TEST (one_layer)
{
  struct model model = { .count = 0 };
  struct chain *chain;

  add_plan (&model, &(struct plan) { 12345, { { 'd', 100 } } });
  chain = open_model (&model);
  ck_assert_uint_eq (chain->layers[0]->depth, 0);
  ck_assert_ptr_eq (chain->layers[0]->format, &format_table);
  ck_assert_ptr_eq (chain->layers[0]->data, chain->layers[0]->source);
  ck_assert_uint_eq (chain->granularity, TABLE_GRANULARITY);
  chain_close (chain);
  chain_close (NULL);
  model_free (&model);
}
END_TEST

START_TEST (three_layers)
{
  struct model model = { .count = 0 };
  struct chain *chain;
  unsigned i;

  for (i = 0; i < 3; ++i)
    add_plan (&model, &(struct plan) { 4096, { { 'h', 4096 } } });
  table_header (model.layers[1])->granularity = 16;
  chain = open_model (&model);
  for (i = 0; i < 3; ++i) {
    ck_assert_uint_eq (chain->layers[i]->depth, i);
    ck_assert_str_eq (chain->layers[i]->source->name, model_name (i));
    ck_assert_ptr_nonnull (chain->layers[i]->options);
  }
  ck_assert_uint_eq (chain->granularity, 16);
  chain_close (chain);
  model_free (&model);
}
END_TEST

START_TEST (too_large)
{
  static const struct { uint64_t size; const char *message; } sizes[] = {
    { UINT64_C (1) << 63, "huge: the disk has 9223372036854775808 bytes, "
      "must be less than 2^63" },
    { UINT64_MAX, "huge: the disk has 18446744073709551615 bytes, must be "
      "less than 2^63" },
  };
  size_t i;

  for (i = 0; i < 2; ++i) {
    struct table_image *image = table_new ("huge", sizes[i].size);
    struct table_shelf shelf = { .images = &image, .count = 1 };
    struct vdisk_error error;

    ck_assert_ptr_null (open_shelf (&shelf, true, &error));
    ck_assert_int_eq (error.errnum, EINVAL);
    ck_assert_str_eq (error.message, sizes[i].message);
    table_free (image);
  }
}
END_TEST

/* The source is the chain's also if it has no format we know. */
START_TEST (top_not_recognized)
{
  static const char bytes[1000];
  const struct resolver resolver = { .open = NULL };
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk_error error = { 0 };

  ck_assert_ptr_nonnull (options);
  ck_assert_ptr_null (chain_open (source_memory ("zeros", bytes, 1000),
                                  options, &resolver, &error));
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_str_eq (error.message, "zeros: not recognized as VHD, QCOW2 or "
                    "QED (raw is never guessed: format=raw opens it as it "
                    "is)");
  options->format = &format_table;
  error_clear (&error);
  ck_assert_ptr_null (chain_open (source_memory ("zeros", bytes, 1000),
                                  options, &resolver, &error));
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_str_eq (error.message, "zeros: header: no magic");
  error_clear (&error);
  ck_assert_ptr_null (chain_open (source_memory ("short", bytes, 10),
                                  options, &resolver, &error));
  ck_assert_int_eq (error.errnum, EIO);
  vdisk_options_free (options);
}
END_TEST

/* What a server serves is raw if nobody says otherwise, whatever magic its
 * guest has written. */
START_TEST (uri_is_raw)
{
  static const char bytes[1000] = "QFI\xfb";
  const struct resolver resolver = { .open = NULL };
  struct vdisk_options *options = vdisk_options_new ();
  struct source *source = source_memory ("nbd://host", bytes, 1000);
  struct vdisk_error error = { 0 };
  struct chain *chain;

  source->is_uri = true;
  chain = chain_open (source, options, &resolver, &error);
  ck_assert_msg (chain != NULL, "%s", error.message);
  ck_assert_ptr_eq (chain->layers[0]->format, &format_raw);
  chain_close (chain);

  source = source_memory ("nbd://host", bytes, 1000);
  source->is_uri = true;
  options->format = &format_qcow2;
  ck_assert_ptr_null (chain_open (source, options, &resolver, &error));
  ck_assert_str_eq (error.message, "nbd://host: header: version 0, must be "
                    "2 or 3");
  vdisk_options_free (options);
}
END_TEST

/* 1000 bytes each of data, zeros and holes, and data again. */
static int
layered_extent (struct source *source, uint64_t offset, uint64_t *length,
                enum vdisk_kind *kind, struct vdisk_error *error)
{
  static const enum vdisk_kind kinds[] = {
    VDISK_DATA, VDISK_ZERO, VDISK_HOLE, VDISK_DATA,
  };

  (void) source;
  (void) error;
  *kind = kinds[offset / 1000];
  *length = 1000 - offset % 1000;
  return 0;
}

/* Raw disks show zeros and holes as their source does. */
START_TEST (raw_kinds)
{
  static const char bytes[4000];
  struct vdisk_options *options = vdisk_options_new ();
  struct source *source = source_memory ("four", bytes, sizeof bytes);
  struct source_ops ops = *source->ops;
  struct chain chain = { .count = 1, .host_holes = true };
  struct interval_list list = { 0 };
  struct vdisk_error error;
  struct layer *layer;

  ops.extent = layered_extent;
  source->ops = &ops;
  source->sparse = true;
  layer = open_layer (&format_raw, source, options, &error);
  ck_assert_ptr_nonnull (layer);
  ck_assert_str_eq (map_text (layer, 500, 3000), "data 500+3000@500");
  chain.layers[0] = layer;
  ck_assert_int_eq (map_with_holes (&chain, 500, 3000, &list, &error), 0);
  ck_assert_str_eq (list_text (&list), "data 500+500@500, "
                    "zero 1000+1000@1000, hole 2000+1000@2000, "
                    "data 3000+500@3000");
  interval_list_free (&list);
  layer_close (layer);
  vdisk_options_free (options);
}
END_TEST

/* The names a child gives for its parent, and what comes of them. */
#define IGNORE " (ignore-parent-id=true opens it all the same)"

static const struct {
  const char *names[REFERENCE_NAMES_MAX];
  const char *opened;           /* or NULL, and then: */
  int errnum;
  const char *message;
} name_rows[] = {
  { { "good" }, "good", 0, NULL },
  { { "missing", "good" }, "good", 0, NULL },
  { { "wrong", "good" }, "good", 0, NULL },
  { { "no-magic", "wrong", "missing", "good" }, "good", 0, NULL },
  { { "good", "wrong" }, "good", 0, NULL },
  { { "good", "also-good" }, "good", 0, NULL },
  { { "also-good", "good" }, "also-good", 0, NULL },
  { { "child", "good" }, "good", 0, NULL },
  { { "1", "2", "3", "4", "5", "6", "7", "8", "good" }, "good", 0, NULL },
  { { "missing" }, NULL, ENOENT,
    "child: backing file 'missing': not on the shelf" },
  { { "wrong" }, NULL, EINVAL, "child: parent wrong: id 8, expected 7" IGNORE },
  { { "no-magic" }, NULL, EINVAL, "no-magic: header: no magic" },
  { { "missing", "wrong" }, NULL, EINVAL,
    "child: parent wrong: id 8, expected 7" IGNORE },
  { { "wrong", "missing" }, NULL, EINVAL,
    "child: parent wrong: id 8, expected 7" IGNORE },
  { { "missing", "no-magic", "missing" }, NULL, EINVAL,
    "no-magic: header: no magic" },
  { { "missing", "child" }, NULL, ELOOP,
    "child: backing file child is layer 0 of this chain already: the chain "
    "loops" },
  { { "missing", "missing", "missing" }, NULL, ENOENT,
    "child: backing file 'missing': not on the shelf" },
};

START_TEST (names)
{
  struct table_image *images[] = {
    table_new ("child", 512), table_new ("good", 512),
    table_new ("also-good", 512), table_new ("wrong", 512),
    table_new_file ("no-magic", 4096),
  };
  struct table_shelf shelf = { .images = images, .count = 5 };
  struct vdisk_error error;
  struct chain *chain;
  size_t i;

  for (i = 0; i < 5; ++i)
    images[i]->inode = i + 1;
  table_header (images[0])->parent_id = 7;
  table_header (images[1])->id = 7;
  table_header (images[2])->id = 7;
  table_header (images[3])->id = 8;
  for (i = 0; i < REFERENCE_NAMES_MAX && name_rows[_i].names[i]; ++i)
    table_add_name (images[0], name_rows[_i].names[i]);

  chain = open_shelf (&shelf, true, &error);
  if (name_rows[_i].opened) {
    ck_assert_msg (chain != NULL, "%s", error.message);
    ck_assert_uint_eq (chain->count, 2);
    ck_assert_str_eq (chain->layers[1]->source->name, name_rows[_i].opened);
    chain_close (chain);
  }
  else {
    ck_assert_ptr_null (chain);
    ck_assert_int_eq (error.errnum, name_rows[_i].errnum);
    ck_assert_str_eq (error.message, name_rows[_i].message);
  }
  for (i = 0; i < 5; ++i)
    table_free (images[i]);
}
END_TEST

/* The format of the file below: recorded, recorded as raw, or not. */
START_TEST (format_below)
{
  struct table_image *images[] = {
    table_new ("top", 4096), table_new_file ("disk", 4096),
  };
  struct table_shelf shelf = { .images = images, .count = 2 };
  struct interval_list list = { 0 };
  struct vdisk_error error;
  struct chain *chain;

  table_fill (images[0], VDISK_HOLE);
  table_add_name (images[0], "disk");
  ck_assert_ptr_null (open_shelf (&shelf, true, &error));
  ck_assert_str_eq (error.message, "disk: header: no magic");

  strcpy (table_header (images[0])->backing_format, "raw");
  chain = open_shelf (&shelf, true, &error);
  ck_assert_msg (chain != NULL, "%s", error.message);
  ck_assert_ptr_eq (chain->layers[1]->format, &format_raw);
  ck_assert_int_eq (chain_map (chain, 0, 4096, &list, &error), 0);
  ck_assert_str_eq (list_text (&list), "data:1 0+4096@0");
  interval_list_free (&list);
  chain_close (chain);

  table_header (images[0])->backing_format[0] = '\0';
  ck_assert_ptr_null (open_shelf (&shelf, true, &error));
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_str_eq (error.message, "top: the format of the backing file is "
                    "not recorded (qemu-img rebase -u -F records it): "
                    "disk: not recognized as VHD, QCOW2 or QED (raw is "
                    "never guessed: its format has to be said)");
  table_free (images[0]);
  table_free (images[1]);
}
END_TEST

/* Holes of a raw disk are told by the disk itself. */
START_TEST (raw_below)
{
  static const struct model_holes holes = {
    .at = { { 0, 1024 }, { 2048, 4096 } }, .count = 2,
  };
  struct model model = { .host_holes = true };
  struct table_image *disk = table_new_file ("disk", 4096);

  add_plan (&model, &(struct plan) { 4096, { { 'd', 512 } } });
  model_add (&model, disk);
  model_punch (&model, 1, &holes);
  strcpy (table_header (model.layers[0])->backing_format, "raw");
  ck_assert_str_eq (model_map_text (&model),
                    "data 0+512@65536, hole:1 512+512@512, "
                    "data:1 1024+1024@1024, hole:1 2048+2048@2048");
  model.host_holes = false;
  ck_assert_str_eq (model_map_text (&model),
                    "data 0+512@65536, data:1 512+3584@512");
  model_free (&model);
}
END_TEST

/* --- Chains that never end ------------------------------------------- */

static const struct {
  unsigned layers, back_to;
  const char *message;
} loops[] = {
  { 1, 0, "layer-0: backing file layer-0 is layer 0 of this chain already: "
    "the chain loops" },
  { 2, 0, "layer-1: backing file layer-0 is layer 0 of this chain already: "
    "the chain loops" },
  { 2, 1, "layer-1: backing file layer-1 is layer 1 of this chain already: "
    "the chain loops" },
  { 5, 3, "layer-4: backing file layer-3 is layer 3 of this chain already: "
    "the chain loops" },
};

START_TEST (loop)
{
  struct model model = { .count = 0 };
  struct table_shelf shelf = { .images = model.layers };
  struct vdisk_error error;
  unsigned i;

  for (i = 0; i < loops[_i].layers; ++i) {
    add_plan (&model, &(struct plan) { 512, { { 'h', 512 } } });
    model.layers[i]->inode = i + 1;
  }
  table_add_name (model.layers[i - 1], model_name (loops[_i].back_to));
  shelf.count = model.count;
  ck_assert_ptr_null (open_shelf (&shelf, true, &error));
  ck_assert_int_eq (error.errnum, ELOOP);
  ck_assert_str_eq (error.message, loops[_i].message);
  ck_assert_uint_eq (shelf.opened, loops[_i].layers);
  model_free (&model);
}
END_TEST

/* The same file by two names. */
START_TEST (loop_by_identity)
{
  struct model model = { .count = 0 };
  struct table_shelf shelf = { .images = model.layers, .count = 3 };
  struct vdisk_error error;
  unsigned i;

  for (i = 0; i < 3; ++i)
    add_plan (&model, &(struct plan) { 512, { { 'h', 512 } } });
  model.layers[0]->inode = model.layers[2]->inode = 5;
  model.layers[1]->inode = 6;
  ck_assert_ptr_null (open_shelf (&shelf, true, &error));
  ck_assert_int_eq (error.errnum, ELOOP);
  ck_assert_str_eq (error.message, "layer-1: backing file layer-2 is layer 0 "
                    "of this chain already: the chain loops");
  model_free (&model);
}
END_TEST

/* A resolver that gives the same image, of unknown identity, for as long
 * as it is wanted, and then one that refers to nothing. */
struct endless {
  struct table_image *next, *last;
  unsigned left;
};

static struct source *
open_next (void *opaque, const struct source *from, const char *role,
           const char *name, const struct vdisk_options *options,
           struct vdisk_error *error)
{
  struct endless *endless = opaque;

  (void) from;
  (void) role;
  (void) name;
  (void) options;
  (void) error;
  if (endless->left == 0)
    return table_source (endless->last);
  endless->left--;
  return table_source (endless->next);
}

/* Open, map and close a chain of so many layers. */
static bool
open_long_chain (unsigned count, struct vdisk_error *error)
{
  struct endless endless = {
    .next = table_new ("next", 512), .last = table_new ("last", 512),
    .left = count - 2,
  };
  const struct resolver resolver = { .open = open_next, .opaque = &endless };
  struct interval_list list = { 0 };
  struct chain *chain;
  bool opened;

  table_add_name (endless.next, "next");
  table_fill (endless.next, VDISK_HOLE);
  table_fill (endless.last, VDISK_DATA);
  error_clear (error);
  chain = chain_open (table_source (endless.next), table_options (true),
                      &resolver, error);
  if (chain) {
    ck_assert_uint_eq (chain->count, count);
    ck_assert_int_eq (chain_map (chain, 0, 512, &list, error), 0);
    ck_assert_uint_eq (list.count, 1);
    ck_assert_uint_eq (list.at[0].depth, count - 1);
    ck_assert_uint_eq (list.at[0].kind, VDISK_DATA);
    interval_list_free (&list);
  }
  opened = chain != NULL;
  chain_close (chain);
  table_free (endless.next);
  table_free (endless.last);
  return opened;
}

START_TEST (depth_limit)
{
  static const unsigned too_many[] = { CHAIN_LAYERS_MAX + 1, 1000000 };
  struct vdisk_error error;
  size_t i;

  ck_assert (open_long_chain (2, &error));
  ck_assert (open_long_chain (CHAIN_LAYERS_MAX, &error));
  for (i = 0; i < 2; ++i) {
    ck_assert (!open_long_chain (too_many[i], &error));
    ck_assert_int_eq (error.errnum, ELOOP);
    ck_assert_str_eq (error.message, "next: backing file: the chain has "
                      "more than 256 layers");
  }
}
END_TEST

/* --- What layers have in common -------------------------------------- */

static const struct {
  uint64_t offset, length, host;
  const char *text;             /* NULL: an error */
  const char *message;
} appends[] = {
  { 0, 4096, 0, "data:2 0+4096@0", NULL },
  { 512, 1024, 5000, "data:2 512+1024@5000", NULL },
  { 0, 10000, 0, "data:2 0+10000@0", NULL },
  { 0, 1, 9999, "data:2 0+1@9999", NULL },
  /* The file ends within its last cluster. */
  { 4096, 4096, 8192, "data:2 4096+4096@8192", NULL },
  { 0, 2, 9999, "data:2 0+2@9999", NULL },
  { 0, UINT64_C (1) << 62, 0, "data:2 0+4611686018427387904@0", NULL },
  { 4096, 512, 10000, "data:2 4096+512@10000", NULL },
  { 0, 1, 12287, "data:2 0+1@12287", NULL },
  /* One that starts beyond the end. */
  { 4096, 512, 12288, NULL, "guest offset 4096 is at offset 12288, beyond "
    "the end of %s (10000 bytes)" },
  { 0, 1, 16383, NULL, "guest offset 0 is at offset 16383, beyond the end "
    "of %s (10000 bytes)" },
  { 8, 1, UINT64_MAX, NULL, "guest offset 8 is at offset "
    "18446744073709551615, beyond the end of %s (10000 bytes)" },
};

static void
check_append (int i, struct layer *layer, const char *file)
{
  struct interval_list list = { 0 };
  struct vdisk_error error = { 0 };
  char rule[200], message[300];
  int r = layer_append_data (layer, &list, appends[i].offset,
                             appends[i].length, appends[i].host, "L2 table",
                             &error);

  if (appends[i].text) {
    ck_assert_int_eq (r, 0);
    ck_assert_str_eq (list_text (&list), appends[i].text);
  }
  else {
    const char *percent = strstr (appends[i].message, "%s");

    ck_assert_int_eq (r, -1);
    ck_assert_uint_eq (list.count, 0);
    ck_assert_int_eq (error.errnum, EIO);
    snprintf (rule, sizeof rule, "%.*s%s%s",
              (int) (percent - appends[i].message), appends[i].message,
              file, percent + 2);
    snprintf (message, sizeof message, "%s: L2 table: %s",
              layer->source->name, rule);
    ck_assert_str_eq (error.message, message);
  }
  interval_list_free (&list);
}

START_TEST (append_data)
{
  static const char bytes[10000];
  struct source *image = source_memory ("image", bytes, sizeof bytes);
  struct source *other = source_memory ("other", bytes, sizeof bytes);
  struct layer layer = {
    .source = image, .data = image, .depth = 2, .cluster_size = 4096,
  };

  check_append (_i, &layer, "the file");
  layer.data = other;
  check_append (_i, &layer, "other");
  source_close (image);
  source_close (other);
}
END_TEST

/* Where the file ends, zeros go on. */
START_TEST (read_data)
{
  static char bytes[10000];
  struct source *image;
  struct layer layer = { .cluster_size = 4096 };
  struct vdisk_error error;
  char buffer[30], wanted[30];
  int present;

  memset (bytes, 'x', sizeof bytes);
  layer.source = layer.data = image =
    source_memory ("image", bytes, sizeof bytes);
  for (present = 30; present >= 0; --present) {
    memset (buffer, 'y', sizeof buffer);
    memset (wanted, 'x', present);
    memset (wanted + present, 0, sizeof wanted - present);
    ck_assert_int_eq (layer_read_data (&layer, buffer, sizeof buffer,
                                       sizeof bytes - present, &error), 0);
    ck_assert (memcmp (buffer, wanted, sizeof buffer) == 0);
  }
  ck_assert_int_eq (layer_read_data (&layer, buffer, 1, 12000, &error), 0);
  ck_assert_int_eq (buffer[0], 0);
  source_close (image);
}
END_TEST

static void
keep_warning (void *opaque, const char *message)
{
  snprintf (opaque, 100, "%s", message);
}

START_TEST (warn)
{
  struct vdisk_options *options = vdisk_options_new ();
  struct source *image = source_memory ("an\nimage", "", 0);
  struct layer layer = { .source = image, .options = options };
  char warning[100] = "";

  layer_warn (&layer, "nobody %s", "listens");
  vdisk_options_set_warning_callback (options, keep_warning, warning);
  layer_warn (&layer, "time stamp %d", 5);
  ck_assert_str_eq (warning, "an\\x0aimage: time stamp 5");
  source_close (image);
  vdisk_options_free (options);
  layer_close (NULL);
}
END_TEST

#define COUNT(array) ((int) (sizeof (array) / sizeof (array)[0]))

static void
add_opening (Suite *suite)
{
  TCase *tcase = tcase_create ("opening");

  tcase_add_test (tcase, one_layer);
  tcase_add_test (tcase, three_layers);
  tcase_add_test (tcase, too_large);
  tcase_add_test (tcase, top_not_recognized);
  tcase_add_test (tcase, uri_is_raw);
  tcase_add_test (tcase, raw_kinds);
  tcase_add_loop_test (tcase, names, 0, COUNT (name_rows));
  tcase_add_test (tcase, format_below);
  tcase_add_test (tcase, raw_below);
  tcase_add_test (tcase, data_file);
  tcase_add_test (tcase, data_file_missing);
  tcase_add_loop_test (tcase, loop, 0, COUNT (loops));
  tcase_add_test (tcase, loop_by_identity);
  tcase_add_test (tcase, depth_limit);
  suite_add_tcase (suite, tcase);
}

int
main (void)
{
  Suite *suite = suite_create ("chain");
  TCase *tcase = tcase_create ("flattening");

  tcase_add_loop_test (tcase, flatten_plan, 0, COUNT (plans));
  tcase_add_loop_test (tcase, shorter_layer_between, 0, COUNT (shorter));
  tcase_add_test (tcase, replaces_list);
  tcase_add_loop_test (tcase, random_chain, 0, 20);
  tcase_add_loop_test (tcase, random_sizes, 0, 10);
  tcase_add_loop_test (tcase, random_holes, 0, 20);
  tcase_add_loop_test (tcase, random_damage, 0, 20);
  tcase_add_test (tcase, damage_hidden);
  tcase_add_test (tcase, damage_visible);
  tcase_add_test (tcase, damage_in_two_layers);
  tcase_add_loop_test (tcase, host_holes, 0, COUNT (holey));
  tcase_add_test (tcase, host_holes_elsewhere);
  tcase_add_test (tcase, host_holes_unknown);
  tcase_add_loop_test (tcase, append_data, 0, COUNT (appends));
  tcase_add_test (tcase, read_data);
  tcase_add_test (tcase, warn);
  suite_add_tcase (suite, tcase);
  add_opening (suite);
  return run_suite (suite);
}
