/* SPDX-License-Identifier: BSD-3-Clause */
/* Open images: reads, extents and prefetching through the whole stack,
 * over images in memory, against what the chain is known to hold.
 */

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "util/error.h"
#include "image.h"
#include "options.h"
#include "random.h"
#include "source/memory.h"
#include "support.h"
#include "table-format.h"
#include "table-model.h"

#define CACHE_SIZE 65536

/* As image_open, for a model and the data files of its layers. */
static struct vdisk *
try_open (struct model *model, size_t cache_size, struct vdisk_error *error)
{
  struct table_image *images[2 * MODEL_LAYERS_MAX];
  struct table_shelf shelf = { .images = images };
  const struct resolver resolver = table_resolver (&shelf);
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk *vdisk;
  unsigned i;

  if (options == NULL)
    ck_abort_msg ("out of memory");
  for (i = 0; i < model->count; ++i) {
    images[shelf.count++] = model->layers[i];
    if (model->layers[i]->data != model->layers[i])
      images[shelf.count++] = model->layers[i]->data;
  }
  options->format = &format_table;
  options->cache_size = cache_size;
  options->host_holes = model->host_holes;
  error_clear (error);
  vdisk = image_open (table_source (model->layers[0]), options, &resolver,
                      error);
  vdisk_options_free (options);
  return vdisk;
}

static struct vdisk *
open_model (struct model *model, size_t cache_size)
{
  struct vdisk_error error;
  struct vdisk *vdisk = try_open (model, cache_size, &error);

  ck_assert_msg (vdisk != NULL, "%s", error.message);
  ck_assert_uint_eq (vdisk_size (vdisk),
                     table_header (model->layers[0])->size);
  ck_assert_uint_eq (vdisk_layers (vdisk), model->count);
  return vdisk;
}

/* --- What a disk should hold ----------------------------------------- */

struct expected {
  uint64_t size;
  uint8_t *bytes;
  bool *damaged;        /* by sector */
};

static struct expected
expect (const struct model *model)
{
  struct expected expected = {
    .size = table_header (model->layers[0])->size,
  };
  uint64_t sectors = expected.size / MODEL_SECTOR + 1, i;

  expected.bytes = calloc (sectors, MODEL_SECTOR);
  expected.damaged = calloc (sectors, sizeof *expected.damaged);
  ck_assert (expected.bytes && expected.damaged);
  for (i = 0; i * MODEL_SECTOR < expected.size; ++i) {
    const struct interval sector = model_sector (model, i * MODEL_SECTOR);

    if (sector.kind == TABLE_DAMAGED)
      expected.damaged[i] = true;
    else
      model_bytes (model, &sector, expected.bytes + i * MODEL_SECTOR);
  }
  return expected;
}

static void
expected_free (struct expected *expected)
{
  free (expected->bytes);
  free (expected->damaged);
}

static bool
is_damaged (const struct expected *expected, uint64_t offset, uint64_t end)
{
  uint64_t i;

  for (i = offset / MODEL_SECTOR; i * MODEL_SECTOR < end; ++i)
    if (expected->damaged[i])
      return true;
  return false;
}

/* True if a read gives what it should: the bytes, or EIO for damage. */
static bool
read_is_right (struct vdisk *vdisk, const struct expected *expected,
               uint64_t offset, uint64_t count)
{
  const bool damaged = is_damaged (expected, offset, offset + count);
  struct vdisk_error error = { .errnum = EPERM };
  uint8_t *buffer = malloc (count + 1);
  bool right;
  int r;

  if (buffer == NULL)
    return false;
  buffer[count] = 0x5a;
  r = vdisk_pread (vdisk, buffer, count, offset, &error);
  if (damaged)
    right = r == -1 && error.errnum == EIO;
  else
    right = r == 0 && error.errnum == 0 &&
      memcmp (buffer, expected->bytes + offset, count) == 0;
  right = right && buffer[count] == 0x5a;
  free (buffer);
  return right;
}

static void
check_read (struct vdisk *vdisk, const struct expected *expected,
            uint64_t offset, uint64_t count)
{
  if (!read_is_right (vdisk, expected, offset, count))
    ck_abort_msg ("%" PRIu64 " bytes at %" PRIu64, count, offset);
}

/* A random range within the disk, mostly a short one. */
static void
random_range (struct random *random, uint64_t size,
              uint64_t *offset, uint64_t *count)
{
  uint64_t most;

  *offset = random_below (random, size);
  most = size - *offset;
  if (random_below (random, 4) > 0 && most > 3 * TABLE_CLUSTER_SIZE)
    most = 3 * TABLE_CLUSTER_SIZE;
  *count = 1 + random_below (random, most);
}

/* Collects extents as a list, just as they come. */
struct collector {
  struct interval_list list;
  unsigned calls, stop_at;      /* the call to stop at; 0: none */
  int stop_value;
  struct vdisk_extent last;
  unsigned unmerged;            /* how many go on with the one before */
};

/* The parts of a compressed cluster are told apart by where in the host
 * file it is: no two clusters of a random image are at one place. */
static bool
goes_on (const struct vdisk_extent *a, const struct vdisk_extent *b)
{
  const uint64_t step = a->kind == VDISK_PACKED ||
    a->host_offset == VDISK_NO_HOST_OFFSET ? 0 : a->length;

  return a->length > 0 && a->kind == b->kind && a->depth == b->depth &&
    a->host_hole == b->host_hole && a->host_offset + step == b->host_offset;
}

