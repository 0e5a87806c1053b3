/* SPDX-License-Identifier: BSD-3-Clause */
/* Free connections are a stack, so that one thread uses one of them.
 *
 * A server that is asked to end may wait until its clients have gone, and
 * say ESHUTDOWN to all they ask until then.  So when one connection hears
 * that, all of its generation are closed: those that are free at once, the
 * others when they are given back.
 */

#include "util/nbd-pool.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/error.h"
#include "util/nbd-deadline.h"
#include "util/minmax.h"

#define CONNECTIONS_MAX 4

/* A server may let in fewer than it could be asked to, and leave the next
 * waiting.  So each may take so many times as long as the first, but at
 * least so long (in milliseconds). */
#define CONNECT_MORE_FACTOR 10
#define CONNECT_MORE_LEAST 200

struct member {
  struct nbd_connection *connection;    /* NULL: to be made anew */
  unsigned generation;
};

struct nbd_pool {
  struct nbd_config config;
  char *uri;
  struct nbd_export export;     /* as it was when the pool was opened */
  pthread_mutex_t lock;         /* of what follows */
  pthread_cond_t given;
  unsigned generation;
  size_t idle_count;
  struct member idle[CONNECTIONS_MAX];
  _Atomic unsigned reconnects, reconnects_reported;
};

/* Does the server still serve what it did? */
static int
check_export (const struct nbd_export *was, const struct nbd_export *is,
              struct vdisk_error *error)
{
  if (is->size != was->size)
    return error_set (error, EIO, "the server's disk has %" PRIu64 " bytes "
                      "now, it had %" PRIu64 " when it was opened", is->size,
                      was->size);
  if (was->has_status && !is->has_status)
    return error_set (error, EIO, "the server has no block status any more");
  if (is->minimum > was->minimum || is->maximum < was->maximum)
    return error_set (error, EIO, "the server takes other block sizes than "
                      "before");
  return 0;
}

static struct nbd_connection *
connect_again (const struct nbd_pool *pool, unsigned limit,
               struct vdisk_error *error)
{
  struct nbd_connection *connection;
  struct nbd_export export;

  connection = nbd_connection_open (&pool->config, &limit, &export, error);
  if (connection && check_export (&pool->export, &export, error) == -1) {
    nbd_connection_close (connection);
    return NULL;
  }
  return connection;
}

/* More connections help, but are not needed. */
static void
connect_more (struct nbd_pool *pool, unsigned first_took)
{
  const uint64_t patience = CONNECT_MORE_FACTOR * (uint64_t) first_took;
  const unsigned limit = min_u64 (pool->config.limits.connect,
                                  max_u64 (CONNECT_MORE_LEAST, patience));
  struct nbd_connection *connection;

  while (pool->idle_count < CONNECTIONS_MAX) {
    connection = connect_again (pool, limit, NULL);
    if (connection == NULL)
      return;
    pool->idle[pool->idle_count++].connection = connection;
  }
}

/* One that is waited for by the clock of deadlines. */
static void
init_condition (pthread_cond_t *condition)
{
  pthread_condattr_t attributes;

  pthread_condattr_init (&attributes);
  pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
  pthread_cond_init (condition, &attributes);
  pthread_condattr_destroy (&attributes);
}

struct nbd_pool *
nbd_pool_open (const struct nbd_config *config, struct nbd_export *export,
               struct vdisk_error *error)
{
  struct nbd_pool *pool = calloc (1, sizeof *pool);
  unsigned limit = config->limits.connect;
  struct nbd_connection *connection;

  if (pool == NULL || (pool->uri = strdup (config->uri)) == NULL) {
    error_record (error, ENOMEM, "out of memory");
    free (pool);
    return NULL;
  }
  pool->config = *config;
  pool->config.uri = pool->uri;
  pthread_mutex_init (&pool->lock, NULL);
  init_condition (&pool->given);
  connection = nbd_connection_open (&pool->config, &limit, &pool->export,
                                    error);
  if (connection == NULL) {
    nbd_pool_close (pool);
    return NULL;
  }
  pool->idle[pool->idle_count++].connection = connection;
  if (pool->export.has_multi_conn)
    connect_more (pool, limit);
  *export = pool->export;
  return pool;
}

void
nbd_pool_close (struct nbd_pool *pool)
{
  if (pool == NULL)
    return;
  while (pool->idle_count > 0)
    nbd_connection_close (pool->idle[--pool->idle_count].connection);
  pthread_cond_destroy (&pool->given);
  pthread_mutex_destroy (&pool->lock);
  free (pool->uri);
  free (pool);
}

