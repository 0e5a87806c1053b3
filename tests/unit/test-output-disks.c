/* SPDX-License-Identifier: BSD-3-Clause */
/* Outputs of several disks: which formats have them, and what an XVA has of
 * each.
 */

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "holey-disk.h"
#include "random.h"
#include "support.h"

#define DISKS 3
#define TAR_BLOCK 512
#define TAR_END (2 * TAR_BLOCK)

struct disks {
  struct disk at[DISKS];
  struct vdisk *vdisks[DISKS];
};

static void
open_disks (struct disks *disks)
{
  struct random random = { .state = 7 };
  size_t i;

  for (i = 0; i < DISKS; ++i) {
    disk_open (&disks->at[i], &random, 1 + random_below (&random, 5 << 20));
    disks->vdisks[i] = disks->at[i].vdisk;
  }
}

static void
close_disks (struct disks *disks)
{
  size_t i;

  for (i = 0; i < DISKS; ++i)
    disk_close (&disks->at[i]);
}

static uint8_t *
read_all (struct vdisk_output *output, uint64_t *size)
{
  struct vdisk_error error;
  uint8_t *bytes;

  *size = vdisk_output_size (output);
  bytes = malloc (*size);
  ck_assert_ptr_nonnull (bytes);
  ck_assert_int_eq (vdisk_output_pread (output, bytes, *size, 0, &error), 0);
  vdisk_output_close (output);
  return bytes;
}

/* An archive of several is the archives of each, one behind the other, but
 * for their ends. */
START_TEST (xva_of_several)
{
  const char *const options[] = {
    "prefix=Ref:1", "prefix=Ref:2", "prefix=Ref:3", NULL,
  };
  struct vdisk_error error;
  struct vdisk_output *output;
  struct disks disks;
  uint64_t size, offset = 0, each_size;
  uint8_t *bytes, *each;
  size_t i;

  open_disks (&disks);
  output = vdisk_output_open_disks (disks.vdisks, DISKS, "xva", options,
                                    &error);
  ck_assert_msg (output != NULL, "%s", error.message);
  bytes = read_all (output, &size);
  for (i = 0; i < DISKS; ++i) {
    output = vdisk_output_open (disks.vdisks[i], "xva",
                                (const char *const[]) { options[i], NULL },
                                &error);
    each = read_all (output, &each_size);
    each_size -= TAR_END;
    ck_assert_uint_le (each_size, size - offset);
    ck_assert (memcmp (bytes + offset, each, each_size) == 0);
    offset += each_size;
    free (each);
  }
  ck_assert_uint_eq (size - offset, TAR_END);
  free (bytes);
  close_disks (&disks);
}
END_TEST

static const struct {
  const char *format;
  size_t count;
  const char *options[4];
  const char *message;
} refused[] = {
  { "raw", 2, { NULL }, "output raw: 2 disks, must be one" },
  { "chunked", 3, { NULL }, "output chunked: 3 disks, must be one" },
  { "qcow2", 0, { NULL }, "output qcow2: 0 disks, must be one" },
  { "xva", 0, { NULL }, "output xva: 0 disks, must be one or more" },
  { "xva", 2, { NULL }, "output xva: there are 0 prefixes for 2 disks" },
  { "xva", 2, { "prefix=a", NULL },
    "output xva: there are 1 prefixes for 2 disks" },
  { "xva", 1, { "prefix=a", "prefix=b", NULL },
    "output xva: there are 2 prefixes for 1 disks" },
  { "xva", 2, { "prefix=a", "prefix=a", NULL },
    "prefix=a: two disks have it" },
};

START_TEST (not_opened)
{
  struct vdisk_error error;
  struct disks disks;

  open_disks (&disks);
  ck_assert_ptr_null (vdisk_output_open_disks (disks.vdisks,
                                               refused[_i].count,
                                               refused[_i].format,
                                               refused[_i].options, &error));
  ck_assert_int_eq (error.errnum, EINVAL);
  ck_assert_str_eq (error.message, refused[_i].message);
  close_disks (&disks);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("output-disks");
  TCase *tcase = tcase_create ("output-disks");

  tcase_add_test (tcase, xva_of_several);
  tcase_add_loop_test (tcase, not_opened, 0,
                       (int) (sizeof refused / sizeof refused[0]));
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