static int
collect (void *opaque, const struct vdisk_extent *extent)
{
  struct collector *collector = opaque;
  struct interval_list *list = &collector->list;

  collector->unmerged += goes_on (&collector->last, extent);
  collector->last = *extent;
  if (interval_list_reserve (list, 1) == -1)
    return 1;
  list->at[list->count++] = (struct interval) {
    .offset = extent->offset, .length = extent->length,
    .host = extent->host_offset, .kind = extent->kind,
    .depth = extent->depth,
    .packed_size = extent->kind == VDISK_PACKED ? 8 : 0,
  };
  return ++collector->calls == collector->stop_at ? collector->stop_value
                                                  : 0;
}

static void
check_extents_flags (struct vdisk *vdisk, const struct model *model,
                     uint64_t offset, uint64_t count, unsigned flags)
{
  const uint64_t end = offset + count;
  const uint64_t damage = model_damage (model, offset, end);
  struct collector collector = { .calls = 0 };
  struct vdisk_error error = { .errnum = EPERM };
  int r = vdisk_extents_flags (vdisk, offset, count, flags, collect,
                               &collector, &error);

  if (r != (damage < end ? -1 : 0) ||
      error.errnum != (damage < end ? EIO : 0) ||
      !model_agrees (model, &collector.list, offset, damage))
    ck_abort_msg ("extents of %" PRIu64 " at %" PRIu64 ", flags %u: %s",
                  count, offset, flags, list_text (&collector.list));
  if (flags & VDISK_EXTENTS_MERGED && collector.unmerged > 0)
    ck_abort_msg ("extents of %" PRIu64 " at %" PRIu64 ", flags %u: %u are "
                  "not maximal: %s", count, offset, flags,
                  collector.unmerged, list_text (&collector.list));
  interval_list_free (&collector.list);
}

static void
check_extents (struct vdisk *vdisk, const struct model *model,
               uint64_t offset, uint64_t count)
{
  struct model without_holes = *model;

  without_holes.host_holes = false;
  check_extents_flags (vdisk, model, offset, count, 0);
  check_extents_flags (vdisk, model, offset, count, VDISK_EXTENTS_MERGED);
  check_extents_flags (vdisk, &without_holes, offset, count,
                       VDISK_EXTENTS_NO_HOST_HOLES);
  check_extents_flags (vdisk, &without_holes, offset, count,
                       VDISK_EXTENTS_NO_HOST_HOLES | VDISK_EXTENTS_MERGED);
}

/* --- Random images --------------------------------------------------- */

static const struct model_mix mixes[] = {
  { .hole = 8, .zero = 1, .data = 2, .packed = 2, .run_sectors = 10 },
  { .hole = 1, .zero = 1, .data = 1, .packed = 3, .run_sectors = 30 },
  { .hole = 8, .zero = 5, .data = 5, .packed = 1, .damaged = 1,
    .run_sectors = 20 },
};

static const size_t cache_sizes[] = { 0, 3000, CACHE_SIZE, 16 << 20 };

static void
check_image (struct random *random, struct model *model, size_t cache_size)
{
  struct vdisk *vdisk = open_model (model, cache_size);
  struct expected expected = expect (model);
  uint64_t offset, count;
  unsigned i;

  check_read (vdisk, &expected, 0, expected.size);
  check_extents (vdisk, model, 0, expected.size);
  for (i = 0; i < 40; ++i) {
    random_range (random, expected.size, &offset, &count);
    check_read (vdisk, &expected, offset, count);
    random_range (random, expected.size, &offset, &count);
    check_extents (vdisk, model, offset, count);
  }
  expected_free (&expected);
  vdisk_close (vdisk);
}

START_TEST (random_image)
{
  struct random random = { .state = 5000 + _i };
  unsigned round;

  for (round = 0; round < 4; ++round) {
    struct model model = model_random (&random, &mixes[(round + _i) % 3],
                                       700, MODEL_ORDERED);

    model_punch_some (&random, &model);
    check_image (&random, &model, cache_sizes[round % 4]);
    model_free (&model);
  }
}
END_TEST

/* Segments of a few sectors, so that every range goes over many. */
START_TEST (small_segments)
{
  struct random random = { .state = 6000 + _i };
  struct model model = model_random (&random, &mixes[_i], 200,
                                     MODEL_ORDERED);

  table_header (model.layers[model.count - 1])->granularity =
    MODEL_SECTOR / 32;
  check_image (&random, &model, CACHE_SIZE);
  model_free (&model);
}
END_TEST

/* --- Threads --------------------------------------------------------- */

struct reader {
  pthread_t thread;
  struct vdisk *vdisk;
  const struct expected *expected;
  uint64_t seed;
  unsigned wrong;
};

static int
count_extent (void *opaque, const struct vdisk_extent *extent)
{
  uint64_t *told = opaque;

  *told += extent->length;
  return 0;
}

static void *
read_at_random (void *opaque)
{
  struct reader *reader = opaque;
  struct random random = { .state = reader->seed };
  uint64_t offset, count;
  unsigned i;

  for (i = 0; i < 100; ++i) {
    random_range (&random, reader->expected->size, &offset, &count);
    reader->wrong += !read_is_right (reader->vdisk, reader->expected,
                                     offset, count);
    if (i % 4 == 0) {
      uint64_t told = 0;
      int r = vdisk_extents (reader->vdisk, offset, count, count_extent,
                             &told, NULL);

      reader->wrong += r == 0 ? told != count : told >= count;
    }
  }
  return NULL;
}

