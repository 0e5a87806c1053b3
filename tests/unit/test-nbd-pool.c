/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections to NBD servers that keep silent, hang up, or let in fewer
 * than they could: how long they are waited for, and what comes after.
 *
 * The server here greets in the old style, which is 152 bytes, and plays
 * another role in each connection.
 */

#include <check.h>
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "scratch.h"
#include "support.h"
#include "util/nbd-pool.h"

#define DISK_SIZE 65536

/* What a connection does, once it is there. */
enum role {
  HONEST,
  UNGREETED,                    /* not even that */
  SILENT,                       /* says nothing to a request */
  HANGS_UP,                     /* after the first request */
};

struct server {
  int listening;
  const enum role *roles;       /* the last is HONEST, also for the rest */
  unsigned flags;
  _Atomic unsigned connections; /* so many there were */
};

struct request {
  uint32_t magic;
  uint16_t flags, type;
  uint64_t cookie, offset;
  uint32_t count;
} __attribute__ ((packed));

static const char zeros[DISK_SIZE];

static void
greet (int fd, unsigned flags)
{
  const uint64_t magic[] = {
    htobe64 (0x4e42444d41474943), htobe64 (0x00420281861253),
    htobe64 (DISK_SIZE),
  };
  const uint32_t both = htobe32 (flags);

  send (fd, magic, sizeof magic, MSG_NOSIGNAL);
  send (fd, &both, sizeof both, MSG_NOSIGNAL);
  send (fd, zeros, 124, MSG_NOSIGNAL);
}

static void
answer (int fd, const struct request *request)
{
  const struct { uint32_t magic, error; uint64_t cookie; } reply = {
    htobe32 (0x67446698), 0, request->cookie,
  };

  send (fd, &reply, sizeof reply, MSG_NOSIGNAL);
  if (be16toh (request->type) == 0)
    send (fd, zeros, be32toh (request->count), MSG_NOSIGNAL);
}

struct client {
  int fd;
  enum role role;
  unsigned flags;
};

static void *
serve_client (void *opaque)
{
  const struct client client = *(struct client *) opaque;
  struct request request;

  free (opaque);
  if (client.role != UNGREETED)
    greet (client.fd, client.flags);
  while (recv (client.fd, &request, sizeof request, MSG_WAITALL) ==
         sizeof request && client.role != HANGS_UP)
    if (client.role == HONEST)
      answer (client.fd, &request);
  close (client.fd);
  return NULL;
}

static void *
serve (void *opaque)
{
  struct server *server = opaque;
  const enum role *role = server->roles;
  pthread_t thread;
  int fd;

  while ((fd = accept (server->listening, NULL, NULL)) != -1) {
    struct client *client = malloc (sizeof *client);

    *client = (struct client) { fd, *role, server->flags };
    server->connections++;
    role += *role != HONEST;
    if (pthread_create (&thread, NULL, serve_client, client) == 0)
      pthread_detach (thread);
  }
  return NULL;
}

/* Set config->uri; the server is there until the test's process ends. */
static void
start (struct server *server, struct nbd_config *config)
{
  static char uri[256];
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  const char *path = scratch_path ("socket");
  pthread_t thread;

  unlink (path);
  ck_assert_uint_lt (strlen (path), sizeof address.sun_path);
  strcpy (address.sun_path, path);
  snprintf (uri, sizeof uri, "nbd+unix:///?socket=%s", path);
  config->uri = uri;
  server->listening = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_eq (bind (server->listening, (struct sockaddr *) &address,
                          sizeof address), 0);
  ck_assert_int_eq (listen (server->listening, 8), 0);
  if (server->roles)
    ck_assert_int_eq (pthread_create (&thread, NULL, serve, server), 0);
}

/* Flags of the protocol: flushes; several connections too. */
#define FLUSHES (1 | 4)
#define MULTI_CONN (FLUSHES | 256)

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

  start (&server, &config);
  ck_assert_ptr_null (nbd_pool_open (&config, &export, &error));
  ck_assert_int_eq (error.errnum, ETIMEDOUT);
  ck_assert_str_eq (error.message,
                    "the server has not answered in 1 seconds");
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

  start (&server, &config);
  pool = nbd_pool_open (&config, &export, &error);
  ck_assert_msg (pool != NULL, "%s", error.message);
  ck_assert_uint_eq (export.size, DISK_SIZE);
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
  start (&server, &config);
  pool = nbd_pool_open (&config, &export, NULL);
  ck_assert_ptr_nonnull (pool);
  ck_assert_int_eq (nbd_pool_request (pool, &read_some, NULL), -1);
  ck_assert_int_eq (nbd_pool_request (pool, &read_some, &error),
                    config.reconnects ? 0 : -1);
  ck_assert_str_eq (error.message,
                    config.reconnects ? "" : "the server has hung up");
  nbd_pool_close (pool);
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

  start (&server, &config);
  pool = nbd_pool_open (&config, &export, &error);
  ck_assert_msg (pool != NULL, "%s", error.message);
  ck_assert_uint_eq (server.connections, rows[_i].connections);
  nbd_pool_close (pool);
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
  start (&server, &config);
  ck_assert_int_eq (pthread_create (&thread, NULL, cancel_soon, &fd), 0);
  pool = nbd_pool_open (&config, &export, &error);
  if (pool)
    ck_assert_int_eq (nbd_pool_request (pool, &flush, &error), -1);
  ck_assert_int_eq (error.errnum, EINTR);
  ck_assert_str_eq (error.message, "interrupted");
  pthread_join (thread, NULL);
  nbd_pool_close (pool);
  close (fd);
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
  tcase_add_loop_test (tcase, hangs_up, 0, 2);
  tcase_add_loop_test (tcase, few_are_let_in, 0, 3);
  tcase_add_loop_test (tcase, cancelled, 0, 2);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
