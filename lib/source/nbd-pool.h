/* SPDX-License-Identifier: BSD-3-Clause */
/* A few connections to one NBD server, for many threads.  Those that die
 * are replaced.
 */

#ifndef VDISK_NBD_POOL_H
#define VDISK_NBD_POOL_H

#include "source/nbd-connection.h"
#include "vdisk.h"

struct pool;

/* Connect, once or, if the server takes that, several times, and set
 * *export.  NULL on error. */
struct pool *pool_open (const char *uri, struct export *export,
                        struct vdisk_error *error);

/* Accepts NULL.  All connections must have been given back. */
void pool_close (struct pool *pool);

/* A connection that is alive, for this thread alone until it gives it
 * back; waits until there is one.  NULL on error: the server has gone, or
 * serves something else than it did. */
struct nbd_handle *pool_take (struct pool *pool, struct vdisk_error *error);

/* How many connections have been made again so far; 0 if that is the same
 * as at the last call. */
unsigned pool_new_reconnects (struct pool *pool);

/* Give back what pool_take returned, dead or alive. */
void pool_give (struct pool *pool, struct nbd_handle *nbd);

#endif /* VDISK_NBD_POOL_H */
