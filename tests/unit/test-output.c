/* SPDX-License-Identifier: BSD-3-Clause */
/* Outputs: the index of stored units against a naive count over random maps,
 * and reading in pieces against reading as a whole.
 */

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "holey-disk.h"
#include "output/output.h"
#include "output/unit-index.h"
#include "random.h"
#include "support.h"
#include "util/iszero.h"
#include "util/minmax.h"

#define SIZE_MAX_DISK (3 << 20)

/* Is any byte of the unit outside of all holes? */
static bool
is_stored (const struct disk *disk, uint64_t unit, uint64_t unit_size,
           enum unit_rule rule)
{
  const uint64_t units = (disk->size + unit_size - 1) / unit_size;
  const uint64_t start = unit * unit_size;
  const uint64_t end = min_u64 (start + unit_size, disk->size);
  size_t i;

  if (rule == UNITS_AND_ENDS && (unit == 0 || unit == units - 1))
    return true;
  for (i = 0; i < disk->hole_count; ++i)
    if (disk->holes[i][0] <= start && disk->holes[i][1] >= end)
      return false;
  return true;
}

static void
check_next_run (const struct disk *disk, const struct unit_index *index,
                enum unit_rule rule, uint64_t from, uint64_t end)
{
  const uint64_t size = unit_index_unit_size (index);
  uint64_t first = from, last;
  struct unit_run run;

  ck_assert_int_eq (unit_index_next_run (index, from, end, &run, NULL), 0);
  while (first < end && !is_stored (disk, first, size, rule))
    first++;
  for (last = first; last < end && is_stored (disk, last, size, rule); )
    last++;
  ck_assert_uint_eq (run.count, last - first);
  if (run.count > 0)
    ck_assert_uint_eq (run.first, first);
}

static void
check_index (struct random *random, const struct disk *disk,
             uint64_t unit_size, enum unit_rule rule)
{
  struct unit_index *index = unit_index_new (disk->vdisk, unit_size, rule,
                                             NULL);
  const uint64_t units = (disk->size + unit_size - 1) / unit_size;
  uint64_t unit, rank = 0, found;

  ck_assert_ptr_nonnull (index);
  ck_assert_uint_eq (unit_index_units (index), units);
  for (unit = 0; unit < units; ++unit) {
    const bool stored = is_stored (disk, unit, unit_size, rule);

    if (units < 200 || random_below (random, 20) == 0) {
      ck_assert_int_eq (unit_index_rank (index, unit, &found, NULL), 0);
      ck_assert_uint_eq (found, rank);
      check_next_run (disk, index, rule, unit,
                      unit + 1 + random_below (random, units - unit));
      if (stored) {
        ck_assert_int_eq (unit_index_select (index, rank, &found, NULL), 0);
        ck_assert_uint_eq (found, unit);
      }
    }
    rank += stored;
  }
  ck_assert_uint_eq (unit_index_stored (index), rank);
  ck_assert_int_eq (unit_index_rank (index, units, &found, NULL), 0);
  ck_assert_uint_eq (found, rank);
  unit_index_free (index);
}

START_TEST (unit_index)
{
  static const uint64_t unit_sizes[] = { 512, 4096, 65536, 1 << 20 };
  struct random random = { .state = 100 + _i };
  struct disk disk;
  size_t i;

  disk_open (&disk, &random, 1 + random_below (&random, SIZE_MAX_DISK));
  for (i = 0; i < sizeof unit_sizes / sizeof unit_sizes[0]; ++i) {
    check_index (&random, &disk, unit_sizes[i], UNITS_WITH_DATA);
    check_index (&random, &disk, unit_sizes[i], UNITS_AND_ENDS);
  }
  disk_close (&disk);
}
END_TEST

START_TEST (unit_index_of_nothing)
{
  struct random random = { .state = 1 };
  struct unit_index *index;
  struct unit_run run;
  struct disk disk;
  uint64_t rank;

  disk_open (&disk, &random, 0);
  index = unit_index_new (disk.vdisk, 4096, UNITS_AND_ENDS, NULL);
  ck_assert_uint_eq (unit_index_units (index), 0);
  ck_assert_uint_eq (unit_index_stored (index), 0);
  ck_assert_int_eq (unit_index_rank (index, 0, &rank, NULL), 0);
  ck_assert_uint_eq (rank, 0);
  ck_assert_int_eq (unit_index_next_run (index, 0, 1, &run, NULL), 0);
  ck_assert_uint_eq (run.count, 0);
  unit_index_free (index);
  disk_close (&disk);
}
END_TEST

