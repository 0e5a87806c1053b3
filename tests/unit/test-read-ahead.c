/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading tables ahead: every read gives the source's bytes; how many
 * reads of the source that takes, and of what; what happens if some bytes
 * cannot be read.
 */

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "random.h"
#include "source/read-ahead.h"
#include "support.h"

#define BLOCK READ_AHEAD_BLOCK

/* A source of the bytes that byte_at says, which keeps count. */
struct far {
  struct source source;
  pthread_mutex_t lock;
  unsigned reads;
  uint64_t last_offset;
  size_t last_count;
  uint64_t bad_offset, bad_end;     /* what cannot be read */
};

static uint8_t
byte_at (uint64_t offset)
{
  return offset * 7 ^ offset >> 8 ^ offset >> 16;
}

static int
far_pread (struct source *source, void *buffer, size_t count,
           uint64_t offset, struct vdisk_error *error)
{
  struct far *far = (struct far *) source;
  uint8_t *to = buffer;
  size_t i;

  ck_assert_uint_gt (count, 0);
  pthread_mutex_lock (&far->lock);
  far->reads++;
  far->last_offset = offset;
  far->last_count = count;
  pthread_mutex_unlock (&far->lock);
  if (offset < far->bad_end && offset + count > far->bad_offset)
    return error_set (error, EIO, "far: %zu bytes at offset %" PRIu64,
                      count, offset);
  for (i = 0; i < count; ++i)
    to[i] = byte_at (offset + i);
  return 0;
}

static const struct source_ops far_ops = { .pread = far_pread };

static char far_name[] = "far";

static void
open_far (struct far *far, uint64_t size)
{
  *far = (struct far) {
    .source = { .ops = &far_ops, .name = far_name, .size = size },
  };
  pthread_mutex_init (&far->lock, NULL);
  far->source.ahead = read_ahead_new (&far->source);
  ck_assert_ptr_nonnull (far->source.ahead);
}

static void
close_far (struct far *far)
{
  read_ahead_free (far->source.ahead);
  pthread_mutex_destroy (&far->lock);
}

static bool
reads_right (struct far *far, uint64_t offset, size_t count)
{
  uint8_t *buffer = malloc (count + 1);
  bool right = true;
  size_t i;

  buffer[count] = '!';
  if (source_pread (&far->source, buffer, count, offset, NULL) == -1)
    right = false;
  for (i = 0; i < count && right; ++i)
    right = buffer[i] == byte_at (offset + i);
  right = right && buffer[count] == '!';
  free (buffer);
  return right;
}

/* One read after another of a source of two and a half blocks: how many
 * reads of the source there have been then, and what was the last. */
static const struct {
  uint64_t offset;
  size_t count;
  unsigned reads;
  uint64_t last_offset;
  size_t last_count;
} sequence[] = {
  { 1000, 8, 1, 0, BLOCK },
  { 0, 1, 1, 0, BLOCK },
  { BLOCK - 1, 1, 1, 0, BLOCK },
  { 5, BLOCK - 5, 1, 0, BLOCK },
  /* A block or more goes as it is, and is not kept. */
  { 0, BLOCK, 2, 0, BLOCK },
  { 3, BLOCK + 100, 3, 3, BLOCK + 100 },
  /* Across a boundary. */
  { BLOCK - 4, 8, 4, BLOCK, BLOCK },
  { BLOCK, 8, 4, BLOCK, BLOCK },
  /* The last block is shorter. */
  { 5 * BLOCK / 2 - 1, 1, 5, 2 * BLOCK, BLOCK / 2 },
  { 2 * BLOCK - 10, BLOCK / 2, 5, 2 * BLOCK, BLOCK / 2 },
  { 7, 0, 5, 2 * BLOCK, BLOCK / 2 },
};

START_TEST (how_many_reads)
{
  struct far far;
  size_t i;

  open_far (&far, 5 * BLOCK / 2);
  for (i = 0; i < sizeof sequence / sizeof sequence[0]; ++i) {
    ck_assert (reads_right (&far, sequence[i].offset, sequence[i].count));
    ck_assert_uint_eq (far.reads, sequence[i].reads);
    ck_assert_uint_eq (far.last_offset, sequence[i].last_offset);
    ck_assert_uint_eq (far.last_count, sequence[i].last_count);
  }
  close_far (&far);
}
END_TEST