START_TEST (threads)
{
  struct random random = { .state = 7000 + _i };
  struct model model = model_random (&random, &mixes[_i % 3], 2000,
                                     MODEL_ORDERED);
  struct reader readers[8];
  struct expected expected;
  struct vdisk *vdisk;
  size_t i;

  model_punch_some (&random, &model);
  expected = expect (&model);
  vdisk = open_model (&model, _i % 2 ? 0 : CACHE_SIZE);
  for (i = 0; i < 8; ++i) {
    readers[i] = (struct reader) {
      .vdisk = vdisk, .expected = &expected, .seed = i,
    };
    ck_assert_int_eq (pthread_create (&readers[i].thread, NULL,
                                      read_at_random, &readers[i]), 0);
  }
  for (i = 0; i < 8; ++i)
    pthread_join (readers[i].thread, NULL);
  for (i = 0; i < 8; ++i)
    ck_assert_uint_eq (readers[i].wrong, 0);
  vdisk_close (vdisk);
  expected_free (&expected);
  model_free (&model);
}
END_TEST

/* --- A small image --------------------------------------------------- */

/* data 0+3072, zero 3072+1024, packed 4096+2048, data 6144+1856, of which
 * the last is in the layer below. */
#define SMALL_SIZE 8000

static struct model
small_model (void)
{
  struct model model = { .count = 0 };
  struct table_image *top = table_new ("top", SMALL_SIZE);
  struct table_image *base = table_new ("base", 10000);

  table_add (top, VDISK_DATA, 3072);
  table_add (top, VDISK_ZERO, 1024);
  table_add (top, VDISK_PACKED, 2048);
  table_fill (top, VDISK_HOLE);
  table_fill (base, VDISK_DATA);
  model_add (&model, top);
  model_add (&model, base);
  return model;
}

/* Every range of some offsets around each border. */
START_TEST (every_border)
{
  static const uint64_t borders[] = { 0, 3072, 4096, 6144, SMALL_SIZE };
  struct model model = small_model ();
  struct vdisk *vdisk = open_model (&model, CACHE_SIZE);
  struct expected expected = expect (&model);
  int i, j, a, b;

  for (i = 0; i < 5; ++i)
    for (a = -1; a <= 1; ++a)
      for (j = i; j < 5; ++j)
        for (b = -1; b <= 1; ++b) {
          uint64_t offset = borders[i] + a, end = borders[j] + b;

          if (offset <= end && end <= SMALL_SIZE) {
            check_read (vdisk, &expected, offset, end - offset);
            check_extents (vdisk, &model, offset, end - offset);
          }
        }
  expected_free (&expected);
  vdisk_close (vdisk);
  model_free (&model);
}
END_TEST

#if SIZE_MAX == UINT32_MAX
#define MOST "4294967295"
#else
#define MOST "18446744073709551615"
#endif

static const struct {
  uint64_t offset, count;
  const char *message;
} beyond[] = {
#define MESSAGE(count, offset) count " bytes at offset " offset " reach " \
  "beyond the end of the disk (8000 bytes)"
  { 0, 8001, MESSAGE ("8001", "0") },
  { 7999, 2, MESSAGE ("2", "7999") },
  { 8000, 1, MESSAGE ("1", "8000") },
  { 8001, 0, MESSAGE ("0", "8001") },
  { 8191, 1, MESSAGE ("1", "8191") },
  { 1, SIZE_MAX, MESSAGE (MOST, "1") },
  { 0, SIZE_MAX, MESSAGE (MOST, "0") },
  { UINT64_MAX, 0, MESSAGE ("0", "18446744073709551615") },
  { UINT64_MAX, 1, MESSAGE ("1", "18446744073709551615") },
  { UINT64_MAX - 99, 100, MESSAGE ("100", "18446744073709551516") },
  { UINT64_MAX - 99, 8000, MESSAGE ("8000", "18446744073709551516") },
#undef MESSAGE
};

START_TEST (out_of_range)
{
  const uint64_t offset = beyond[_i].offset, count = beyond[_i].count;
  struct model model = small_model ();
  struct vdisk *vdisk = open_model (&model, CACHE_SIZE);
  struct vdisk_error error[3];
  struct collector collector = { .calls = 0 };
  char buffer[] = "untouched";
  size_t i;

  ck_assert_int_eq (vdisk_pread (vdisk, buffer, count, offset, &error[0]),
                    -1);
  ck_assert_int_eq (vdisk_extents (vdisk, offset, count, collect,
                                   &collector, &error[1]), -1);
  ck_assert_int_eq (vdisk_prefetch (vdisk, offset, count, &error[2]), -1);
  ck_assert_str_eq (buffer, "untouched");
  ck_assert_uint_eq (collector.calls, 0);
  for (i = 0; i < 3; ++i) {
    ck_assert_int_eq (error[i].errnum, EINVAL);
    ck_assert_str_eq (error[i].message, beyond[_i].message);
  }
  ck_assert_int_eq (vdisk_pread (vdisk, buffer, count, offset, NULL), -1);
  vdisk_close (vdisk);
  model_free (&model);
}
END_TEST

