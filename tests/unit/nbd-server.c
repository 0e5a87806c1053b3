/* SPDX-License-Identifier: BSD-3-Clause */
/* The server: a thread that accepts, and one for each client. */

#include "nbd-server.h"

#include <check.h>
#include <endian.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "scratch.h"

struct request {
  uint32_t magic;
  uint16_t flags, type;
  uint64_t cookie, offset;
  uint32_t count;
} __attribute__ ((packed));

static const char zeros[SERVER_DISK_SIZE];

static void
greet (int fd, unsigned flags)
{
  const uint64_t magic[] = {
    htobe64 (0x4e42444d41474943), htobe64 (0x00420281861253),
    htobe64 (SERVER_DISK_SIZE),
  };
  const uint32_t both = htobe32 (flags);

  send (fd, magic, sizeof magic, MSG_NOSIGNAL);
  send (fd, &both, sizeof both, MSG_NOSIGNAL);
  send (fd, zeros, 124, MSG_NOSIGNAL);
}

static void
answer (int fd, const struct request *request)
{
  const struct { uint32_t magic, error; uint64_t cookie; } reply = {
    htobe32 (0x67446698), 0, request->cookie,
  };

  send (fd, &reply, sizeof reply, MSG_NOSIGNAL);
  if (be16toh (request->type) == 0)
    send (fd, zeros, be32toh (request->count), MSG_NOSIGNAL);
}

/* Send an answer byte by byte, until the client has gone. */
static void
dribble (int fd, const struct request *request)
{
  const struct { uint32_t magic, error; uint64_t cookie; } reply = {
    htobe32 (0x67446698), 0, request->cookie,
  };

  send (fd, &reply, sizeof reply, MSG_NOSIGNAL);
  while (send (fd, "", 1, MSG_NOSIGNAL) == 1)
    usleep (20000);
}

struct client {
  int fd;
  enum role role;
  unsigned flags;
};

static void *
serve_client (void *opaque)
{
  const struct client client = *(struct client *) opaque;
  struct request request;

  free (opaque);
  if (client.role != UNGREETED)
    greet (client.fd, client.flags);
  while (recv (client.fd, &request, sizeof request, MSG_WAITALL) ==
         sizeof request && client.role != HANGS_UP)
    if (client.role == HONEST)
      answer (client.fd, &request);
    else if (client.role == DRIBBLES)
      dribble (client.fd, &request);
  close (client.fd);
  return NULL;
}

static void *
serve (void *opaque)
{
  struct server *server = opaque;
  const enum role *role = server->roles;
  pthread_t thread;
  int fd;

  while ((fd = accept (server->listening, NULL, NULL)) != -1) {
    struct client *client = malloc (sizeof *client);

    *client = (struct client) { fd, *role, server->flags };
    server->connections++;
    role += *role != HONEST;
    if (pthread_create (&thread, NULL, serve_client, client) == 0)
      pthread_detach (thread);
  }
  return NULL;
}

const char *
server_start (struct server *server)
{
  static char uri[256];
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  const char *path = scratch_path ("socket");

  unlink (path);
  ck_assert_uint_lt (strlen (path), sizeof address.sun_path);
  strcpy (address.sun_path, path);
  snprintf (uri, sizeof uri, "nbd+unix:///?socket=%s", path);
  server->listening = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_eq (bind (server->listening, (struct sockaddr *) &address,
                          sizeof address), 0);
  ck_assert_int_eq (listen (server->listening, 8), 0);
  if (server->roles)
    ck_assert_int_eq (pthread_create (&server->thread, NULL, serve, server),
                      0);
  return uri;
}

void
server_stop (struct server *server)
{
  shutdown (server->listening, SHUT_RDWR);
  if (server->roles)
    pthread_join (server->thread, NULL);
  close (server->listening);
}
