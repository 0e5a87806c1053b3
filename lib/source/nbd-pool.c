/* SPDX-License-Identifier: BSD-3-Clause */
/* Free connections are a stack, so that one thread uses one of them. */

#include "source/nbd-pool.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "util/minmax.h"

#define CONNECTIONS_MAX 4

/* How long connecting may take, in milliseconds. */
#define CONNECT_LIMIT (30 * 1000)

/* A server may let in fewer than it could be asked to, and leave the next
 * waiting.  So each may take so many times as long as the first, but at
 * least so long. */
#define CONNECT_MORE_FACTOR 10
#define CONNECT_MORE_LEAST 200

struct pool {
  char *uri;
  struct export export;         /* as it was when the pool was opened */
  pthread_mutex_t lock;         /* of what follows */
  pthread_cond_t given;
  size_t idle_count;
  struct nbd_handle *idle[CONNECTIONS_MAX];     /* NULL: to be made anew */
  _Atomic unsigned reconnects, reconnects_told;
};

/* Does the server still serve what it did? */
static int
check_export (const struct export *was, const struct export *is,
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

static struct nbd_handle *
reconnect (const struct pool *pool, unsigned limit,
           struct vdisk_error *error)
{
  struct nbd_handle *nbd;
  struct export export;

  nbd = connection_open (pool->uri, &limit, &export, error);
  if (nbd && check_export (&pool->export, &export, error) == -1) {
    connection_close (nbd);
    return NULL;
  }
  return nbd;
}

/* More connections help, but are not needed. */
static void
connect_more (struct pool *pool, unsigned first_took)
{
  const uint64_t patience = CONNECT_MORE_FACTOR * (uint64_t) first_took;
  const unsigned limit = min_u64 (CONNECT_LIMIT,
                                  max_u64 (CONNECT_MORE_LEAST, patience));
  struct nbd_handle *nbd;

  while (pool->idle_count < CONNECTIONS_MAX) {
    nbd = reconnect (pool, limit, NULL);
    if (nbd == NULL)
      return;
    pool->idle[pool->idle_count++] = nbd;
  }
}

struct pool *
pool_open (const char *uri, struct export *export, struct vdisk_error *error)
{
  struct pool *pool = calloc (1, sizeof *pool);
  unsigned limit = CONNECT_LIMIT;
  struct nbd_handle *nbd;

  if (pool == NULL || (pool->uri = strdup (uri)) == NULL) {
    error_record (error, ENOMEM, "out of memory");
    free (pool);
    return NULL;
  }
  pthread_mutex_init (&pool->lock, NULL);
  pthread_cond_init (&pool->given, NULL);
  nbd = connection_open (uri, &limit, &pool->export, error);
  if (nbd == NULL) {
    pool_close (pool);
    return NULL;
  }
  pool->idle[pool->idle_count++] = nbd;
  if (pool->export.has_multi_conn)
    connect_more (pool, limit);
  *export = pool->export;
  return pool;
}

void
pool_close (struct pool *pool)
{
  if (pool == NULL)
    return;
  while (pool->idle_count > 0)
    connection_close (pool->idle[--pool->idle_count]);
  pthread_cond_destroy (&pool->given);
  pthread_mutex_destroy (&pool->lock);
  free (pool->uri);
  free (pool);
}

struct nbd_handle *
pool_take (struct pool *pool, struct vdisk_error *error)
{
  struct nbd_handle *nbd;

  pthread_mutex_lock (&pool->lock);
  while (pool->idle_count == 0)
    pthread_cond_wait (&pool->given, &pool->lock);
  nbd = pool->idle[--pool->idle_count];
  pthread_mutex_unlock (&pool->lock);

  if (nbd && connection_is_alive (nbd))
    return nbd;
  connection_close (nbd);
  nbd = reconnect (pool, CONNECT_LIMIT, error);
  if (nbd == NULL)
    pool_give (pool, NULL);
  else
    pool->reconnects++;
  return nbd;
}

unsigned
pool_new_reconnects (struct pool *pool)
{
  const unsigned n = pool->reconnects;

  return atomic_exchange (&pool->reconnects_told, n) == n ? 0 : n;
}

void
pool_give (struct pool *pool, struct nbd_handle *nbd)
{
  pthread_mutex_lock (&pool->lock);
  pool->idle[pool->idle_count++] = nbd;
  pthread_cond_signal (&pool->given);
  pthread_mutex_unlock (&pool->lock);
}
