/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections to NBD servers that keep silent, hang up, or let in fewer
 * than they could: how long they are waited for, and what comes after.
 */

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "nbd-server.h"
#include "scratch.h"
#include "support.h"
#include "util/nbd-pool.h"

static struct nbd_config
short_patience (void)
{
  return (struct nbd_config) {
    .cancel_fd = -1, .reconnects = true,
    .limits = { .connect = 1000, .silence = 200, .flush = 400 },
  };
}

static char buffer[512];
static const struct nbd_request read_some = {
  .command = NBD_COMMAND_READ, .count = sizeof buffer, .to = buffer,
};
static const struct nbd_request flush = { .command = NBD_COMMAND_FLUSH };

static double
seconds (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

/* Nobody is let in. */
START_TEST (silent_from_the_start)
{
  static const enum role roles[] = { UNGREETED, HONEST };
  struct server server = { .roles = _i == 0 ? NULL : roles };
  struct nbd_config config = short_patience ();
  struct nbd_export export;
  struct vdisk_error error = { 0 };

  config.uri = server_start (&server);
  ck_assert_ptr_null (nbd_pool_open (&config, &export, &error));
  ck_assert_int_eq (error.errnum, ETIMEDOUT);
  ck_assert_str_eq (error.message,
                    "the server has not answered in 1 seconds");
  server_stop (&server);
}
END_TEST

/* The request fails, and the next one goes to a new connection. */
START_TEST (silent_later)
{
  static const enum role roles[] = { SILENT, SILENT, HONEST };
  struct server server = { .roles = roles, .flags = FLUSHES };
  struct nbd_config config = short_patience ();
  struct nbd_export export;
  struct vdisk_error error = { 0 };
  struct nbd_pool *pool;
  double began;

  config.uri = server_start (&server);
  pool = nbd_pool_open (&config, &export, &error);
  ck_assert_msg (pool != NULL, "%s", error.message);
  ck_assert_uint_eq (export.size, SERVER_DISK_SIZE);
  began = seconds ();
  ck_assert_int_eq (nbd_pool_request (pool, &read_some, &error), -1);
  ck_assert_int_eq (error.errnum, ETIMEDOUT);
  ck_assert (seconds () - began >= 0.2);
  /* A flush may take longer. */
  began = seconds ();
  ck_assert_int_eq (nbd_pool_request (pool, &flush, NULL), -1);
  ck_assert (seconds () - began >= 0.4);
  ck_assert_int_eq (nbd_pool_request (pool, &read_some, NULL), 0);
  nbd_pool_close (pool);
  server_stop (&server);
}
END_TEST

/* Not even a server that always says something may take for ever, and who
 * waits for its connection waits no longer. */
static void *
ask_dribbling (void *opaque)
{
  char there[512];
  const struct nbd_request request = {
    .command = NBD_COMMAND_READ, .count = sizeof there, .to = there,
  };
  struct vdisk_error error = { 0 };
  const double began = seconds ();

  ck_assert_int_eq (nbd_pool_request (opaque, &request, &error), -1);
  ck_assert_int_eq (error.errnum, ETIMEDOUT);
  ck_assert_str_eq (error.message,
                    "the server has not answered in 0.5 seconds");
  ck_assert (seconds () - began >= 0.49);
  ck_assert (seconds () - began < 5);
  return NULL;
}

START_TEST (dribbles)
{
  static const enum role roles[] = {
    DRIBBLES, UNGREETED, UNGREETED, UNGREETED, HONEST,
  };
  struct server server = { .roles = roles, .flags = FLUSHES };
  struct nbd_config config = short_patience ();
  struct vdisk_error error = { 0 };
  struct nbd_export export;
  struct nbd_pool *pool;
  pthread_t threads[3];
  size_t i;

  config.limits.request = 500;
  config.uri = server_start (&server);
  pool = nbd_pool_open (&config, &export, &error);
  ck_assert_msg (pool != NULL, "%s", error.message);
  for (i = 0; i < 3; ++i)
    ck_assert_int_eq (pthread_create (&threads[i], NULL, ask_dribbling,
                                      pool), 0);
  for (i = 0; i < 3; ++i)
    pthread_join (threads[i], NULL);
  nbd_pool_close (pool);
  server_stop (&server);
}
END_TEST

/* Connecting again is part of a request. */
START_TEST (silent_when_connecting_again)
{
  static const enum role roles[] = { HANGS_UP, UNGREETED, HONEST };
  struct server server = { .roles = roles, .flags = FLUSHES };
  struct nbd_config config = short_patience ();
  struct vdisk_error error = { 0 };
  struct nbd_export export;
  struct nbd_pool *pool;
  double began;

  config.limits.request = 300;
  config.limits.connect = 10000;
  config.uri = server_start (&server);
  pool = nbd_pool_open (&config, &export, &error);
  ck_assert_msg (pool != NULL, "%s", error.message);
  ck_assert_int_eq (nbd_pool_request (pool, &read_some, NULL), -1);
  began = seconds ();
  ck_assert_int_eq (nbd_pool_request (pool, &read_some, &error), -1);
  ck_assert_int_eq (error.errnum, ETIMEDOUT);
  ck_assert (seconds () - began < 5);
  ck_assert_int_eq (nbd_pool_request (pool, &read_some, NULL), 0);
  nbd_pool_close (pool);
  server_stop (&server);
}
END_TEST

/* It fails where what was written before may be lost. */
START_TEST (hangs_up)
{
  static const enum role roles[] = { HANGS_UP, HONEST };
  struct server server = { .roles = roles, .flags = FLUSHES };
  struct nbd_config config = short_patience ();
  struct nbd_export export;
  struct vdisk_error error = { 0 };
  struct nbd_pool *pool;

  config.reconnects = _i;
  config.uri = server_start (&server);
  pool = nbd_pool_open (&config, &export, NULL);
  ck_assert_ptr_nonnull (pool);
  ck_assert_int_eq (nbd_pool_request (pool, &read_some, NULL), -1);
  ck_assert_int_eq (nbd_pool_request (pool, &read_some, &error),
                    config.reconnects ? 0 : -1);
  ck_assert_str_eq (error.message,
                    config.reconnects ? "" : "the server has hung up");
  nbd_pool_close (pool);
  server_stop (&server);
}
END_TEST

/* As many connections are there as are let in, and they do. */
START_TEST (few_are_let_in)
{
  static const struct { enum role roles[4]; unsigned connections; } rows[] = {
    { { HONEST }, 4 },
    { { SILENT, UNGREETED, HONEST }, 2 },
    { { SILENT, SILENT, UNGREETED, HONEST }, 3 },
  };
  struct server server = { .roles = rows[_i].roles, .flags = MULTI_CONN };
  struct nbd_config config = short_patience ();
  struct vdisk_error error = { 0 };
  struct nbd_export export;
  struct nbd_pool *pool;

  config.uri = server_start (&server);
  pool = nbd_pool_open (&config, &export, &error);
  ck_assert_msg (pool != NULL, "%s", error.message);
  ck_assert_uint_eq (server.connections, rows[_i].connections);
  nbd_pool_close (pool);
  server_stop (&server);
}
END_TEST

static void *
cancel_soon (void *opaque)
{
  const int *fd = opaque;

  usleep (100000);
  eventfd_write (*fd, 1);
  return NULL;
}

/* Whatever is waited for, a cancellation is noticed at once. */
START_TEST (cancelled)
{
  static const enum role roles[][2] = {
    { UNGREETED, HONEST }, { SILENT, HONEST },
  };
  struct server server = { .roles = roles[_i], .flags = FLUSHES };
  struct nbd_config config = short_patience ();
  struct nbd_export export;
  struct vdisk_error error = { 0 };
  struct nbd_pool *pool;
  pthread_t thread;
  int fd = eventfd (0, EFD_CLOEXEC);

  config.cancel_fd = fd;
  config.limits = (struct nbd_limits) NBD_LIMITS_DEFAULT;
  config.uri = server_start (&server);
  ck_assert_int_eq (pthread_create (&thread, NULL, cancel_soon, &fd), 0);
  pool = nbd_pool_open (&config, &export, &error);
  if (pool)
    ck_assert_int_eq (nbd_pool_request (pool, &flush, &error), -1);
  ck_assert_int_eq (error.errnum, EINTR);
  ck_assert_str_eq (error.message, "interrupted");
  pthread_join (thread, NULL);
  nbd_pool_close (pool);
  close (fd);
  server_stop (&server);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("nbd-pool");
  TCase *tcase = tcase_create ("nbd-pool");

  tcase_add_unchecked_fixture (tcase, scratch_setup, scratch_teardown);
  tcase_set_timeout (tcase, 20);
  tcase_add_loop_test (tcase, silent_from_the_start, 0, 2);
  tcase_add_test (tcase, silent_later);
  tcase_add_test (tcase, dribbles);
  tcase_add_test (tcase, silent_when_connecting_again);
  tcase_add_loop_test (tcase, hangs_up, 0, 2);
  tcase_add_loop_test (tcase, few_are_let_in, 0, 3);
  tcase_add_loop_test (tcase, cancelled, 0, 2);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