START_TEST (nothing_asked)
{
  static const uint64_t offsets[] = { 0, 1, 4096, 5000, 7999, 8000 };
  struct model model = small_model ();
  struct vdisk *vdisk = open_model (&model, CACHE_SIZE);
  struct collector collector = { .calls = 0 };
  struct vdisk_error error;
  size_t i;

  for (i = 0; i < sizeof offsets / sizeof offsets[0]; ++i) {
    memset (&error, 0xff, sizeof error);
    ck_assert_int_eq (vdisk_pread (vdisk, NULL, 0, offsets[i], &error), 0);
    ck_assert_int_eq (error.errnum, 0);
    ck_assert_str_eq (error.message, "");
    ck_assert_int_eq (vdisk_extents (vdisk, offsets[i], 0, collect,
                                     &collector, &error), 0);
    ck_assert_int_eq (vdisk_prefetch (vdisk, offsets[i], 0, &error), 0);
  }
  ck_assert_uint_eq (collector.calls, 0);
  vdisk_close (vdisk);
  model_free (&model);
}
END_TEST

static const int stop_values[] = { 1, -1, INT_MAX, INT_MIN };

/* Stopping is no error, whatever the value. */
START_TEST (callback_stops)
{
  struct model model = small_model ();
  struct vdisk *vdisk;
  unsigned stop_at, calls = 0;

  table_header (model.layers[1])->granularity = 16;
  vdisk = open_model (&model, CACHE_SIZE);
  for (stop_at = 1; stop_at == 1 || calls == stop_at - 1; ++stop_at) {
    struct collector collector = {
      .stop_at = stop_at, .stop_value = stop_values[_i],
    };
    struct vdisk_error error;

    ck_assert_int_eq (vdisk_extents (vdisk, 0, SMALL_SIZE, collect,
                                     &collector, &error), 0);
    ck_assert_int_eq (error.errnum, 0);
    calls = collector.calls;
    interval_list_free (&collector.list);
    if (calls < stop_at)
      break;
  }
  ck_assert_uint_ge (calls, 4);
  ck_assert_uint_eq (stop_at, calls + 1);
  vdisk_close (vdisk);
  model_free (&model);
}
END_TEST

START_TEST (layers)
{
  static const unsigned depths[] = { 2, 3, 255, 256, 257, UINT_MAX };
  struct model model = small_model ();
  struct vdisk *vdisk = open_model (&model, CACHE_SIZE);
  size_t i;

  ck_assert_uint_eq (vdisk_cluster_size (vdisk), TABLE_CLUSTER_SIZE);
  ck_assert_uint_eq (vdisk_preferred_block_size (vdisk),
                     TABLE_CLUSTER_SIZE);
  ck_assert_uint_eq (vdisk_layers (vdisk), 2);
  ck_assert_str_eq (vdisk_layer_format (vdisk, 0), "table");
  ck_assert_str_eq (vdisk_layer_file (vdisk, 0), "top");
  ck_assert_str_eq (vdisk_layer_file (vdisk, 1), "base");
  ck_assert_str_eq (vdisk_layer_data_file (vdisk, 1), "base");
  for (i = 0; i < sizeof depths / sizeof depths[0]; ++i) {
    ck_assert_ptr_null (vdisk_layer_format (vdisk, depths[i]));
    ck_assert_ptr_null (vdisk_layer_file (vdisk, depths[i]));
    ck_assert_ptr_null (vdisk_layer_data_file (vdisk, depths[i]));
  }
  vdisk_close (vdisk);
  model_free (&model);
}
END_TEST

START_TEST (data_file)
{
  struct model model = { .count = 0 };
  struct table_image *image = table_new ("image", 5000);
  struct expected expected;
  struct vdisk *vdisk;

  image->data = table_new_file ("the-data", 100);
  strcpy (table_header (image)->data_file, "the-data");
  table_add (image, VDISK_DATA, 1000);
  table_add (image, VDISK_ZERO, 1000);
  table_add (image, VDISK_DATA, 3000);
  model_add (&model, image);
  vdisk = open_model (&model, CACHE_SIZE);
  expected = expect (&model);
  /* Its rows are not by sectors. */
  memcpy (expected.bytes, image->data->bytes + 100, 1000);
  memset (expected.bytes + 1000, 0, 1000);
  memcpy (expected.bytes + 2000, image->data->bytes + 1100, 3000);
  check_read (vdisk, &expected, 0, 5000);
  check_read (vdisk, &expected, 999, 1002);
  ck_assert_str_eq (vdisk_layer_file (vdisk, 0), "image");
  ck_assert_str_eq (vdisk_layer_data_file (vdisk, 0), "the-data");
  expected_free (&expected);
  vdisk_close (vdisk);
  model_free (&model);
}
END_TEST

START_TEST (no_size)
{
  struct model model = { .count = 0 };
  struct collector collector = { .calls = 0 };
  struct vdisk_error error;
  struct vdisk *vdisk;
  char byte;

  model_add (&model, table_new ("empty", 0));
  vdisk = open_model (&model, CACHE_SIZE);
  ck_assert_int_eq (vdisk_pread (vdisk, &byte, 0, 0, &error), 0);
  ck_assert_int_eq (vdisk_pread (vdisk, &byte, 1, 0, &error), -1);
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_int_eq (vdisk_extents (vdisk, 0, 0, collect, &collector,
                                   &error), 0);
  ck_assert_int_eq (vdisk_extents (vdisk, 0, 1, collect, &collector,
                                   &error), -1);
  ck_assert_uint_eq (collector.calls, 0);
  vdisk_close (vdisk);
  model_free (&model);
}
END_TEST

