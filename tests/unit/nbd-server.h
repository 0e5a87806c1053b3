/* SPDX-License-Identifier: BSD-3-Clause */
/* An NBD server in a thread, with a disk of zeros, that plays another role in
 * each connection.  It greets in the old style, which is 152 bytes.
 */

#ifndef UNIT_NBD_SERVER_H
#define UNIT_NBD_SERVER_H

#include <pthread.h>

#define SERVER_DISK_SIZE 65536

/* What a connection does, once it is there. */
enum role {
  HONEST,
  UNGREETED,                    /* not even that */
  SILENT,                       /* says nothing to a request */
  HANGS_UP,                     /* after the first request */
  DRIBBLES,                     /* answers without end, and slowly */
};

struct server {
  int listening;
  const enum role *roles;       /* the last is HONEST, also for the rest */
  unsigned flags;
  _Atomic unsigned connections; /* so many there were */
  pthread_t thread;             /* accepts them, if there are roles */
};

/* Flags of the protocol: flushes; several connections too. */
#define FLUSHES (1 | 4)
#define MULTI_CONN (FLUSHES | 256)

/* Serve below the scratch directory; without roles nobody is let in.  Returns
 * the URI, which is static. */
const char *server_start (struct server *server);

/* Let nobody in any more.  Connections that are there stay until the client
 * hangs up. */
void server_stop (struct server *server);

#endif /* UNIT_NBD_SERVER_H */