/* The guest's data is read as it is asked for, and not kept. */
START_TEST (data)
{
  struct far far;
  uint8_t bytes[8];
  unsigned i;

  open_far (&far, BLOCK);
  for (i = 1; i <= 3; ++i) {
    ck_assert_int_eq (source_pread_data (&far.source, bytes, 8, 100, NULL),
                      0);
    ck_assert_uint_eq (bytes[7], byte_at (107));
    ck_assert_uint_eq (far.reads, i);
    ck_assert_uint_eq (far.last_count, 8);
  }
  close_far (&far);
}
END_TEST

START_TEST (outside)
{
  struct vdisk_error error = { 0 };
  struct far far;
  uint8_t bytes[8];

  open_far (&far, 100);
  ck_assert_int_eq (source_pread (&far.source, bytes, 8, 93, &error), -1);
  ck_assert_int_eq (error.errnum, EIO);
  ck_assert_str_eq (error.message, "far: 8 bytes at offset 93 reach beyond "
                    "the end of the file (100 bytes)");
  ck_assert_int_eq (source_pread_data (&far.source, bytes, 8, 93, NULL), -1);
  ck_assert_int_eq (source_pread_data (&far.source, bytes, 1, UINT64_MAX,
                                       NULL), -1);
  ck_assert_uint_eq (far.reads, 0);
  close_far (&far);
}
END_TEST

/* What lies around a table may be unreadable. */
START_TEST (damage)
{
  struct vdisk_error error = { 0 };
  struct far far;
  uint8_t bytes[8];

  open_far (&far, 2 * BLOCK);
  far.bad_offset = 1000;
  far.bad_end = 2000;
  ck_assert (reads_right (&far, 0, 1000));
  ck_assert (reads_right (&far, 2000, BLOCK));
  ck_assert_int_eq (source_pread (&far.source, bytes, 8, 1500, &error), -1);
  ck_assert_int_eq (error.errnum, EIO);
  ck_assert_str_eq (error.message, "far: 8 bytes at offset 1500");
  /* It gets better. */
  far.bad_end = 0;
  ck_assert (reads_right (&far, 1500, 8));
  far.reads = 0;
  ck_assert (reads_right (&far, 1600, 8));
  ck_assert_uint_eq (far.reads, 0);
  close_far (&far);
}
END_TEST

/* Coming back after more blocks than are kept. */
START_TEST (bounded)
{
  struct far far;
  uint64_t block;

  open_far (&far, 100 * BLOCK);
  for (block = 0; block < 100; ++block)
    ck_assert (reads_right (&far, block * BLOCK, 8));
  ck_assert_uint_eq (far.reads, 100);
  ck_assert (reads_right (&far, 99 * BLOCK + 8, 8));
  ck_assert (reads_right (&far, 90 * BLOCK + 8, 8));
  ck_assert_uint_eq (far.reads, 100);
  ck_assert (reads_right (&far, 8, 8));
  ck_assert_uint_eq (far.reads, 101);
  close_far (&far);
}
END_TEST

struct reader {
  pthread_t thread;
  struct far *far;
  uint64_t seed;
  unsigned wrong;
};

static void *
read_at_random (void *opaque)
{
  struct reader *reader = opaque;
  struct random random = { .state = reader->seed };
  const uint64_t size = reader->far->source.size;
  unsigned i;

  for (i = 0; i < 3000; ++i) {
    const uint64_t offset = random_below (&random, size);
    uint64_t count = random_below (&random, i % 100 ? 100 : 2 * BLOCK);

    if (count > size - offset)
      count = size - offset;
    reader->wrong += !reads_right (reader->far, offset, count);
  }
  return NULL;
}

START_TEST (threads)
{
  struct reader readers[4];
  struct far far;
  size_t i;

  open_far (&far, 20 * BLOCK + 12345);
  for (i = 0; i < 4; ++i) {
    readers[i] = (struct reader) { .far = &far, .seed = i };
    ck_assert_int_eq (pthread_create (&readers[i].thread, NULL,
                                      read_at_random, &readers[i]), 0);
  }
  for (i = 0; i < 4; ++i)
    pthread_join (readers[i].thread, NULL);
  for (i = 0; i < 4; ++i)
    ck_assert_uint_eq (readers[i].wrong, 0);
  close_far (&far);
  read_ahead_free (NULL);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("read-ahead");
  TCase *tcase = tcase_create ("read-ahead");

  tcase_add_test (tcase, how_many_reads);
  tcase_add_test (tcase, data);
  tcase_add_test (tcase, outside);
  tcase_add_test (tcase, damage);
  tcase_add_test (tcase, bounded);
  tcase_add_test (tcase, threads);
  tcase_set_timeout (tcase, 60);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