/* As large as files can be, with data at the very end. */
START_TEST (huge_disk)
{
  const uint64_t size = INT64_MAX;
  struct table_image *image = table_new ("huge", size);
  struct model model = { .count = 0 };
  struct collector collector = { .calls = 0 };
  struct vdisk *vdisk;
  uint8_t buffer[1000], zeros[500] = { 0 };

  table_header (image)->granularity = LAYER_UNDIVIDED;
  table_add (image, VDISK_HOLE, size - 500);
  table_add (image, VDISK_DATA, 500);
  model_add (&model, image);
  vdisk = open_model (&model, CACHE_SIZE);
  ck_assert_int_eq (vdisk_pread (vdisk, buffer, 1000, size - 1000, NULL),
                    0);
  ck_assert (memcmp (buffer, zeros, 500) == 0);
  ck_assert (memcmp (buffer + 500, image->bytes + TABLE_DATA_OFFSET,
                     500) == 0);
  ck_assert_int_eq (vdisk_pread (vdisk, buffer, 2, size - 1, NULL), -1);
  ck_assert_int_eq (vdisk_extents (vdisk, 0, size, collect, &collector,
                                   NULL), 0);
  list_text (&collector.list);
  ck_assert_uint_eq (collector.list.at[0].offset, 0);
  ck_assert_uint_eq (interval_list_end (&collector.list), size);
  interval_list_free (&collector.list);
  vdisk_close (vdisk);
  model_free (&model);
}
END_TEST

/* --- Compressed clusters --------------------------------------------- */

/* Ranges over clusters 0 to 3 of 2048 bytes. */
static const struct { uint64_t offset, count; } packed_reads[] = {
  { 0, 2048 }, { 2048, 2048 }, { 4096, 2048 }, { 0, 8192 }, { 0, 4096 },
  { 0, 1 }, { 2047, 1 }, { 2047, 2 }, { 2048, 1 }, { 1024, 2048 },
  { 1024, 1024 }, { 1024, 3072 }, { 1, 4095 }, { 1, 8190 }, { 3000, 2000 },
  { 4096, 3000 }, { 5000, 3192 },
};

static void
check_packed (struct table_image *image)
{
  struct model model = { .count = 0 };
  struct expected expected;
  struct vdisk *vdisk;
  size_t i, round;

  model_add (&model, image);
  expected = expect (&model);
  for (round = 0; round < 4; ++round) {
    vdisk = open_model (&model, cache_sizes[round]);
    for (i = 0; i < sizeof packed_reads / sizeof packed_reads[0]; ++i)
      check_read (vdisk, &expected, packed_reads[i].offset,
                  packed_reads[i].count);
    vdisk_close (vdisk);
  }
  expected_free (&expected);
  model_free (&model);
}

START_TEST (packed_clusters)
{
  struct table_image *image = table_new ("packed", 8192);
  unsigned i;

  for (i = 0; i < 4; ++i)
    table_add (image, VDISK_PACKED, TABLE_CLUSTER_SIZE);
  check_packed (image);
}
END_TEST

/* Guest clusters that lie at the same place in the file, as a hostile
 * image, or one that saves space, may have it.  Each is a cluster. */
START_TEST (packed_clusters_shared)
{
  struct table_image *image = table_new ("packed", 8192);
  unsigned i;

  table_add (image, VDISK_PACKED, TABLE_CLUSTER_SIZE);
  for (i = 1; i < 4; ++i)
    table_add_row (image, VDISK_PACKED, TABLE_CLUSTER_SIZE,
                   table_rows (image)[0].host,
                   table_rows (image)[0].packed_size);
  check_packed (image);
}
END_TEST

/* Layers may have clusters of different sizes: the second cluster of one
 * is not the second of another. */
START_TEST (packed_clusters_of_layers)
{
  struct table_image *top = table_new ("top", 8192);
  struct table_image *base = table_new ("base", 8192);
  struct model model = { .count = 0 };
  struct expected expected;
  struct vdisk *vdisk;
  unsigned i;

  table_header (top)->cluster_size = 1024;
  table_header (base)->cluster_size = 4096;
  for (i = 0; i < 4; ++i)
    table_add (top, i % 2 ? VDISK_PACKED : VDISK_HOLE, 1024);
  table_fill (top, VDISK_HOLE);
  table_add (base, VDISK_PACKED, 4096);
  table_add (base, VDISK_PACKED, 4096);
  model_add (&model, top);
  model_add (&model, base);
  expected = expect (&model);
  vdisk = open_model (&model, CACHE_SIZE);
  for (i = 0; i < 8192; i += 512)
    check_read (vdisk, &expected, i, 100);
  check_read (vdisk, &expected, 0, 8192);
  expected_free (&expected);
  vdisk_close (vdisk);
  model_free (&model);
}
END_TEST

/* The disk ends within a cluster. */
START_TEST (packed_cluster_cut)
{
  struct table_image *image = table_new ("packed", 3000);
  struct model model = { .count = 0 };
  struct expected expected;
  struct vdisk *vdisk;

  table_add (image, VDISK_PACKED, TABLE_CLUSTER_SIZE);
  table_fill (image, VDISK_PACKED);
  model_add (&model, image);
  expected = expect (&model);
  vdisk = open_model (&model, CACHE_SIZE);
  check_read (vdisk, &expected, 0, 3000);
  check_read (vdisk, &expected, 2048, 952);
  check_read (vdisk, &expected, 2500, 500);
  expected_free (&expected);
  vdisk_close (vdisk);
  model_free (&model);
}
END_TEST

