/* SPDX-License-Identifier: BSD-3-Clause */
/* A few connections to one NBD server, for many threads.  Those that die
 * are replaced, where that is wanted.
 */

#ifndef VDISK_NBD_POOL_H
#define VDISK_NBD_POOL_H

#include "util/nbd-connection.h"
#include "vdisk.h"

struct nbd_pool;

/* Connect, once or, if the server takes that, several times, and set
 * *export.  'config' is copied.  NULL on error. */
struct nbd_pool *nbd_pool_open (const struct nbd_config *config,
                                struct nbd_export *export,
                                struct vdisk_error *error);

/* Accepts NULL.  No request may be under way. */
void nbd_pool_close (struct nbd_pool *pool);

/* Ask over a connection that nobody uses; waits until there is one, or until
 * the time for a request is over (ETIMEDOUT).  Where
 * the pool reconnects, a connection that has died is replaced first (which
 * is an error if the server has gone, or serves something else than it
 * did), and so are those to a server that is about to end.  Elsewhere that
 * is an error: what such a server was told to keep may be lost. */
int nbd_pool_request (struct nbd_pool *pool,
                      const struct nbd_request *request,
                      struct vdisk_error *error);

/* How many connections have been made again so far; 0 if that is the same
 * as at the last call. */
unsigned nbd_pool_new_reconnects (struct nbd_pool *pool);

#endif /* VDISK_NBD_POOL_H */
