/* SPDX-License-Identifier: BSD-3-Clause */
/* A writable NBD server. */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <libnbd.h>

#include "error.h"
#include "export/sink.h"
#include "util/align.h"
#include "util/cleanup.h"
#include "util/minmax.h"

/* With a server that says it may be written so. */
#define CONNECTIONS_MAX 4

/* Requests are at most so long: data, of which a server may take less, and
 * zeros, which take a server long if it has to write them. */
#define WRITE_MAX (UINT64_C (1) << 20)
#define ZERO_MAX (UINT64_C (128) << 20)

/* The protocol's own limit of a server's smallest request. */
#define BLOCK_SIZE_MAX (64 << 10)

struct nbd {
  struct sink sink;
  uint64_t size;
  uint32_t block_size;          /* what the server takes is aligned to it */
  uint64_t write_max;           /* and writes at most so much */
  unsigned connections;
  pthread_mutex_t lock;         /* of what follows */
  pthread_cond_t is_free;
  struct nbd_handle *idle[CONNECTIONS_MAX];     /* nobody uses these */
  unsigned idle_count;
};

static int
nbd_error (const struct sink *sink, const char *doing,
           struct vdisk_error *error)
{
  const int errnum = nbd_get_errno ();

  return error_set (error, errnum ? errnum : EIO, "%s: %s: %s", sink->name,
                    doing, nbd_get_error ());
}

static struct nbd_handle *
take (struct nbd *nbd)
{
  struct nbd_handle *handle;

  pthread_mutex_lock (&nbd->lock);
  while (nbd->idle_count == 0)
    pthread_cond_wait (&nbd->is_free, &nbd->lock);
  handle = nbd->idle[--nbd->idle_count];
  pthread_mutex_unlock (&nbd->lock);
  return handle;
}

static void
give_back (struct nbd *nbd, struct nbd_handle *handle)
{
  pthread_mutex_lock (&nbd->lock);
  nbd->idle[nbd->idle_count++] = handle;
  pthread_cond_signal (&nbd->is_free);
  pthread_mutex_unlock (&nbd->lock);
}

/* The server's disk may be larger: what is past ours stays as it is. */
static int
nbd_begin (struct sink *sink, uint64_t size, bool preallocate,
           struct vdisk_error *error)
{
  const struct nbd *nbd = (const struct nbd *) sink;

  if (preallocate)
    return error_set (error, EINVAL, "%s: --prealloc needs a regular file",
                      sink->name);
  if (size > nbd->size)
    return error_set (error, ENOSPC, "%s: the server's disk has %" PRIu64
                      " bytes, %" PRIu64 " are needed", sink->name,
                      nbd->size, size);
  return 0;
}

/* Write a part of one of the server's blocks, 'from' or zeros.  Nobody
 * else writes to that block at the same time: exporters divide the disk
 * among threads in larger pieces. */
static int
write_part (struct nbd *nbd, struct nbd_handle *handle, const char *from,
            size_t count, uint64_t offset, struct vdisk_error *error)
{
  const uint64_t start = round_down (offset, nbd->block_size);
  CLEANUP_FREE char *block = malloc (nbd->block_size);

  if (block == NULL)
    return error_no_memory (error, nbd->sink.name);
  if (nbd_pread (handle, block, nbd->block_size, start, 0) == -1)
    return nbd_error (&nbd->sink, "reading a block of which a part is "
                      "written", error);
  if (from)
    memcpy (block + (offset - start), from, count);
  else
    memset (block + (offset - start), 0, count);
  if (nbd_pwrite (handle, block, nbd->block_size, start, 0) == -1)
    return nbd_error (&nbd->sink, "writing", error);
  return 0;
}

/* Write, or zero where 'from' is NULL, whole blocks. */
static int
write_blocks (struct nbd *nbd, struct nbd_handle *handle, const char *from,
              uint64_t count, uint64_t offset, struct vdisk_error *error)
{
  if (from ? nbd_pwrite (handle, from, count, offset, 0) == -1
      : nbd_zero (handle, count, offset, 0) == -1)
    return nbd_error (&nbd->sink, from ? "writing" : "zeroing", error);
  return 0;
}

/* How much of a range can be written at once: whole blocks, up to 'most',
 * or the part of a block that the range starts or ends in. */
static uint64_t
next_request (const struct nbd *nbd, uint64_t count, uint64_t offset,
              uint64_t most)
{
  const uint64_t into = offset & (nbd->block_size - 1);

  if (into != 0 || count < nbd->block_size)
    return min_u64 (count, nbd->block_size - into);
  return round_down (min_u64 (count, most), nbd->block_size);
}

/* Write a range, or make it zeros where 'from' is NULL. */
static int
write_range (struct nbd *nbd, const char *from, uint64_t count,
             uint64_t offset, uint64_t most, struct vdisk_error *error)
{
  struct nbd_handle *handle = take (nbd);
  uint64_t n;
  int r = 0;

  for (; count > 0 && r == 0; count -= n, offset += n) {
    n = next_request (nbd, count, offset, most);
    r = is_aligned (n | offset, nbd->block_size)
      ? write_blocks (nbd, handle, from, n, offset, error)
      : write_part (nbd, handle, from, n, offset, error);
    if (from)
      from += n;
  }
  give_back (nbd, handle);
  return r;
}

