/* SPDX-License-Identifier: BSD-3-Clause */
/* Sixteen threads that use one open image at the same time, with caches
 * that hold next to nothing: an image of each kind, read, mapped,
 * prefetched, described and checked.  Each gets what a thread alone gets.
 * 'make check-tsan' looks for races in it.
 */

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gallery.h"
#include "random.h"
#include "scratch.h"
#include "support.h"

#define THREADS 16
#define ROUNDS 150

/* What a sector is made of. */
struct sector {
  uint64_t host;
  enum vdisk_kind kind;
  unsigned depth;
};

/* An open image, and what a thread alone finds in it. */
struct shared {
  struct vdisk *vdisk;
  uint64_t size;
  uint8_t *bytes;
  struct sector *sectors;
  char *description;
  struct vdisk_check check;
  int check_errnum;
  pthread_barrier_t start;
  atomic_uint wrong;
};

struct worker {
  pthread_t thread;
  struct shared *shared;
  uint64_t seed;
};

/* Where the sectors of a map go, or what they are compared with. */
struct mapping {
  struct shared *shared;
  uint64_t end;
  bool compare, wrong;
};

static struct sector
sector_of (const struct vdisk_extent *extent, uint64_t offset)
{
  struct sector sector = {
    .host = extent->host_offset, .kind = extent->kind,
    .depth = extent->depth,
  };

  if (extent->kind != VDISK_PACKED &&
      extent->host_offset != VDISK_NO_HOST_OFFSET)
    sector.host += offset - extent->offset;
  return sector;
}

static bool
is_same (const struct sector *a, const struct sector *b)
{
  return a->host == b->host && a->kind == b->kind && a->depth == b->depth;
}

static int
take_extent (void *opaque, const struct vdisk_extent *extent)
{
  struct mapping *mapping = opaque;
  const uint64_t end = extent->offset + extent->length;
  uint64_t offset;

  mapping->wrong |= extent->offset != mapping->end || extent->length == 0;
  mapping->end = end;
  for (offset = (extent->offset + 511) / 512 * 512; offset < end;
       offset += 512) {
    const struct sector sector = sector_of (extent, offset);
    struct sector *known = &mapping->shared->sectors[offset / 512];

    if (mapping->compare)
      mapping->wrong |= !is_same (&sector, known);
    else
      *known = sector;
  }
  return 0;
}

static bool
map (struct shared *shared, uint64_t offset, uint64_t count, bool compare)
{
  struct mapping mapping = {
    .shared = shared, .end = offset, .compare = compare,
  };

  return vdisk_extents (shared->vdisk, offset, count, take_extent, &mapping,
                        NULL) == 0 &&
    !mapping.wrong && mapping.end == offset + count;
}

static bool
read_is_right (struct shared *shared, uint64_t offset, uint64_t count)
{
  uint8_t *buffer = malloc (count);
  bool right = buffer &&
    vdisk_pread (shared->vdisk, buffer, count, offset, NULL) == 0 &&
    memcmp (buffer, shared->bytes + offset, count) == 0;

  free (buffer);
  return right;
}

static bool
description_is_right (struct shared *shared)
{
  char *text = vdisk_describe (shared->vdisk, 0, NULL);
  bool right = text && strcmp (text, shared->description) == 0;

  vdisk_free (text);
  return right;
}

static int
check (struct shared *shared, struct vdisk_check *found)
{
  struct vdisk_error error;

  return vdisk_check (shared->vdisk, NULL, NULL, NULL, found, &error) == 0 ? 0
    : error.errnum;
}

static bool
check_is_right (struct shared *shared)
{
  struct vdisk_check found = VDISK_CHECK_INIT;

  return check (shared, &found) == shared->check_errnum &&
    memcmp (&found, &shared->check, sizeof found) == 0;
}

static bool
do_something (struct shared *shared, struct random *random)
{
  const uint64_t offset = random_below (random, shared->size);
  uint64_t count = 1 + random_below (random, shared->size - offset);

  if (random_below (random, 4) > 0 && count > 20000)
    count = 1 + count % 20000;
  switch (random_below (random, 20)) {
  case 0:
    return description_is_right (shared);
  case 1:
    return check_is_right (shared);
  case 2:
    return vdisk_prefetch (shared->vdisk, offset, count, NULL) == 0;
  case 3:
  case 4:
  case 5:
  case 6:
    return map (shared, offset, count, true);
  default:
    return read_is_right (shared, offset, count);
  }
}

static void *
work (void *opaque)
{
  struct worker *worker = opaque;
  struct shared *shared = worker->shared;
  struct random random = { .state = worker->seed };
  unsigned i;

  pthread_barrier_wait (&shared->start);
  for (i = 0; i < ROUNDS; ++i)
    if (!do_something (shared, &random))
      atomic_fetch_add (&shared->wrong, 1);
  return NULL;
}

/* Find out what is right, with an image of one's own. */
static void
learn (struct shared *shared, const struct gallery_image *image)
{
  struct vdisk_error error;

  shared->vdisk = gallery_open (image, 1 << 20, 0, &error);
  ck_assert_msg (shared->vdisk != NULL, "%s", error.message);
  shared->size = vdisk_size (shared->vdisk);
  shared->bytes = malloc (shared->size);
  shared->sectors = calloc (shared->size / 512 + 1, sizeof *shared->sectors);
  ck_assert (shared->bytes && shared->sectors);
  ck_assert_int_eq (vdisk_pread (shared->vdisk, shared->bytes, shared->size,
                                 0, NULL), 0);
  ck_assert (map (shared, 0, shared->size, false));
  shared->description = vdisk_describe (shared->vdisk, 0, NULL);
  ck_assert_ptr_nonnull (shared->description);
  shared->check = (struct vdisk_check) VDISK_CHECK_INIT;
  shared->check_errnum = check (shared, &shared->check);
  vdisk_close (shared->vdisk);
}

START_TEST (one_image)
{
  const struct gallery_image *image = &gallery[_i / 3];
  static const size_t cache_sizes[] = { 0, 20000, 1 << 20 };
  struct worker workers[THREADS];
  struct shared shared = { .wrong = 0 };
  struct vdisk_error error;
  size_t i;

  learn (&shared, image);
  shared.vdisk = gallery_open (image, cache_sizes[_i % 3], 0, &error);
  ck_assert_msg (shared.vdisk != NULL, "%s", error.message);
  ck_assert_int_eq (pthread_barrier_init (&shared.start, NULL, THREADS), 0);
  for (i = 0; i < THREADS; ++i) {
    workers[i] = (struct worker) {
      .shared = &shared, .seed = _i * 1000 + i,
    };
    ck_assert_int_eq (pthread_create (&workers[i].thread, NULL, work,
                                      &workers[i]), 0);
  }
  for (i = 0; i < THREADS; ++i)
    pthread_join (workers[i].thread, NULL);
  vdisk_close (shared.vdisk);
  pthread_barrier_destroy (&shared.start);
  free (shared.bytes);
  free (shared.sectors);
  vdisk_free (shared.description);
  ck_assert_uint_eq (shared.wrong, 0);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("threads");
  TCase *tcase = tcase_create ("threads");

  tcase_add_unchecked_fixture (tcase, gallery_setup, scratch_teardown);
  tcase_set_timeout (tcase, 300);
  tcase_add_loop_test (tcase, one_image, 0, 3 * gallery_count);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