/* What cannot be inflated is an error, whole or in part, every time; its
 * extent is known all the same. */
START_TEST (packed_cluster_damaged)
{
  struct table_image *image = table_new ("packed", 4096);
  struct model model = { .count = 0 };
  struct collector collector = { .calls = 0 };
  struct vdisk_error error;
  struct vdisk *vdisk;
  uint8_t buffer[4096];
  unsigned i;

  table_add_row (image, VDISK_PACKED, TABLE_CLUSTER_SIZE, 65536, 3);
  table_fill (image, VDISK_ZERO);
  model_add (&model, image);
  vdisk = open_model (&model, CACHE_SIZE);
  for (i = 0; i < 3; ++i) {
    static const uint64_t counts[] = { 4096, 2048, 7 };

    ck_assert_int_eq (vdisk_pread (vdisk, buffer, counts[i], 0, &error),
                      -1);
    ck_assert_int_eq (error.errnum, EIO);
    ck_assert_str_eq (error.message,
                      "packed: packed size 3, at least 8 are needed");
  }
  ck_assert_int_eq (vdisk_pread (vdisk, buffer, 2048, 2048, &error), 0);
  ck_assert_int_eq (vdisk_extents (vdisk, 0, 4096, collect, &collector,
                                   &error), 0);
  ck_assert_uint_eq (collector.list.at[0].kind, VDISK_PACKED);
  interval_list_free (&collector.list);
  vdisk_close (vdisk);
  model_free (&model);
}
END_TEST

/* --- Reads that fail ------------------------------------------------- */

static struct source *
wrap_faulty (struct source *inner, void *opaque)
{
  return source_faulty (inner, *(const size_t *) opaque);
}

static struct model
model_to_fail (void)
{
  static const struct model_mix mix = {
    .hole = 3, .zero = 1, .data = 2, .packed = 2, .run_sectors = 10,
  };
  struct random random = { .state = 8000 };
  struct model model = { .count = 0 };
  unsigned i;

  for (i = 0; i < 3; ++i)
    model_add (&model, model_random_image (&random, model_name (i), 100000,
                                           &mix));
  return model;
}

/* One pass of reads.  Returns how many failed; what did not is right. */
static unsigned
read_through (struct vdisk *vdisk, const struct expected *expected)
{
  static uint8_t buffer[30000];
  unsigned failed = 0;
  uint64_t offset, count;

  for (offset = 0; offset < expected->size; offset += count) {
    struct vdisk_error error;

    count = sizeof buffer;
    if (count > expected->size - offset)
      count = expected->size - offset;
    if (vdisk_pread (vdisk, buffer, count, offset, &error) == -1) {
      ck_assert_int_eq (error.errnum, EIO);
      ck_assert_str_eq (error.message, "injected");
      failed++;
    }
    else if (memcmp (buffer, expected->bytes + offset, count) != 0)
      ck_abort_msg ("offset %" PRIu64, offset);
  }
  return failed;
}

/* True if there was no such read. */
static bool
survives_failure (struct model *model, const struct expected *expected)
{
  struct vdisk_error error;
  struct vdisk *vdisk = try_open (model, CACHE_SIZE, &error);
  unsigned failed = 0, pass;

  if (vdisk == NULL) {
    ck_assert_int_eq (error.errnum, EIO);
    ck_assert_str_eq (error.message, "injected");
    return false;
  }
  for (pass = 0; pass < 3; ++pass)
    failed += read_through (vdisk, expected);
  ck_assert_uint_le (failed, 1);
  vdisk_close (vdisk);
  return failed == 0;
}

/* A failure to map that a second attempt does away with is no failure, so
 * only some reads in a row without one mean that there are no more. */
START_TEST (nth_read_fails)
{
  struct model model = model_to_fail ();
  struct expected expected = expect (&model);
  size_t nth, survived = 0;

  model.layers[_i]->wrap = wrap_faulty;
  model.layers[_i]->wrap_opaque = &nth;
  for (nth = 0; survived < 50; ++nth) {
    survived = survives_failure (&model, &expected) ? survived + 1 : 0;
    ck_assert_uint_lt (nth, 5000);
  }
  ck_assert_uint_gt (nth, 60);
  expected_free (&expected);
  model_free (&model);
}
END_TEST

/* The source is the image's also on error. */
START_TEST (open_fails)
{
  static const char bytes[100];
  const struct resolver resolver = { .open = NULL };
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk_error error = { 0 };

  ck_assert_ptr_nonnull (options);
  ck_assert_ptr_null (image_open (source_memory ("zeros", bytes, 100),
                                  options, &resolver, &error));
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_ptr_null (image_open (source_memory ("zeros", bytes, 100),
                                  options, &resolver, NULL));
  vdisk_options_free (options);
}
END_TEST

/* --- Prefetching ----------------------------------------------------- */

/* A source that writes down what it is to prefetch, and counts how often
 * its table is read. */
struct recorder {
  struct source source;
  struct source *inner;
};

static char recorded[1000];
static unsigned table_reads;

static int
recorder_pread (struct source *source, void *buffer, size_t count,
                uint64_t offset, struct vdisk_error *error)
{
  table_reads += offset < TABLE_DATA_OFFSET;
  return source_pread (((struct recorder *) source)->inner, buffer, count,
                       offset, error);
}