/* --- Changes ------------------------------------------------------------ */

#define CHANGES_UNIT 4096
#define CHANGES_WORDS (SIZE_MAX_DISK / CHANGES_UNIT / 64 + 1)

struct change_bits {
  uint64_t changed[CHANGES_WORDS], zeros[CHANGES_WORDS];
};

static bool
has_bit (const uint64_t *bits, uint64_t unit)
{
  return bits[unit / 64] >> unit % 64 & 1;
}

/* Runs of any length, also over the ends of words. */
static void
set_randomly (struct change_bits *bits, struct random *random,
              uint64_t units)
{
  uint64_t unit = 0, end;

  memset (bits, 0, sizeof *bits);
  while (unit < units) {
    const unsigned kind = random_below (random, 3);

    end = min_u64 (units, unit + 1 + random_below (random, 150));
    for (; unit < end; ++unit) {
      bits->changed[unit / 64] |= (uint64_t) (kind > 0) << unit % 64;
      bits->zeros[unit / 64] |= (uint64_t) (kind > 1) << unit % 64;
    }
  }
}

static void
check_changes (const struct unit_index *index, const struct change_bits *bits,
               bool without_zeros)
{
  struct unit_run run = { 0 };
  uint64_t unit, rank = 0, found;

  for (unit = 0; unit < unit_index_units (index); ++unit) {
    const bool stored = has_bit (bits->changed, unit) &&
      !(without_zeros && has_bit (bits->zeros, unit));

    ck_assert_int_eq (unit_index_rank (index, unit, &found, NULL), 0);
    ck_assert_uint_eq (found, rank);
    ck_assert_int_eq (unit_index_next_run (index, unit, unit + 1, &run,
                                           NULL), 0);
    ck_assert_uint_eq (run.count, stored);
    rank += stored;
  }
  ck_assert_uint_eq (unit_index_stored (index), rank);
}

START_TEST (unit_index_of_changes)
{
  struct random random = { .state = 500 + _i };
  struct change_bits bits;
  const struct vdisk_changes changes = {
    .unit_size = CHANGES_UNIT, .changed = bits.changed, .zeros = bits.zeros,
  };
  struct unit_index *index;
  struct disk disk;
  int without_zeros;

  disk_open (&disk, &random, 1 + random_below (&random, SIZE_MAX_DISK));
  set_randomly (&bits, &random, (disk.size + CHANGES_UNIT - 1) /
                CHANGES_UNIT);
  for (without_zeros = 0; without_zeros < 2; ++without_zeros) {
    index = unit_index_new_changes (disk.vdisk, &changes, without_zeros,
                                    NULL);
    check_changes (index, &bits, without_zeros);
    unit_index_free (index);
  }
  disk_close (&disk);
}
END_TEST

/* --- Outputs ------------------------------------------------------------ */

struct tiling {
  const uint8_t *bytes;
  uint64_t position;
  int last;                     /* -1: none yet */
};

static int
take_extent (void *opaque, uint64_t offset, uint64_t length, int is_hole)
{
  struct tiling *tiling = opaque;

  ck_assert_uint_eq (offset, tiling->position);
  ck_assert_uint_gt (length, 0);
  ck_assert_int_ne (is_hole, tiling->last);
  ck_assert (!is_hole || is_zero (tiling->bytes + offset, length));
  tiling->position += length;
  tiling->last = is_hole;
  return 0;
}

/* Any part of the file is that part of it, and its holes are zeros. */
static void
check_output (struct random *random, struct vdisk_output *output,
              const uint8_t *wanted)
{
  const uint64_t size = vdisk_output_size (output);
  uint8_t *whole = malloc (size + 1), *part = malloc (size + 1);
  struct vdisk_error error;
  unsigned round;

  ck_assert (whole && part);
  ck_assert_int_eq (vdisk_output_pread (output, whole, size, 0, &error), 0);
  if (wanted)
    ck_assert (memcmp (whole, wanted, size) == 0);
  for (round = 0; round < 60; ++round) {
    const uint64_t offset = random_below (random, size + 1);
    const uint64_t count = random_below (random, size - offset + 1);
    struct tiling tiling = {
      .bytes = whole, .position = offset, .last = -1,
    };

    ck_assert_int_eq (vdisk_output_pread (output, part, count, offset,
                                          &error), 0);
    ck_assert (memcmp (part, whole + offset, count) == 0);
    ck_assert_int_eq (vdisk_output_extents (output, offset, count,
                                            take_extent, &tiling, &error),
                      0);
    ck_assert_uint_eq (tiling.position, offset + count);
  }
  ck_assert_int_eq (vdisk_output_pread (output, part, 1, size, &error), -1);
  ck_assert_int_eq (error.errnum, EINVAL);
  free (whole);
  free (part);
}

