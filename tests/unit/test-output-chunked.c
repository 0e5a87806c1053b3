/* SPDX-License-Identifier: BSD-3-Clause */
/* Chunked outputs of random maps against a straight encoder of theirs. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "holey-disk.h"
#include "random.h"
#include "support.h"
#include "util/minmax.h"

#define GRAIN 4096
#define CHUNK (1 << 20)

/* Is a part of the grain outside of all holes? */
static bool
has_data (const struct disk *disk, uint64_t offset)
{
  const uint64_t end = min_u64 (offset + GRAIN, disk->size);
  size_t i;

  for (i = 0; i < disk->hole_count; ++i)
    if (disk->holes[i][0] <= offset && disk->holes[i][1] >= end)
      return false;
  return offset < disk->size;
}

static uint8_t *
put_number (uint8_t *to, uint64_t number, unsigned size)
{
  for (; size > 0; --size, number >>= 8)
    *to++ = number;
  return to;
}

/* The whole stream; returns its length. */
static uint64_t
encode (const struct disk *disk, uint8_t *stream)
{
  uint64_t offset = 0, length;
  uint8_t *to = stream;

  while (offset < disk->size) {
    for (length = 0; length < CHUNK && has_data (disk, offset + length); )
      length += GRAIN;
    length = min_u64 (length, disk->size - offset);
    if (length > 0) {
      to = put_number (to, offset, 8);
      to = put_number (to, length, 4);
      memcpy (to, disk->bytes + offset, length);
      to += length;
      offset += length;
    }
    else
      offset += GRAIN;
  }
  memset (to, 0, 12);
  return to + 12 - stream;
}

static void
check_parts (struct random *random, struct vdisk_output *output,
             const uint8_t *stream, uint64_t size)
{
  uint8_t *part = malloc (size);
  struct vdisk_error error;
  unsigned round;

  ck_assert_ptr_nonnull (part);
  for (round = 0; round < 200; ++round) {
    const uint64_t offset = random_below (random, size);
    const uint64_t count = 1 +
      random_below (random, min_u64 (size - offset, round % 4 ? 5000 : size));

    ck_assert_int_eq (vdisk_output_pread (output, part, count, offset,
                                          &error), 0);
    ck_assert (memcmp (part, stream + offset, count) == 0);
  }
  free (part);
}

/* How long data and holes are. */
static const uint64_t lengths[][2] = {
  { 9000, 9000 }, { 3 << 20, 9000 }, { 3 << 20, 3 << 20 },
  { 200000, 4 << 20 }, { 12 << 20, 5000 },
};

#define LENGTHS (sizeof lengths / sizeof lengths[0])

START_TEST (random_maps)
{
  struct random random = { .state = 300 + _i };
  const uint64_t *const most = lengths[_i % LENGTHS];
  struct vdisk_output *output;
  struct vdisk_error error;
  struct disk disk;
  uint8_t *stream;
  uint64_t size;

  disk_open_runs (&disk, &random, 1 + random_below (&random, 10 << 20),
                  most[0], most[1]);
  stream = malloc (2 * disk.size + 24);
  ck_assert_ptr_nonnull (stream);
  size = encode (&disk, stream);
  output = vdisk_output_open (disk.vdisk, "chunked", NULL, &error);
  ck_assert_msg (output != NULL, "%s", error.message);
  ck_assert_uint_eq (vdisk_output_size (output), size);
  check_parts (&random, output, stream, size);
  vdisk_output_close (output);
  disk_close (&disk);
  free (stream);
}
END_TEST

START_TEST (nothing)
{
  struct random random = { .state = 1 };
  static const uint8_t end[12];
  struct vdisk_output *output;
  struct disk disk;
  uint8_t bytes[12];

  disk_open (&disk, &random, 0);
  output = vdisk_output_open (disk.vdisk, "chunked", NULL, NULL);
  ck_assert_ptr_nonnull (output);
  ck_assert_uint_eq (vdisk_output_size (output), sizeof end);
  ck_assert_int_eq (vdisk_output_pread (output, bytes, sizeof end, 0, NULL),
                    0);
  ck_assert (memcmp (bytes, end, sizeof end) == 0);
  vdisk_output_close (output);
  disk_close (&disk);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("output-chunked");
  TCase *tcase = tcase_create ("output-chunked");

  tcase_set_timeout (tcase, 60);
  tcase_add_loop_test (tcase, random_maps, 0, 8 * (int) LENGTHS);
  tcase_add_test (tcase, nothing);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