static int
recorder_prefetch (struct source *source, uint64_t offset, uint64_t count)
{
  size_t used = strlen (recorded);

  snprintf (recorded + used, sizeof recorded - used,
            "%s %" PRIu64 "+%" PRIu64 "\n", source->name, offset, count);
  return 0;
}

static void
recorder_close (struct source *source)
{
  source_close (((struct recorder *) source)->inner);
  free (source);
}

static struct source *
wrap_recorder (struct source *inner, void *opaque)
{
  static const struct source_ops ops = {
    .pread = recorder_pread, .prefetch = recorder_prefetch,
    .close = recorder_close,
  };
  struct recorder *recorder = calloc (1, sizeof *recorder);

  (void) opaque;
  ck_assert_ptr_nonnull (recorder);
  recorder->source = *inner;
  recorder->source.ops = &ops;
  recorder->inner = inner;
  return &recorder->source;
}

static const struct {
  uint64_t offset, count;
  const char *recorded;
} prefetches[] = {
  { 0, SMALL_SIZE, "top 65536+3072\ntop 68608+8\nbase 71680+1856\n" },
  { 100, 200, "top 65636+200\n" },
  { 3071, 2, "top 68607+1\n" },
  { 3072, 1024, "" },
  { 5000, 1, "top 68608+8\n" },
  { 7000, 1000, "base 72536+1000\n" },
};

START_TEST (prefetch)
{
  struct model model = small_model ();
  struct vdisk_error error;
  struct vdisk *vdisk;

  model.layers[0]->wrap = model.layers[1]->wrap = wrap_recorder;
  vdisk = open_model (&model, CACHE_SIZE);
  recorded[0] = '\0';
  ck_assert_int_eq (vdisk_prefetch (vdisk, prefetches[_i].offset,
                                    prefetches[_i].count, &error), 0);
  ck_assert_int_eq (error.errnum, 0);
  ck_assert_str_eq (recorded, prefetches[_i].recorded);
  vdisk_close (vdisk);
  model_free (&model);
}
END_TEST

/* --- What is mapped for a read --------------------------------------- */

/* With a cache of CACHE_SIZE. */
#define SEGMENT (UINT64_C (256) * TABLE_GRANULARITY)

/* Reads in this order, and whether they have to map. */
struct few_reads { uint64_t offset, count; bool maps; };

static const struct few_reads dense_reads[] = {
  { SEGMENT + 5000, 1000, true }, { SEGMENT, 1, false },
  { SEGMENT + 9000, 1000, false }, { SEGMENT, SEGMENT, false },
  /* Larger reads, and of two segments. */
  { 2 * SEGMENT, SEGMENT / 2, true }, { 3 * SEGMENT - 1, 1, false },
  { 4 * SEGMENT - 1, 2, true }, { 4 * SEGMENT, 1, false },
  { 3 * SEGMENT, 1, false },
};

/* Where there is little to a segment, one is made for sixteen. */
static const struct few_reads sparse_reads[] = {
  { 5 * SEGMENT, 1, true }, { 6 * SEGMENT, 1, false },
  { 0, 16 * SEGMENT, false }, { 16 * SEGMENT - 1, 2, true },
  { 31 * SEGMENT, SEGMENT, false }, { 32 * SEGMENT, 1, true },
};

static void
check_few_reads (struct table_image *image, const struct few_reads *reads,
                 size_t count)
{
  struct model model = { .count = 0 };
  static uint8_t buffer[16 * SEGMENT];
  struct vdisk *vdisk;
  size_t i;

  model_add (&model, image);
  image->wrap = wrap_recorder;
  vdisk = open_model (&model, CACHE_SIZE);
  for (i = 0; i < count; ++i) {
    table_reads = 0;
    ck_assert_int_eq (vdisk_pread (vdisk, buffer, reads[i].count,
                                   reads[i].offset, NULL), 0);
    ck_assert_msg ((table_reads > 0) == reads[i].maps,
                   "read %zu: the table was read %u times", i, table_reads);
  }
  vdisk_close (vdisk);
  model_free (&model);
}

START_TEST (few_reads_of_many_segments)
{
  struct table_image *dense = table_new ("dense", 40 * SEGMENT);
  struct table_image *sparse = table_new ("sparse", 40 * SEGMENT);

  while (table_end (dense) < 40 * SEGMENT) {
    table_add (dense, VDISK_HOLE, SEGMENT / 8);
    table_add (dense, VDISK_ZERO, SEGMENT / 8);
  }
  check_few_reads (dense, dense_reads,
                   sizeof dense_reads / sizeof dense_reads[0]);
  table_add (sparse, VDISK_HOLE, 40 * SEGMENT);
  check_few_reads (sparse, sparse_reads,
                   sizeof sparse_reads / sizeof sparse_reads[0]);
}
END_TEST

START_TEST (prefetch_damage)
{
  struct model model = { .count = 0 };
  struct table_image *image = table_new ("damaged", 4096);
  struct vdisk_error error;
  struct vdisk *vdisk;

  table_add (image, VDISK_DATA, 1024);
  table_add (image, TABLE_DAMAGED, 1024);
  table_fill (image, VDISK_DATA);
  model_add (&model, image);
  vdisk = open_model (&model, CACHE_SIZE);
  ck_assert_int_eq (vdisk_prefetch (vdisk, 0, 4096, &error), -1);
  ck_assert_int_eq (error.errnum, EIO);
  ck_assert_str_eq (error.message, "damaged: table: damage at 1024");
  ck_assert_int_eq (vdisk_prefetch (vdisk, 0, 1024, &error), 0);
  ck_assert_int_eq (vdisk_prefetch (vdisk, 2048, 2048, &error), 0);
  vdisk_close (vdisk);
  model_free (&model);
}
END_TEST

