/* SPDX-License-Identifier: BSD-3-Clause */
/* In place of nbd-connection.c where there is no libnbd (WITHOUT_NBD=1):
 * nobody gets a connection.
 */

#include "util/nbd-connection.h"

#include <errno.h>

#include "util/error.h"

const bool nbd_is_built_in = false;

struct nbd_connection *
nbd_connection_open (const struct nbd_config *config, unsigned *limit,
                     struct nbd_export *export, struct vdisk_error *error)
{
  (void) config;
  (void) limit;
  (void) export;
  error_record (error, ENOTSUP, "NBD servers cannot be used: built without "
                "libnbd");
  return NULL;
}

void
nbd_connection_close (struct nbd_connection *connection)
{
  (void) connection;
}

bool
nbd_connection_is_alive (struct nbd_connection *connection)
{
  (void) connection;
  return false;
}

int
nbd_connection_request (struct nbd_connection *connection,
                        const struct nbd_request *request, int64_t deadline,
                        struct vdisk_error *error)
{
  (void) connection;
  (void) request;
  (void) deadline;
  return error_set (error, ENOTSUP, "built without libnbd");
}
