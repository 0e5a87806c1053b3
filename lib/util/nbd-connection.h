/* SPDX-License-Identifier: BSD-3-Clause */
/* One connection to an NBD server, through libnbd.  Errors do not name the
 * server: whoever asked for something says what that was.
 */

#ifndef VDISK_NBD_CONNECTION_H
#define VDISK_NBD_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vdisk.h"

struct nbd_connection;

/* Is this built with libnbd?  Without it connecting is an error. */
extern const bool nbd_is_built_in;

/* What a server says of the disk that it serves. */
struct nbd_export {
  uint64_t size;
  uint32_t minimum;             /* requests are multiples of this: a power
                                   of two */
  uint32_t maximum;             /* bytes read or written by one request at
                                   most: a multiple of the minimum */
  bool is_read_only;
  bool has_status;              /* of base:allocation, if it was asked for */
  bool has_cache;               /* takes requests to read ahead */
  bool has_zero;
  bool has_flush;
  bool has_multi_conn;          /* takes several connections */
};

/* How long a server is waited for, in milliseconds. */
struct nbd_limits {
  unsigned connect;             /* until it has let us in */
  unsigned silence;             /* during a request */
  unsigned flush;               /* the same, of flushing */
  unsigned request;             /* for a request with all that it takes: a
                                   connection that is free, or made again,
                                   and the whole answer.  0: no limit */
};

/* A busy disk may take minutes to recover from an error; a flush writes
 * all that the server's memory holds. */
#define NBD_LIMITS_DEFAULT \
  { .connect = 30 * 1000, .silence = 300 * 1000, .flush = 3600 * 1000 }

struct nbd_config {
  const char *uri;
  bool wants_status;            /* and asks the server for base:allocation */
  bool reconnects;              /* of a pool: when a connection is lost */
  int cancel_fd;                /* once this can be read, requests fail with
                                   EINTR; -1: there is none */
  struct nbd_limits limits;
};

/* A server's answer of which parts are holes or zeros: pairs of a length
 * and flags, from 'offset' on. */
typedef void nbd_extents_function (void *opaque, uint64_t offset,
                                   const uint32_t *entries, size_t count);

/* A request, at an offset and of a size that the server takes. */
struct nbd_request {
  enum nbd_command {
    NBD_COMMAND_READ,
    NBD_COMMAND_WRITE,
    NBD_COMMAND_ZERO,
    NBD_COMMAND_FLUSH,
    NBD_COMMAND_STATUS,
    NBD_COMMAND_CACHE,
  } command;
  uint64_t offset, count;
  void *to;                     /* read */
  const void *from;             /* write */
  nbd_extents_function *extents;        /* status */
  void *opaque;
};

/* Connect within *limit milliseconds, and set *export, and *limit to how
 * long it took.  'config' stays the caller's, and must stay.  NULL on
 * error. */
struct nbd_connection *nbd_connection_open (const struct nbd_config *config,
                                            unsigned *limit,
                                            struct nbd_export *export,
                                            struct vdisk_error *error);

/* Accepts NULL, and a connection that is dead. */
void nbd_connection_close (struct nbd_connection *connection);

/* Can it be asked something?  Finds out if the server has hung up while
 * the connection was not in use. */
bool nbd_connection_is_alive (struct nbd_connection *connection);

/* Ask, and wait for the answer until the deadline (see nbd-deadline.h).  The
 * error ESHUTDOWN says that the server is about to end, and has not done
 * it. */
int nbd_connection_request (struct nbd_connection *connection,
                            const struct nbd_request *request,
                            int64_t deadline,
                            struct vdisk_error *error);

#endif /* VDISK_NBD_CONNECTION_H */
