/* SPDX-License-Identifier: BSD-3-Clause */
/* Connecting to an NBD server, and what it says when that is done.
 *
 * libnbd's calls that wait have no time limit.  While connecting there is
 * one here, for a server that lets nobody in need not say so.  After that
 * a slow answer is no error; that a host has vanished is found out by TCP.
 */

#include "source/nbd-connection.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>

#include <libnbd.h>

#include "error.h"
#include "util/align.h"
#include "util/minmax.h"

/* The protocol's bounds of the minimum block size, and what every server
 * takes that does not say otherwise. */
#define MINIMUM_MAX (64 << 10)
#define MAXIMUM_DEFAULT (32 << 20)

const char *
connection_error_text (void)
{
  const char *text = nbd_get_error ();

  return text ? text : "libnbd does not say why";
}

/* Record what libnbd says. */
static int
libnbd_error (struct vdisk_error *error)
{
  return error_set (error, nbd_get_errno (), "%s", connection_error_text ());
}

static int
configure (struct nbd_handle *nbd, struct vdisk_error *error)
{
  /* The user has written the URI: it may name files, as of keys.  The last
   * request may be no multiple of the minimum, if the disk is none. */
  const uint32_t strict =
    nbd_get_strict_mode (nbd) & ~(uint32_t) LIBNBD_STRICT_ALIGN;

  if (nbd_set_uri_allow_local_file (nbd, true) == -1 ||
      nbd_set_strict_mode (nbd, strict) == -1 ||
      nbd_add_meta_context (nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) == -1)
    return libnbd_error (error);
  return 0;
}

static int64_t
milliseconds (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C (1000) + now.tv_nsec / 1000000;
}

static int
connect_within (struct nbd_handle *nbd, const char *uri, unsigned *limit,
                struct vdisk_error *error)
{
  const int64_t start = milliseconds ();
  int64_t left;

  if (nbd_aio_connect_uri (nbd, uri) == -1)
    return libnbd_error (error);
  while (nbd_aio_is_connecting (nbd)) {
    left = start + *limit - milliseconds ();
    if (left <= 0)
      return error_set (error, ETIMEDOUT, "the server has not answered in "
                        "%u seconds", *limit / 1000);
    if (nbd_poll (nbd, left) == -1)
      return libnbd_error (error);
  }
  if (!nbd_aio_is_ready (nbd))
    return error_set (error, ECONNRESET, "the server has hung up");
  *limit = milliseconds () - start;
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
get_block_sizes (struct nbd_handle *nbd, struct export *export,
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
get_export (struct nbd_handle *nbd, struct export *export,
            struct vdisk_error *error)
{
  const int64_t size = nbd_get_size (nbd);
  const int status =
    nbd_can_meta_context (nbd, LIBNBD_CONTEXT_BASE_ALLOCATION);
  const int cache = nbd_can_cache (nbd);
  const int multi_conn = nbd_can_multi_conn (nbd);

  if (size == -1 || status == -1 || cache == -1 || multi_conn == -1)
    return libnbd_error (error);
  *export = (struct export) {
    .size = size, .has_status = status, .has_cache = cache,
    .has_multi_conn = multi_conn,
  };
  return get_block_sizes (nbd, export, error);
}

struct nbd_handle *
connection_open (const char *uri, unsigned *limit, struct export *export,
                 struct vdisk_error *error)
{
  struct nbd_handle *nbd = nbd_create ();

  if (nbd == NULL) {
    libnbd_error (error);
    return NULL;
  }
  if (configure (nbd, error) == -1 ||
      connect_within (nbd, uri, limit, error) == -1 ||
      get_export (nbd, export, error) == -1) {
    nbd_close (nbd);
    return NULL;
  }
  keep_alive (nbd);
  return nbd;
}

void
connection_close (struct nbd_handle *nbd)
{
  if (nbd && nbd_aio_is_ready (nbd))
    nbd_aio_disconnect (nbd, 0);
  nbd_close (nbd);
}

bool
connection_is_alive (struct nbd_handle *nbd)
{
  /* It has nothing to say, unless that it has hung up. */
  return nbd_aio_is_ready (nbd) && nbd_poll (nbd, 0) != -1 &&
    nbd_aio_is_ready (nbd);
}