/* With options for some of the formats. */
static const struct {
  const char *format;
  const char *options[4];
} outputs[] = {
  { "raw", { NULL } },
  { "qcow2", { NULL } },
  { "qcow2", { "cluster-size=512", "refcount-bits=1", NULL } },
  { "qcow2", { "cluster-size=4k", "data-file=data", NULL } },
  { "qcow2", { "data-file-raw=data", NULL } },
  { "vhd", { "uuid=00112233-4455-6677-8899-aabbccddeeff", "time=1700000000",
             "block-size=4k", NULL } },
  { "vhd", { "uuid=00112233-4455-6677-8899-aabbccddeeff", "time=0",
             "fixed=true", NULL } },
  { "xva", { NULL } },
  { "xva", { "prefix=Ref:12", "checksum=sha1", NULL } },
  { "chunked", { NULL } },
};

START_TEST (any_part)
{
  struct random random = { .state = 200 + _i };
  struct vdisk_output *output;
  struct vdisk_error error;
  struct disk disk;
  unsigned round;

  for (round = 0; round < 6; ++round) {
    disk_open (&disk, &random, 1 + random_below (&random, SIZE_MAX_DISK));
    output = vdisk_output_open (disk.vdisk, outputs[_i].format,
                                outputs[_i].options, &error);
    ck_assert_msg (output != NULL, "%s", error.message);
    check_output (&random, output,
                  strcmp (outputs[_i].format, "raw") == 0 ? disk.bytes
                  : NULL);
    vdisk_output_close (output);
    disk_close (&disk);
  }
}
END_TEST

/* In what is stored, files are best cut before what belongs to a block. */
START_TEST (cuts)
{
  static const uint64_t stride = 512 + (1 << 20) + 1024;
  struct random random = { .state = 300 };
  struct vdisk_output *output;
  struct vdisk_error error;
  struct disk disk;
  uint64_t offset, size;

  disk_open (&disk, &random, (2 << 20) + 5);
  output = vdisk_output_open (disk.vdisk, "xva", NULL, &error);
  ck_assert_msg (output != NULL, "%s", error.message);
  size = vdisk_output_size (output);
  for (offset = 0; offset < 3 * stride; offset += 333)
    if (offset < size - 1024)
      ck_assert_uint_eq (vdisk_output_cut (output, offset),
                         offset / stride * stride);
  for (offset = size - 1024; offset <= size; ++offset)
    ck_assert_uint_eq (vdisk_output_cut (output, offset), offset);
  ck_assert_uint_eq (vdisk_output_cut (output, UINT64_MAX), size);
  vdisk_output_close (output);
  disk_close (&disk);
}
END_TEST

/* Only what has changed comes from the disk, any part of the file is that
 * part of it, and what does not fit together is refused. */