/* Wait until one is given back, or until the deadline.  The lock is held. */
static void
wait_for_idle (struct nbd_pool *pool, int64_t deadline)
{
  const struct timespec until = {
    .tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000,
  };
  int r = 0;

  while (pool->idle_count == 0 && r != ETIMEDOUT)
    r = deadline == NBD_NO_DEADLINE
      ? pthread_cond_wait (&pool->given, &pool->lock)
      : pthread_cond_timedwait (&pool->given, &pool->lock, &until);
}

/* One for this thread alone until it gives it back.  Those whose connections
 * do not answer, or are cancelled, give them back too. */
static int
take (struct nbd_pool *pool, int64_t deadline, struct member *member,
      struct vdisk_error *error)
{
  pthread_mutex_lock (&pool->lock);
  wait_for_idle (pool, deadline);
  if (pool->idle_count == 0) {
    pthread_mutex_unlock (&pool->lock);
    nbd_timed_out (pool->config.limits.request, error);
    return -1;
  }
  *member = pool->idle[--pool->idle_count];
  member->generation = pool->generation;
  pthread_mutex_unlock (&pool->lock);
  return 0;
}

/* Connect again in what is left of the time for a request.  'error' is not
 * NULL. */
static struct nbd_connection *
connect_in_time (const struct nbd_pool *pool, int64_t deadline,
                 struct vdisk_error *error)
{
  const struct nbd_limits *limits = &pool->config.limits;
  const int64_t left = deadline == NBD_NO_DEADLINE ? deadline
    : deadline - nbd_now ();
  struct nbd_connection *connection = NULL;

  if (left > 0)
    connection = connect_again (pool, min_u64 (left, limits->connect), error);
  if (left <= 0 || (error->errnum == ETIMEDOUT && left < limits->connect)) {
    error_clear (error);
    nbd_timed_out (limits->request, error);
  }
  return connection;
}

/* See to it that the connection of one that was taken is alive; without one
 * there was an error. */
static void
revive (struct nbd_pool *pool, int64_t deadline, struct member *member,
        struct vdisk_error *error)
{
  if (member->connection && nbd_connection_is_alive (member->connection))
    return;
  nbd_connection_close (member->connection);
  member->connection = NULL;
  if (pool->config.reconnects)
    member->connection = connect_in_time (pool, deadline, error);
  else
    error_record (error, ECONNRESET, "the server has hung up");
  if (member->connection)
    pool->reconnects++;
}

unsigned
nbd_pool_new_reconnects (struct nbd_pool *pool)
{
  const unsigned n = pool->reconnects;

  return atomic_exchange (&pool->reconnects_reported, n) == n ? 0 : n;
}

static void
give (struct nbd_pool *pool, struct member member)
{
  pthread_mutex_lock (&pool->lock);
  if (member.generation != pool->generation) {
    nbd_connection_close (member.connection);
    member.connection = NULL;
  }
  pool->idle[pool->idle_count++] = member;
  pthread_cond_signal (&pool->given);
  pthread_mutex_unlock (&pool->lock);
}

/* The server that a connection leads to is about to end. */
static void
leave_server (struct nbd_pool *pool, const struct member *member)
{
  size_t i;

  pthread_mutex_lock (&pool->lock);
  if (member->generation == pool->generation) {
    pool->generation++;
    for (i = 0; i < pool->idle_count; ++i) {
      nbd_connection_close (pool->idle[i].connection);
      pool->idle[i].connection = NULL;
    }
  }
  pthread_mutex_unlock (&pool->lock);
}

/* 'error' is not NULL. */
static int
request_once (struct nbd_pool *pool, const struct nbd_request *request,
              int64_t deadline, struct vdisk_error *error)
{
  struct member member;
  int r = -1;

  if (take (pool, deadline, &member, error) == -1)
    return -1;
  revive (pool, deadline, &member, error);
  if (member.connection)
    r = nbd_connection_request (member.connection, request, deadline, error);
  if (member.connection && r == -1 && error->errnum == ESHUTDOWN)
    leave_server (pool, &member);
  give (pool, member);
  return r;
}

int
nbd_pool_request (struct nbd_pool *pool, const struct nbd_request *request,
                  struct vdisk_error *error)
{
  const unsigned limit = pool->config.limits.request;
  const int64_t deadline = limit > 0 ? nbd_now () + limit : NBD_NO_DEADLINE;
  struct vdisk_error why = { 0 };

  if (request_once (pool, request, deadline, &why) == 0)
    return 0;
  /* Such a server has not done it, and another may be there already. */
  if (why.errnum == ESHUTDOWN && pool->config.reconnects) {
    error_clear (&why);
    if (request_once (pool, request, deadline, &why) == 0)
      return 0;
  }
  return error_set (error, why.errnum, "%s", why.message);
}
