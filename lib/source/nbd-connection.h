/* SPDX-License-Identifier: BSD-3-Clause */
/* One connection to an NBD server, through libnbd.  Errors do not name the
 * server: whoever asked for something says what that was.
 */

#ifndef VDISK_NBD_CONNECTION_H
#define VDISK_NBD_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "vdisk.h"

struct nbd_handle;

/* What a server says of the disk that it serves. */
struct export {
  uint64_t size;
  uint32_t minimum;             /* requests are multiples of this: a power
                                   of two */
  uint32_t maximum;             /* bytes read by one request at most: a
                                   multiple of the minimum */
  bool has_status;              /* of base:allocation */
  bool has_cache;               /* takes requests to read ahead */
  bool has_multi_conn;          /* takes several connections */
};

/* Connect within *limit milliseconds, and set *export, and *limit to how
 * long it took.  NULL on error. */
struct nbd_handle *connection_open (const char *uri, unsigned *limit,
                                    struct export *export,
                                    struct vdisk_error *error);

/* Accepts NULL, and a connection that is dead. */
void connection_close (struct nbd_handle *nbd);

/* Can it be asked something?  Finds out if the server has hung up while
 * the connection was not in use. */
bool connection_is_alive (struct nbd_handle *nbd);

/* What libnbd says of the last call of this thread that failed. */
const char *connection_error_text (void);

#endif /* VDISK_NBD_CONNECTION_H */
