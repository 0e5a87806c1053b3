/* SPDX-License-Identifier: BSD-3-Clause */
/* Connecting to an NBD server, what it says when that is done, and asking
 * it something.
 *
 * libnbd's calls that wait have no time limit, and go on after a signal.
 * Here is one: a server that lets nobody in need not say so, and one that
 * hangs says nothing any more.  That a host has vanished TCP finds out
 * sooner.
 */

#include "util/nbd-connection.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <libnbd.h>

#include "util/error.h"
#include "util/nbd-deadline.h"
#include "util/align.h"
#include "util/minmax.h"

/* The protocol's bounds of the minimum block size, and what every server
 * takes that does not say otherwise. */
#define MINIMUM_MAX (64 << 10)
#define MAXIMUM_DEFAULT (32 << 20)

const bool nbd_is_built_in = true;

struct nbd_connection {
  const struct nbd_config *config;
  struct nbd_handle *nbd;
  bool is_given_up;             /* a request was left without an answer */
};

/* Record what libnbd says, but for the name of its function. */
static int
libnbd_error (struct vdisk_error *error)
{
  const char *text = nbd_get_error ();
  const char *colon = text ? strstr (text, ": ") : NULL;

  if (colon && strncmp (text, "nbd_", 4) == 0)
    text = colon + 2;
  return error_set (error, nbd_get_errno (), "%s",
                    text ? text : "libnbd does not say why");
}

static int
configure (struct nbd_handle *nbd, const struct nbd_config *config,
           struct vdisk_error *error)
{
  /* The user has written the URI: it may name files, as of keys.  The last
   * request may be no multiple of the minimum, if the disk is none. */
  const uint32_t strict =
    nbd_get_strict_mode (nbd) & ~(uint32_t) LIBNBD_STRICT_ALIGN;

  if (nbd_set_uri_allow_local_file (nbd, true) == -1 ||
      nbd_set_strict_mode (nbd, strict) == -1)
    return libnbd_error (error);
  if (config->wants_status &&
      nbd_add_meta_context (nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) == -1)
    return libnbd_error (error);
  return 0;
}

/* Wait until the server has sent something, or takes what we send.  That is
 * left to libnbd then. */
static int
wait_for_server (struct nbd_connection *connection, int64_t deadline,
                 unsigned limit, struct vdisk_error *error)
{
  const unsigned direction = nbd_aio_get_direction (connection->nbd);
  struct pollfd fds[] = {
    { .fd = nbd_aio_get_fd (connection->nbd) },
    { .fd = connection->config->cancel_fd, .events = POLLIN },
  };
  int64_t left;
  int r;

  if (fds[0].fd == -1)
    return libnbd_error (error);
  if (direction & LIBNBD_AIO_DIRECTION_READ)
    fds[0].events |= POLLIN;
  if (direction & LIBNBD_AIO_DIRECTION_WRITE)
    fds[0].events |= POLLOUT;
  do {
    left = deadline - nbd_now ();
    r = poll (fds, 2, left > 0 ? left : 0);
  } while (r == -1 && errno == EINTR);

  if (r == -1)
    return error_set (error, errno, "poll: %s", strerror (errno));
  if (fds[1].revents)
    return error_set (error, EINTR, "interrupted");
  if (r == 0)
    return nbd_timed_out (limit, error);
  return nbd_poll (connection->nbd, 0) == -1 ? libnbd_error (error) : 0;
}

static int
connect_within (struct nbd_connection *connection, unsigned *limit,
                struct vdisk_error *error)
{
  struct nbd_handle *nbd = connection->nbd;
  const int64_t start = nbd_now ();

  if (nbd_aio_connect_uri (nbd, connection->config->uri) == -1)
    return libnbd_error (error);
  while (nbd_aio_is_connecting (nbd))
    if (wait_for_server (connection, start + *limit, *limit, error) == -1)
      return -1;
  if (!nbd_aio_is_ready (nbd))
    return error_set (error, ECONNRESET, "the server has hung up");
  *limit = nbd_now () - start;
  return 0;
}

/* Let TCP look after a host that says nothing.  Other sockets refuse the
 * options, and need none. */
static void
keep_alive (struct nbd_handle *nbd)
{
  static const struct { int level, name, value; } options[] = {
    { SOL_SOCKET, SO_KEEPALIVE, 1 },
    { IPPROTO_TCP, TCP_KEEPIDLE, 30 },
    { IPPROTO_TCP, TCP_KEEPINTVL, 10 },
    { IPPROTO_TCP, TCP_KEEPCNT, 6 },
    { IPPROTO_TCP, TCP_USER_TIMEOUT, 90 * 1000 },
  };
  const int fd = nbd_aio_get_fd (nbd);
  size_t i;

  for (i = 0; i < sizeof options / sizeof options[0]; ++i)
    setsockopt (fd, options[i].level, options[i].name, &options[i].value,
                sizeof options[i].value);
}

static int
get_block_sizes (struct nbd_handle *nbd, struct nbd_export *export,
                 struct vdisk_error *error)
{
  /* 0: the server has not said. */
  const int64_t minimum = nbd_get_block_size (nbd, LIBNBD_SIZE_MINIMUM);
  const int64_t maximum = nbd_get_block_size (nbd, LIBNBD_SIZE_MAXIMUM);