static int
nbd_write (struct sink *sink, const void *buffer, size_t count,
           uint64_t offset, struct vdisk_error *error)
{
  struct nbd *nbd = (struct nbd *) sink;

  return write_range (nbd, buffer, count, offset, nbd->write_max, error);
}

static int
zero_by_command (struct sink *sink, uint64_t count, uint64_t offset,
                 struct vdisk_error *error)
{
  return write_range ((struct nbd *) sink, NULL, count, offset, ZERO_MAX,
                      error);
}

static int
nbd_finish (struct sink *sink, struct vdisk_error *error)
{
  struct nbd *nbd = (struct nbd *) sink;
  struct nbd_handle *handle = nbd->idle[0];

  /* One is enough: several are used only where they see the same. */
  if (nbd_can_flush (handle) == 1 && nbd_flush (handle, 0) == -1)
    return nbd_error (sink, "flushing", error);
  return 0;
}

static void
nbd_sink_close (struct sink *sink)
{
  struct nbd *nbd = (struct nbd *) sink;
  unsigned i;

  for (i = 0; i < nbd->idle_count; ++i) {
    nbd_shutdown (nbd->idle[i], 0);
    nbd_close (nbd->idle[i]);
  }
  pthread_mutex_destroy (&nbd->lock);
  pthread_cond_destroy (&nbd->is_free);
  free (sink->name);
  free (nbd);
}

static const struct sink_ops nbd_ops = {
  .begin = nbd_begin,
  .write = nbd_write,
  .finish = nbd_finish,
  .close = nbd_sink_close,
};

static const struct sink_ops zeroing_ops = {
  .begin = nbd_begin,
  .write = nbd_write,
  .zero = zero_by_command,
  .finish = nbd_finish,
  .close = nbd_sink_close,
};

static int
open_connection (struct nbd *nbd, struct vdisk_error *error)
{
  struct nbd_handle *handle = nbd_create ();

  if (handle == NULL)
    return nbd_error (&nbd->sink, "connecting", error);
  if (nbd_connect_uri (handle, nbd->sink.name) == -1) {
    nbd_error (&nbd->sink, "connecting", error);
    nbd_close (handle);
    return -1;
  }
  nbd->idle[nbd->idle_count++] = handle;
  return 0;
}

/* Find out what sizes of requests the server takes. */
static int
examine_block_sizes (struct nbd *nbd, struct vdisk_error *error)
{
  struct nbd_handle *handle = nbd->idle[0];
  const int64_t least = nbd_get_block_size (handle, LIBNBD_SIZE_MINIMUM);
  const int64_t most = nbd_get_block_size (handle, LIBNBD_SIZE_MAXIMUM);

  nbd->block_size = least > 1 ? least : 1;
  nbd->write_max = most > 0 ? min_u64 (most, WRITE_MAX) : WRITE_MAX;
  if (!is_power_of_2 (nbd->block_size) || nbd->block_size > BLOCK_SIZE_MAX ||
      nbd->write_max < nbd->block_size)
    return error_set (error, ENOTSUP, "%s: the server takes requests of %"
                      PRIi64 " to %" PRIi64 " bytes: the first must be a "
                      "power of two up to %d, the second no less",
                      nbd->sink.name, least, most, BLOCK_SIZE_MAX);
  return 0;
}

static int
examine (struct nbd *nbd, struct vdisk_error *error)
{
  struct nbd_handle *handle = nbd->idle[0];
  const int64_t size = nbd_get_size (handle);

  if (size == -1)
    return nbd_error (&nbd->sink, "finding its size", error);
  nbd->size = size;
  if (nbd_is_read_only (handle) != 0)
    return error_set (error, EROFS, "%s: the server's disk is read-only",
                      nbd->sink.name);
  nbd->sink.ops = nbd_can_zero (handle) == 1 ? &zeroing_ops : &nbd_ops;
  nbd->connections = nbd_can_multi_conn (handle) == 1 ? CONNECTIONS_MAX : 1;
  return examine_block_sizes (nbd, error);
}

struct sink *
sink_nbd_open (const char *uri, struct vdisk_error *error)
{
  struct nbd *nbd = calloc (1, sizeof *nbd);

  if (nbd == NULL) {
    error_no_memory (error, uri);
    return NULL;
  }
  pthread_mutex_init (&nbd->lock, NULL);
  pthread_cond_init (&nbd->is_free, NULL);
  nbd->sink.ops = &nbd_ops;
  nbd->sink.name = strdup (uri);
  if (nbd->sink.name == NULL) {
    error_no_memory (error, uri);
    goto fail;
  }
  if (open_connection (nbd, error) == -1 || examine (nbd, error) == -1)
    goto fail;
  while (nbd->idle_count < nbd->connections)
    if (open_connection (nbd, error) == -1)
      goto fail;
  return &nbd->sink;

 fail:
  nbd_sink_close (&nbd->sink);
  return NULL;
}
