/* SPDX-License-Identifier: BSD-3-Clause */
/* Ending calls that would take long: by the option 'timeout', where a server
 * does not answer, and by vdisk_cancel, whatever they are at.
 */

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "nbd-server.h"
#include "qcow2-image.h"
#include "scratch.h"
#include "support.h"
#include "vdisk.h"

#define THREADS 8

static double
seconds (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

/* Flags of the protocol: several connections; one. */
static const unsigned flags[] = { 1 | 256, 1 };

static struct vdisk *
open_silent (struct server *server, const char *timeout,
             struct vdisk_error *error)
{
  static const enum role roles[100] = {
    [0 ... 98] = SILENT, [99] = HONEST,
  };
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk *vdisk;

  ck_assert_ptr_nonnull (options);
  if (server->roles == NULL)
    server->roles = roles;
  ck_assert_int_eq (vdisk_options_set (options, "timeout", timeout, NULL), 0);
  vdisk = vdisk_open (server_start (server), options, error);
  vdisk_options_free (options);
  return vdisk;
}

/* What a thread has asked for, and what came of it. */
struct call {
  struct vdisk *vdisk;
  uint64_t offset;
  struct vdisk_error error;
  double took;
  int r;
};

static void *
read_some (void *opaque)
{
  struct call *call = opaque;
  const double began = seconds ();
  char buffer[512];

  call->r = vdisk_pread (call->vdisk, buffer, sizeof buffer, call->offset,
                         &call->error);
  call->took = seconds () - began;
  return NULL;
}

static void
start_calls (struct vdisk *vdisk, struct call *calls, pthread_t *threads)
{
  size_t i;

  for (i = 0; i < THREADS; ++i) {
    calls[i] = (struct call) { .vdisk = vdisk, .offset = i * 512 };
    ck_assert_int_eq (pthread_create (&threads[i], NULL, read_some,
                                      &calls[i]), 0);
  }
}

/* --- Time -------------------------------------------------------------- */

/* More threads than connections; each waits as long as one. */
START_TEST (server_is_silent)
{
  struct server server = { .flags = flags[_i] };
  struct call calls[THREADS];
  pthread_t threads[THREADS];
  struct vdisk_error error;
  struct vdisk *vdisk = open_silent (&server, "1200ms", &error);
  size_t i;

  ck_assert_msg (vdisk != NULL, "%s", error.message);
  start_calls (vdisk, calls, threads);
  for (i = 0; i < THREADS; ++i) {
    pthread_join (threads[i], NULL);
    ck_assert_int_eq (calls[i].r, -1);
    ck_assert_int_eq (calls[i].error.errnum, ETIMEDOUT);
    ck_assert_ptr_nonnull (strstr (calls[i].error.message, " has not "
                                   "answered in 1.2 seconds"));
    ck_assert (calls[i].took >= 1.19 && calls[i].took < 2.35);
  }
  vdisk_close (vdisk);
  server_stop (&server);
}
END_TEST

START_TEST (server_lets_nobody_in)
{
  static const enum role roles[] = { UNGREETED, HONEST };
  struct server server = { .roles = roles };
  const double began = seconds ();
  struct vdisk_error error;

  ck_assert_ptr_null (open_silent (&server, "500ms", &error));
  ck_assert_int_eq (error.errnum, ETIMEDOUT);
  ck_assert (seconds () - began < 5);
  server_stop (&server);
}
END_TEST

/* --- Cancelling -------------------------------------------------------- */

/* All that fails once a handle is cancelled. */
static void
check_cancelled (struct vdisk *vdisk)
{
  struct vdisk_output *output;
  struct vdisk_check check = VDISK_CHECK_INIT;
  struct vdisk_error error;
  char buffer[512];

#define fails_so(call)                                  \
  do {                                                  \
    ck_assert (call);                                   \
    ck_assert_int_eq (error.errnum, ECANCELED);         \
    ck_assert_ptr_nonnull (strstr (error.message, "cancelled")); \
  } while (0)

  fails_so (vdisk_pread (vdisk, buffer, 512, 0, &error) == -1);
  fails_so (vdisk_prefetch (vdisk, 0, 512, &error) == -1);
  fails_so (vdisk_extents (vdisk, 0, 512, NULL, NULL, &error) == -1);
  fails_so (vdisk_check (vdisk, NULL, NULL, NULL, &check, &error) == -1);
  fails_so (vdisk_describe (vdisk, 0, &error) == NULL);
  output = vdisk_output_open (vdisk, "vhd", NULL, &error);
  fails_so (output == NULL);
}

static void *
cancel_soon (void *opaque)
{
  usleep (200000);
  vdisk_cancel (opaque);
  return NULL;
}

/* The server may take its five minutes. */
START_TEST (calls_to_a_server)
{
  struct server server = { .flags = flags[_i] };
  struct call calls[THREADS];
  pthread_t threads[THREADS], canceller;
  struct vdisk_error error;
  struct vdisk *vdisk = open_silent (&server, "auto", &error);
  size_t i;

  ck_assert_msg (vdisk != NULL, "%s", error.message);
  start_calls (vdisk, calls, threads);
  ck_assert_int_eq (pthread_create (&canceller, NULL, cancel_soon, vdisk),
                    0);
  for (i = 0; i < THREADS; ++i) {
    pthread_join (threads[i], NULL);
    ck_assert_int_eq (calls[i].r, -1);
    ck_assert_int_eq (calls[i].error.errnum, ECANCELED);
    ck_assert (calls[i].took < 2);
  }
  pthread_join (canceller, NULL);
  check_cancelled (vdisk);
  vdisk_cancel (vdisk);
  vdisk_close (vdisk);
  server_stop (&server);
}
END_TEST

static struct vdisk *cancelled_by_signal;

static void
cancel_by_signal (int number)
{
  (void) number;
  vdisk_cancel (cancelled_by_signal);
}

/* The handler runs in the thread that waits. */
START_TEST (by_a_signal)
{
  struct server server = { .flags = 1 };
  struct sigaction action = { .sa_handler = cancel_by_signal };
  struct vdisk *vdisk = open_silent (&server, "auto", NULL);
  struct call call = { .vdisk = vdisk };

  ck_assert_ptr_nonnull (vdisk);
  cancelled_by_signal = vdisk;
  sigaction (SIGALRM, &action, NULL);
  ualarm (100000, 0);
  read_some (&call);
  ck_assert_int_eq (call.r, -1);
  ck_assert_int_eq (call.error.errnum, ECANCELED);
  ck_assert (call.took < 2);
  vdisk_close (vdisk);
  server_stop (&server);
}
END_TEST

/* Storage in which reading cancels the handle after so many reads. */
struct storage {
  struct qcow2_image image;
  struct vdisk *vdisk;
  unsigned reads_left;          /* 0: it never does */
};

static int64_t
storage_size (void *opaque)
{
  return ((struct storage *) opaque)->image.size;
}

static int64_t
storage_pread (void *opaque, void *buffer, size_t count, uint64_t offset)
{
  struct storage *storage = opaque;

  memcpy (buffer, storage->image.bytes + offset, count);
  if (storage->reads_left > 0 && --storage->reads_left == 0)
    vdisk_cancel (storage->vdisk);
  return count;
}

/* 64 MiB in clusters of 4096 bytes, 32 L2 tables. */
#define DISK (UINT64_C (64) << 20)

static void
storage_open (struct storage *storage)
{
  static const struct vdisk_callbacks callbacks = {
    .struct_size = sizeof callbacks, .size = storage_size,
    .pread = storage_pread,
  };
  struct vdisk_options *options = vdisk_options_new ();
  uint64_t guest;

  *storage = (struct storage) { .reads_left = 0 };
  qcow2_image_init (&storage->image, 3, 12, DISK, 0);
  for (guest = 0; guest < DISK; guest += 65536)
    qcow2_image_add_data (&storage->image, guest);
  ck_assert_int_eq (vdisk_options_set (options, "format", "qcow2", NULL), 0);
  storage->vdisk = vdisk_open_callbacks (&callbacks, storage, "image",
                                         options, NULL);
  vdisk_options_free (options);
  ck_assert_ptr_nonnull (storage->vdisk);
}

static void
storage_end (struct storage *storage)
{
  check_cancelled (storage->vdisk);
  vdisk_close (storage->vdisk);
  qcow2_image_free (&storage->image);
}

struct told {
  struct vdisk *vdisk;
  unsigned count;
};

static int
cancel_at_first_extent (void *opaque, const struct vdisk_extent *extent)
{
  struct told *told = opaque;

  (void) extent;
  told->count++;
  vdisk_cancel (told->vdisk);
  return 0;
}

/* A walk stops before its next piece: 'count' is all that there is. */
START_TEST (walk)
{
  struct storage storage;
  struct vdisk_error error;
  struct told told;

  storage_open (&storage);
  told = (struct told) { .vdisk = storage.vdisk };
  ck_assert_int_eq (vdisk_extents (storage.vdisk, 0, DISK,
                                   cancel_at_first_extent, &told, &error),
                    -1);
  ck_assert_int_eq (error.errnum, ECANCELED);
  ck_assert_str_eq (error.message, "image: cancelled");
  ck_assert_uint_lt (told.count, DISK / 65536);
  storage_end (&storage);
}
END_TEST

/* Each call that reads tables or data, cancelled at its first read. */
START_TEST (calls_to_storage)
{
  struct vdisk_error error = { 0 };
  struct vdisk_check check = VDISK_CHECK_INIT;
  struct storage storage;
  void *buffer = malloc (DISK);

  storage_open (&storage);
  storage.reads_left = 1;
  switch (_i) {
  case 0:
    ck_assert_int_eq (vdisk_pread (storage.vdisk, buffer, DISK, 0, &error),
                      -1);
    break;
  case 1:
    ck_assert_int_eq (vdisk_check (storage.vdisk, NULL, NULL, NULL, &check,
                                   &error), -1);
    break;
  case 2:
    ck_assert_int_eq (vdisk_prefetch (storage.vdisk, 0, DISK, &error), -1);
    break;
  case 3:
    ck_assert_ptr_null (vdisk_output_open (storage.vdisk, "qcow2", NULL,
                                           &error));
    break;
  }
  ck_assert_int_eq (error.errnum, ECANCELED);
  ck_assert_str_eq (error.message, "image: cancelled");
  storage_end (&storage);
  free (buffer);
}
END_TEST

static int
cancel_at_progress (void *opaque, uint64_t done, uint64_t total)
{
  (void) done;
  (void) total;
  vdisk_cancel (opaque);
  return 0;
}

START_TEST (check_of_an_image)
{
  struct vdisk_error error;
  struct vdisk_check check = VDISK_CHECK_INIT;
  struct storage storage;

  storage_open (&storage);
  ck_assert_int_eq (vdisk_check (storage.vdisk, NULL, cancel_at_progress,
                                 storage.vdisk, &check, &error), -1);
  ck_assert_int_eq (error.errnum, ECANCELED);
  ck_assert_str_eq (error.message, "image: cancelled");
  storage_end (&storage);
}
END_TEST

/* What is there already can't be had either. */
START_TEST (output)
{
  struct vdisk_output *file;
  struct vdisk_error error;
  struct storage storage;
  char buffer[512];

  storage_open (&storage);
  file = vdisk_output_open (storage.vdisk, "qcow2", NULL, &error);
  ck_assert_ptr_nonnull (file);
  ck_assert_int_eq (vdisk_output_pread (file, buffer, 512, 0, &error), 0);
  vdisk_cancel (storage.vdisk);
  ck_assert_int_eq (vdisk_output_pread (file, buffer, 512, 0, &error), -1);
  ck_assert_int_eq (error.errnum, ECANCELED);
  ck_assert_int_eq (vdisk_output_extents (file, 0, 512, NULL, NULL, &error),
                    -1);
  ck_assert_int_eq (error.errnum, ECANCELED);
  vdisk_output_close (file);
  storage_end (&storage);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("cancel");
  TCase *tcase = tcase_create ("cancel");

  tcase_add_unchecked_fixture (tcase, scratch_setup, scratch_teardown);
  tcase_set_timeout (tcase, 20);
  tcase_add_loop_test (tcase, server_is_silent, 0, 2);
  tcase_add_test (tcase, server_lets_nobody_in);
  tcase_add_loop_test (tcase, calls_to_a_server, 0, 2);
  tcase_add_test (tcase, by_a_signal);
  tcase_add_test (tcase, walk);
  tcase_add_loop_test (tcase, calls_to_storage, 0, 4);
  tcase_add_test (tcase, check_of_an_image);
  tcase_add_test (tcase, output);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
