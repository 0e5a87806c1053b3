/* SPDX-License-Identifier: BSD-3-Clause */
/* nbd-start OFFSET SERVER [ARG...]: time a server from before it is
 * started until it is connected, until a block of its disk has been read,
 * and until it has answered a block status.  The server gets its socket by
 * socket activation, so that nobody polls for it.
 */

#include <inttypes.h>
#include <sys/resource.h>

#include "bench.h"
#include "disk-map.h"

#define READ_SIZE 4096

static int
ignore_extents (void *opaque, const char *context, uint64_t offset,
                uint32_t *entries, size_t count, int *error)
{
  (void) opaque;
  (void) context;
  (void) offset;
  (void) entries;
  (void) count;
  (void) error;
  return 0;
}

int
main (int argc, char *argv[])
{
  nbd_extent_callback ignore = { .callback = ignore_extents };
  struct nbd_handle *nbd = new_handle ();
  char block[READ_SIZE];
  struct rusage usage;
  double began = now (), connected, read_byte, answered;
  uint64_t offset;

  if (argc < 3)
    give_up ("usage", "nbd-start OFFSET SERVER [ARG...]");
  offset = strtoull (argv[1], NULL, 10);
  if (nbd_connect_systemd_socket_activation (nbd, &argv[2]) == -1)
    give_up (argv[2], nbd_get_error ());
  connected = now ();
  if (nbd_pread (nbd, block, sizeof block, offset, 0) == -1)
    give_up ("read", nbd_get_error ());
  read_byte = now ();
  if (nbd_can_meta_context (nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) == 1 &&
      nbd_block_status (nbd, READ_SIZE, offset, ignore, 0) == -1)
    give_up ("block status", nbd_get_error ());
  answered = now ();
  nbd_close (nbd);              /* waits for the server */
  getrusage (RUSAGE_CHILDREN, &usage);
  printf ("connected %.6f\nwall %.6f\nstatus %.6f\nrss %ld\n",
          connected - began, read_byte - began, answered - began,
          usage.ru_maxrss);
  printf ("cpu %.6f\n",
          usage.ru_utime.tv_sec + usage.ru_utime.tv_usec / 1e6 +
          usage.ru_stime.tv_sec + usage.ru_stime.tv_usec / 1e6);
  return 0;
}
