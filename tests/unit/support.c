/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared parts of the unit suites. */

#include "support.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "source/memory.h"
#include "util/minmax.h"

struct faulty {
  struct source source;
  struct source *inner;
  size_t fail_at, count;
};

static int
faulty_pread (struct source *source, void *buffer, size_t count,
              uint64_t offset, struct vdisk_error *error)
{
  struct faulty *faulty = (struct faulty *) source;

  if (faulty->count++ == faulty->fail_at)
    return error_set (error, EIO, "injected");
  return source_pread (faulty->inner, buffer, count, offset, error);
}

static void
faulty_close (struct source *source)
{
  struct faulty *faulty = (struct faulty *) source;

  source_close (faulty->inner);
  free (source->name);
  free (faulty);
}

static const struct source_ops faulty_ops = {
  .pread = faulty_pread,
  .close = faulty_close,
};

struct source *
source_faulty (struct source *inner, size_t fail_at)
{
  struct faulty *faulty = calloc (1, sizeof *faulty);

  ck_assert_ptr_nonnull (faulty);
  faulty->source = *inner;
  faulty->source.ops = &faulty_ops;
  faulty->source.sparse = false;
  faulty->source.name = strdup (inner->name);
  faulty->inner = inner;
  faulty->fail_at = fail_at;
  return &faulty->source;
}

size_t
source_faulty_count (const struct source *faulty)
{
  return ((const struct faulty *) faulty)->count;
}

struct holey {
  struct source source;
  struct source *inner;
  const uint64_t (*holes)[2];
  size_t count;
};

/* As a file's, the holes are read as zeros. */
static int
holey_pread (struct source *source, void *buffer, size_t count,
             uint64_t offset, struct vdisk_error *error)
{
  const struct holey *holey = (const struct holey *) source;
  uint8_t *bytes = buffer;
  size_t i;

  if (source_pread (holey->inner, buffer, count, offset, error) == -1)
    return -1;
  for (i = 0; i < holey->count; ++i) {
    const uint64_t start = max_u64 (holey->holes[i][0], offset);
    const uint64_t end = min_u64 (holey->holes[i][1], offset + count);

    if (start < end)
      memset (bytes + (start - offset), 0, end - start);
  }
  return 0;
}

static int
holey_extent (struct source *source, uint64_t offset, uint64_t *length,
              enum vdisk_kind *kind, struct vdisk_error *error)
{
  const struct holey *holey = (const struct holey *) source;
  uint64_t end = source->size;
  size_t i;

  (void) error;
  *kind = VDISK_DATA;
  for (i = 0; i < holey->count; ++i) {
    if (holey->holes[i][1] <= offset)
      continue;
    if (holey->holes[i][0] <= offset)
      *kind = VDISK_HOLE;
    end = holey->holes[i][*kind == VDISK_HOLE ? 1 : 0];
    break;
  }
  *length = end - offset;
  return 0;
}

static void
holey_close (struct source *source)
{
  source_close (((struct holey *) source)->inner);
  free (source->name);
  free (source);
}

static const struct source_ops holey_ops = {
  .pread = holey_pread,
  .extent = holey_extent,
  .close = holey_close,
};

struct source *
source_holey (struct source *inner, const uint64_t (*holes)[2],
              size_t count)
{
  struct holey *holey = calloc (1, sizeof *holey);

  ck_assert_ptr_nonnull (holey);
  holey->source = *inner;
  holey->source.ops = &holey_ops;
  holey->source.sparse = true;
  holey->source.name = strdup (inner->name);
  holey->inner = inner;
  holey->holes = holes;
  holey->count = count;
  return &holey->source;
}

static char warning[1024];

static void
keep_warning (void *opaque, const char *message)
{
  (void) opaque;
  snprintf (warning, sizeof warning, "%s", message);
}

const char *
last_warning (void)
{
  return warning;
}

/* What layers keep once they are open: no option, but warnings. */
static const struct vdisk_options *
options_of_open_layers (void)
{
  static struct vdisk_options *options;

  if (options == NULL) {
    options = vdisk_options_new ();
    ck_assert_ptr_nonnull (options);
    vdisk_options_set_warning_callback (options, keep_warning, NULL);
  }
  return options;
}

struct layer *
open_layer (const struct format *format, struct source *source,
            struct vdisk_options *options, struct vdisk_error *error)
{
  struct vdisk_options *defaults = vdisk_options_new ();
  struct layer *layer = calloc (1, sizeof *layer);

  ck_assert_ptr_nonnull (source);
  ck_assert_ptr_nonnull (defaults);
  ck_assert_ptr_nonnull (layer);
  warning[0] = '\0';
  error_clear (error);
  vdisk_options_set_warning_callback (options ? options : defaults,
                                      keep_warning, NULL);
  layer->format = format;
  layer->source = layer->data = source;
  layer->options = options ? options : defaults;
  if (format->open (layer, error) == -1) {
    ck_assert_int_ne (error->errnum, 0);
    layer_close (layer);
    layer = NULL;
  }
  else
    layer->options = options_of_open_layers ();
  vdisk_options_free (defaults);
  return layer;
}

struct layer *
open_layer_bytes (const struct format *format, const char *name,
                  const void *bytes, size_t size,
                  struct vdisk_options *options, struct vdisk_error *error)
{
  return open_layer (format, source_memory (name, bytes, size), options,
                     error);
}

const char *
list_text (const struct interval_list *list)
{
  static const char *const kinds[] = { "hole", "zero", "data", "packed" };
  static char text[65536];
  size_t i, used = 0;

  text[0] = '\0';
  for (i = 0; i < list->count; ++i) {
    const struct interval *interval = &list->at[i];

    ck_assert_uint_gt (interval->length, 0);
    if (i > 0)
      ck_assert_uint_eq (interval->offset,
                         interval[-1].offset + interval[-1].length);
    used += snprintf (text + used, sizeof text - used, "%s%s",
                      i > 0 ? ", " : "", kinds[interval->kind]);
    ck_assert_uint_lt (used, sizeof text - 200);
    if (interval->depth > 0)
      used += snprintf (text + used, sizeof text - used, ":%d",
                        interval->depth);
    used += snprintf (text + used, sizeof text - used,
                      " %" PRIu64 "+%" PRIu64,
                      interval->offset, interval->length);
    if (interval->host != VDISK_NO_HOST_OFFSET)
      used += snprintf (text + used, sizeof text - used, "@%" PRIu64,
                        interval->host);
    if (interval->kind == VDISK_PACKED)
      used += snprintf (text + used, sizeof text - used, "/%" PRIu32,
                        interval->packed_size);
  }
  return text;
}

const char *
map_text (struct layer *layer, uint64_t offset, uint64_t count)
{
  struct interval_list list = { 0 };
  struct vdisk_error error = { 0 };
  const char *text;

  ck_assert_msg (layer->format->map (layer, offset, count, &list,
                                     &error) == 0, "%s", error.message);
  if (count > 0) {
    ck_assert_uint_gt (list.count, 0);
    ck_assert_uint_eq (list.at[0].offset, offset);
    ck_assert_uint_eq (interval_list_end (&list), offset + count);
  }
  text = list_text (&list);
  interval_list_free (&list);
  return text;
}

int
run_suite (Suite *suite)
{
  SRunner *runner = srunner_create (suite);
  int failed;

  srunner_run_all (runner, CK_ENV);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