/* --- Warnings -------------------------------------------------------- */

static int
map_and_warn (struct layer *layer, uint64_t offset, uint64_t count,
              struct interval_list *out, struct vdisk_error *error)
{
  layer_warn (layer, "mapped at %" PRIu64, offset);
  return format_table.map (layer, offset, count, out, error);
}

static void
keep_warning (void *opaque, const char *message)
{
  char *kept = opaque;

  snprintf (kept, 100, "%s", message);
}

/* What is odd may be met while reading only, when the options are gone. */
START_TEST (warning_after_open)
{
  struct format odd = format_table;
  struct table_image *image = table_new ("odd", 4096);
  struct vdisk_options *options = vdisk_options_new ();
  const struct resolver resolver = { .open = NULL };
  char byte, kept[100] = "";
  struct vdisk *vdisk;

  table_fill (image, VDISK_DATA);
  odd.map = map_and_warn;
  options->format = &odd;
  vdisk_options_set_warning_callback (options, keep_warning, kept);
  vdisk = image_open (table_source (image), options, &resolver, NULL);
  vdisk_options_free (options);
  ck_assert_ptr_nonnull (vdisk);
  ck_assert_str_eq (kept, "");
  ck_assert_int_eq (vdisk_pread (vdisk, &byte, 1, 0, NULL), 0);
  ck_assert_str_eq (kept, "odd: mapped at 0");
  vdisk_close (vdisk);
  table_free (image);
}
END_TEST

/* --- Raw disks ------------------------------------------------------- */

START_TEST (raw)
{
  static const uint64_t holes[][2] = { { 100, 5000 }, { 9000, 10000 } };
  static uint8_t bytes[10000];
  const struct resolver resolver = { .open = NULL };
  struct vdisk_options *options = vdisk_options_new ();
  struct collector collector = { .calls = 0 };
  uint8_t buffer[10000];
  struct vdisk *vdisk;

  memset (bytes, 'x', sizeof bytes);
  memset (bytes + 100, 0, 4900);
  memset (bytes + 9000, 0, 1000);
  ck_assert_int_eq (vdisk_options_set (options, "format", "raw", NULL), 0);
  options->host_holes = _i;
  vdisk = image_open (source_holey (source_memory ("disk", bytes,
                                                   sizeof bytes), holes, 2),
                      options, &resolver, NULL);
  vdisk_options_free (options);
  ck_assert_ptr_nonnull (vdisk);
  ck_assert_uint_eq (vdisk_size (vdisk), 10000);
  ck_assert_str_eq (vdisk_layer_format (vdisk, 0), "raw");
  ck_assert_int_eq (vdisk_pread (vdisk, buffer, 10000, 0, NULL), 0);
  ck_assert (memcmp (buffer, bytes, 10000) == 0);
  ck_assert_int_eq (vdisk_extents (vdisk, 0, 10000, collect, &collector,
                                   NULL), 0);
  ck_assert_str_eq (list_text (&collector.list),
                    _i ? "data 0+100@0, hole 100+4900@100, "
                    "data 5000+4000@5000, hole 9000+1000@9000"
                    : "data 0+10000@0");
  interval_list_free (&collector.list);
  vdisk_close (vdisk);
}
END_TEST

#define COUNT(array) ((int) (sizeof (array) / sizeof (array)[0]))

static void
add_small (Suite *suite)
{
  TCase *tcase = tcase_create ("small");

  tcase_add_test (tcase, every_border);
  tcase_add_loop_test (tcase, out_of_range, 0, COUNT (beyond));
  tcase_add_test (tcase, nothing_asked);
  tcase_add_loop_test (tcase, callback_stops, 0, COUNT (stop_values));
  tcase_add_test (tcase, layers);
  tcase_add_test (tcase, data_file);
  tcase_add_test (tcase, no_size);
  tcase_add_test (tcase, huge_disk);
  tcase_add_test (tcase, open_fails);
  tcase_add_loop_test (tcase, prefetch, 0, COUNT (prefetches));
  tcase_add_test (tcase, prefetch_damage);
  tcase_add_test (tcase, few_reads_of_many_segments);
  tcase_add_test (tcase, warning_after_open);
  tcase_add_loop_test (tcase, raw, 0, 2);
  suite_add_tcase (suite, tcase);
}

int
main (void)
{
  Suite *suite = suite_create ("image");
  TCase *tcase = tcase_create ("random");

  tcase_set_timeout (tcase, 60);
  tcase_add_loop_test (tcase, random_image, 0, 9);
  tcase_add_loop_test (tcase, small_segments, 0, 3);
  tcase_add_loop_test (tcase, threads, 0, 4);
  tcase_add_loop_test (tcase, nth_read_fails, 0, 3);
  suite_add_tcase (suite, tcase);
  add_small (suite);
  tcase = tcase_create ("packed");
  tcase_add_test (tcase, packed_clusters);
  tcase_add_test (tcase, packed_clusters_shared);
  tcase_add_test (tcase, packed_clusters_of_layers);
  tcase_add_test (tcase, packed_cluster_cut);
  tcase_add_test (tcase, packed_cluster_damaged);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