  if (minimum == -1 || maximum == -1)
    return libnbd_error (error);
  if (minimum > MINIMUM_MAX || (minimum > 0 && !is_power_of_2 (minimum)))
    return error_set (error, EINVAL, "the server's minimum block size is %"
                      PRIi64 ", must be a power of 2 of at most %d",
                      minimum, MINIMUM_MAX);
  if (maximum > 0 && maximum < minimum)
    return error_set (error, EINVAL, "the server's maximum block size is %"
                      PRIi64 ", less than the minimum, %" PRIi64,
                      maximum, minimum);
  export->minimum = minimum > 0 ? minimum : 1;
  export->maximum = maximum > 0 ? min_u64 (maximum, MAXIMUM_DEFAULT)
    : MAXIMUM_DEFAULT;
  export->maximum = round_down (export->maximum, export->minimum);
  return 0;
}

static int
get_export (struct nbd_handle *nbd, struct nbd_export *export,
            struct vdisk_error *error)
{
  const int64_t size = nbd_get_size (nbd);
  const int read_only = nbd_is_read_only (nbd);
  const int status =
    nbd_can_meta_context (nbd, LIBNBD_CONTEXT_BASE_ALLOCATION);
  const int cache = nbd_can_cache (nbd);
  const int zero = nbd_can_zero (nbd);
  const int flush = nbd_can_flush (nbd);
  const int multi_conn = nbd_can_multi_conn (nbd);

  if (size == -1 || read_only == -1 || status == -1 || cache == -1 ||
      zero == -1 || flush == -1 || multi_conn == -1)
    return libnbd_error (error);
  *export = (struct nbd_export) {
    .size = size, .is_read_only = read_only, .has_status = status,
    .has_cache = cache, .has_zero = zero, .has_flush = flush,
    .has_multi_conn = multi_conn,
  };
  return get_block_sizes (nbd, export, error);
}

struct nbd_connection *
nbd_connection_open (const struct nbd_config *config, unsigned *limit,
                     struct nbd_export *export, struct vdisk_error *error)
{
  struct nbd_connection *connection = calloc (1, sizeof *connection);

  if (connection == NULL) {
    error_record (error, ENOMEM, "out of memory");
    return NULL;
  }
  connection->config = config;
  connection->nbd = nbd_create ();
  if (connection->nbd == NULL) {
    libnbd_error (error);
    goto fail;
  }
  if (configure (connection->nbd, config, error) == -1 ||
      connect_within (connection, limit, error) == -1 ||
      get_export (connection->nbd, export, error) == -1)
    goto fail;
  keep_alive (connection->nbd);
  return connection;

 fail:
  connection->is_given_up = true;
  nbd_connection_close (connection);
  return NULL;
}

void
nbd_connection_close (struct nbd_connection *connection)
{
  if (connection == NULL)
    return;
  if (!connection->is_given_up && nbd_aio_is_ready (connection->nbd))
    nbd_aio_disconnect (connection->nbd, 0);
  nbd_close (connection->nbd);
  free (connection);
}

bool
nbd_connection_is_alive (struct nbd_connection *connection)
{
  struct nbd_handle *nbd = connection->nbd;

  /* It has nothing to say, unless that it has hung up. */
  return !connection->is_given_up && nbd_aio_is_ready (nbd) &&
    nbd_poll (nbd, 0) != -1 && nbd_aio_is_ready (nbd);
}

static int
take_extents (void *opaque, const char *context, uint64_t offset,
              uint32_t *entries, size_t count, int *error)
{
  const struct nbd_request *request = opaque;

  (void) error;
  if (strcmp (context, LIBNBD_CONTEXT_BASE_ALLOCATION) == 0)
    request->extents (request->opaque, offset, entries, count);
  return 0;
}

/* Its cookie, or -1. */
static int64_t
send_request (struct nbd_handle *nbd, const struct nbd_request *request)
{
  const nbd_completion_callback none = NBD_NULL_COMPLETION;
  const nbd_extent_callback extents = {
    .callback = take_extents, .user_data = (void *) request,
  };
  const uint64_t count = request->count, offset = request->offset;

  switch (request->command) {
  case NBD_COMMAND_READ:
    return nbd_aio_pread (nbd, request->to, count, offset, none, 0);
  case NBD_COMMAND_WRITE:
    return nbd_aio_pwrite (nbd, request->from, count, offset, none, 0);
  case NBD_COMMAND_ZERO:
    return nbd_aio_zero (nbd, count, offset, none, 0);
  case NBD_COMMAND_FLUSH:
    return nbd_aio_flush (nbd, none, 0);
  case NBD_COMMAND_STATUS:
    return nbd_aio_block_status (nbd, count, offset, extents, none, 0);
  case NBD_COMMAND_CACHE:
    return nbd_aio_cache (nbd, count, offset, none, 0);
  }
  return -1;
}

/* Wait for the next piece of an answer: as long as the server may say
 * nothing, but not beyond the deadline of the whole. */
static int
wait_for_more (struct nbd_connection *connection, unsigned silence,
               int64_t deadline, struct vdisk_error *error)
{
  const int64_t patience = nbd_now () + silence;

  if (patience < deadline)
    return wait_for_server (connection, patience, silence, error);
  return wait_for_server (connection, deadline,
                          connection->config->limits.request, error);
}

int
nbd_connection_request (struct nbd_connection *connection,
                        const struct nbd_request *request, int64_t deadline,
                        struct vdisk_error *error)
{
  const struct nbd_limits *limits = &connection->config->limits;
  const unsigned silence = request->command == NBD_COMMAND_FLUSH
    ? limits->flush : limits->silence;
  const int64_t cookie = send_request (connection->nbd, request);
  int done;

  if (cookie == -1)
    return libnbd_error (error);
  while ((done = nbd_aio_command_completed (connection->nbd, cookie)) == 0)
    if (wait_for_more (connection, silence, deadline, error) == -1) {
      connection->is_given_up = true;
      return -1;
    }
  return done == -1 ? libnbd_error (error) : 0;
}