START_TEST (over_a_base)
{
  static const char *const options[] = {
    "cluster-size=4k", "backing=base", "backing-format=raw", NULL,
  };
  static const char *const alone[] = { "backing=base", NULL };
  static const char *const with_data[] = {
    "cluster-size=4k", "data-file=data", NULL,
  };
  struct random random = { .state = 400 };
  struct change_bits bits;
  struct vdisk_changes changes = {
    .struct_size = sizeof changes, .unit_size = CHANGES_UNIT,
    .changed = bits.changed, .zeros = bits.zeros,
  };
  struct disk disk, base;
  struct vdisk_error error;
  struct vdisk_output *output;

  disk_open (&disk, &random, SIZE_MAX_DISK / 2 + 5);
  disk_open (&base, &random, SIZE_MAX_DISK / 3);
  changes.base = base.vdisk;
  set_randomly (&bits, &random, SIZE_MAX_DISK / 2 / CHANGES_UNIT + 1);
  output = vdisk_output_open_changes (disk.vdisk, "qcow2", options, &changes,
                                      &error);
  ck_assert_msg (output != NULL, "%s", error.message);
  check_output (&random, output, NULL);
  vdisk_output_close (output);

  ck_assert_ptr_null (vdisk_output_open (disk.vdisk, "qcow2", alone,
                                         &error));
  ck_assert_str_eq (error.message, "output qcow2: backing goes with changes "
                    "over a base");
  ck_assert_ptr_null (vdisk_output_open_changes (
                        disk.vdisk, "qcow2", with_data, &changes, &error));
  ck_assert_str_eq (error.message, "output qcow2: changes over a base have "
                    "no data-file");
  ck_assert_ptr_null (vdisk_output_open_changes (
                        disk.vdisk, "qcow2", NULL, &changes, &error));
  ck_assert_str_eq (error.message, "output qcow2: the changes are not of "
                    "clusters");
  ck_assert_ptr_null (vdisk_output_open_changes (
                        disk.vdisk, "vhd", NULL, &changes, &error));
  ck_assert_str_eq (error.message, "output vhd: parent goes with changes "
                    "over a base");
  ck_assert_ptr_null (vdisk_output_open_changes (
                        disk.vdisk, "xva", NULL, &changes, &error));
  ck_assert_int_eq (error.errnum, ENOTSUP);
  changes.struct_size--;
  ck_assert_ptr_null (vdisk_output_open_changes (
                        disk.vdisk, "qcow2", options, &changes, &error));
  ck_assert_int_eq (error.errnum, EINVAL);
  disk_close (&base);
  disk_close (&disk);
}
END_TEST

/* A differencing VHD is one on a VHD. */
START_TEST (over_no_vhd)
{
  static const char *const options[] = {
    "block-size=4k", "parent=base.raw", NULL,
  };
  struct random random = { .state = 401 };
  struct change_bits bits = { 0 };
  struct vdisk_changes changes = {
    .struct_size = sizeof changes, .unit_size = CHANGES_UNIT,
    .changed = bits.changed,
  };
  struct vdisk_error error;
  struct disk disk;

  disk_open (&disk, &random, 100000);
  changes.base = disk.vdisk;
  ck_assert_ptr_null (vdisk_output_open_changes (
                        disk.vdisk, "vhd", options, &changes, &error));
  ck_assert_str_eq (error.message, "disk: this is no VHD, as the parent of "
                    "one has to be");
  disk_close (&disk);
}
END_TEST

static const struct {
  const char *format, *option;
  int errnum;
  const char *message;
} refused[] = {
  { "raws", NULL, EINVAL, "output 'raws': there is no such format" },
  { "raw", "size", EINVAL,
    "output raw: option 'size' must be NAME=VALUE" },
  { "raw", "size=1", ENOENT, "output raw: there is no option 'size'" },
};

START_TEST (not_opened)
{
  const char *const options[] = { refused[_i].option, NULL };
  struct random random = { .state = 3 };
  struct vdisk_error error;
  struct disk disk;

  disk_open (&disk, &random, 10000);
  ck_assert_ptr_null (vdisk_output_open (disk.vdisk, refused[_i].format,
                                         options, &error));
  ck_assert_int_eq (error.errnum, refused[_i].errnum);
  ck_assert_str_eq (error.message, refused[_i].message);
  vdisk_output_close (NULL);
  disk_close (&disk);
}
END_TEST

START_TEST (formats_listed)
{
  const char *const *names = vdisk_output_formats ();

  ck_assert_str_eq (names[0], "raw");
  while (*names)
    names++;
}
END_TEST

#define COUNT(array) ((int) (sizeof (array) / sizeof (array)[0]))

int
main (void)
{
  Suite *suite = suite_create ("output");
  TCase *tcase = tcase_create ("output");

  tcase_set_timeout (tcase, 60);
  tcase_add_loop_test (tcase, unit_index, 0, 12);
  tcase_add_test (tcase, unit_index_of_nothing);
  tcase_add_loop_test (tcase, any_part, 0, COUNT (outputs));
  tcase_add_test (tcase, cuts);
  tcase_add_loop_test (tcase, unit_index_of_changes, 0, 6);
  tcase_add_test (tcase, over_a_base);
  tcase_add_test (tcase, over_no_vhd);
  tcase_add_loop_test (tcase, not_opened, 0, COUNT (refused));
  tcase_add_test (tcase, formats_listed);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
