/* SPDX-License-Identifier: BSD-3-Clause */
/* A writable NBD server.
 *
 * A connection that is lost is an error: a server that was started again
 * may have forgotten what it was sent before.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "export/interrupt.h"
#include "export/sink.h"
#include "util/align.h"
#include "util/cleanup.h"
#include "util/minmax.h"
#include "util/nbd-pool.h"

/* Requests are at most so long: data, of which a server may take less, and
 * zeros, which take a server long if it has to write them. */
#define WRITE_MAX (UINT64_C (1) << 20)
#define ZERO_MAX (UINT64_C (128) << 20)

struct nbd {
  struct sink sink;
  struct nbd_export export;
  struct nbd_pool *pool;
};

/* Ask the server, unless there was an interrupt. */
static int
request (const struct nbd *nbd, const char *doing,
         const struct nbd_request *what, struct vdisk_error *error)
{
  struct vdisk_error why = { 0 };

  if (nbd_pool_request (nbd->pool, what, &why) == 0)
    return 0;
  if (interrupt_check (error) == -1)
    return -1;
  return error_set (error, why.errnum, "%s: %s: %s", nbd->sink.name, doing,
                    why.message);
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
  if (size > nbd->export.size)
    return error_set (error, ENOSPC, "%s: the server's disk has %" PRIu64
                      " bytes, %" PRIu64 " are needed", sink->name,
                      nbd->export.size, size);
  return 0;
}

/* Write, or zero where 'from' is NULL, whole blocks. */
static int
write_blocks (const struct nbd *nbd, const char *from, uint64_t count,
              uint64_t offset, struct vdisk_error *error)
{
  const struct nbd_request write = {
    .command = from ? NBD_COMMAND_WRITE : NBD_COMMAND_ZERO,
    .offset = offset, .count = count, .from = from,
  };

  return request (nbd, from ? "writing" : "zeroing", &write, error);
}

/* Write a part of one of the server's blocks, 'from' or zeros.  Nobody
 * else writes to that block at the same time: exporters divide the disk
 * among threads in larger pieces.  The last block of a disk may be
 * shorter. */
static int
write_part (const struct nbd *nbd, const char *from, size_t count,
            uint64_t offset, struct vdisk_error *error)
{
  const uint64_t start = round_down (offset, nbd->export.minimum);
  const size_t length = min_u64 (nbd->export.minimum,
                                 nbd->export.size - start);
  CLEANUP_FREE char *block = malloc (length);
  const struct nbd_request read = {
    .command = NBD_COMMAND_READ, .offset = start, .count = length,
    .to = block,
  };

  if (block == NULL)
    return error_no_memory (error, nbd->sink.name);
  if (request (nbd, "reading a block of which a part is written", &read,
               error) == -1)
    return -1;
  if (from)
    memcpy (block + (offset - start), from, count);
  else
    memset (block + (offset - start), 0, count);
  return write_blocks (nbd, block, length, start, error);
}

/* How much of a range can be written at once: whole blocks, up to 'most',
 * or the part of a block that the range starts or ends in. */
static uint64_t
next_request (uint32_t block_size, uint64_t count, uint64_t offset,
              uint64_t most)
{
  const uint64_t into = offset & (block_size - 1);

  if (into != 0 || count < block_size)
    return min_u64 (count, block_size - into);
  return round_down (min_u64 (count, most), block_size);
}

/* Write a range, or make it zeros where 'from' is NULL. */
static int
write_range (const struct nbd *nbd, const char *from, uint64_t count,
             uint64_t offset, uint64_t most, struct vdisk_error *error)
{
  const uint32_t block_size = nbd->export.minimum;
  uint64_t n;
  int r = 0;

  for (; count > 0 && r == 0; count -= n, offset += n) {
    n = next_request (block_size, count, offset, most);
    r = is_aligned (n | offset, block_size)
      ? write_blocks (nbd, from, n, offset, error)
      : write_part (nbd, from, n, offset, error);
    if (from)
      from += n;
  }
  return r;
}

static int
nbd_write (struct sink *sink, const void *buffer, size_t count,
           uint64_t offset, struct vdisk_error *error)
{
  const struct nbd *nbd = (const struct nbd *) sink;

  return write_range (nbd, buffer, count, offset,
                      min_u64 (nbd->export.maximum, WRITE_MAX), error);
}

static int
zero_by_command (struct sink *sink, uint64_t count, uint64_t offset,
                 struct vdisk_error *error)
{
  return write_range ((const struct nbd *) sink, NULL, count, offset,
                      ZERO_MAX, error);
}

static int
nbd_finish (struct sink *sink, struct vdisk_error *error)
{
  const struct nbd *nbd = (const struct nbd *) sink;
  const struct nbd_request flush = { .command = NBD_COMMAND_FLUSH };

  /* One is enough: several connections are used only where they see the
   * same. */
  return nbd->export.has_flush ? request (nbd, "flushing", &flush, error)
    : 0;
}

static void
nbd_sink_close (struct sink *sink)
{
  struct nbd *nbd = (struct nbd *) sink;

  nbd_pool_close (nbd->pool);
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
connect_pool (struct nbd *nbd, struct vdisk_error *error)
{
  const struct nbd_config config = {
    .uri = nbd->sink.name, .cancel_fd = interrupt_descriptor (),
    .limits = NBD_LIMITS_DEFAULT,
  };
  struct vdisk_error why = { 0 };

  nbd->pool = nbd_pool_open (&config, &nbd->export, &why);
  if (interrupt_check (error) == -1)
    return -1;
  if (nbd->pool == NULL)
    return error_set (error, why.errnum, "%s: %s", nbd->sink.name,
                      why.message);
  if (nbd->export.is_read_only)
    return error_set (error, EROFS, "%s: the server's disk is read-only",
                      nbd->sink.name);
  return 0;
}

struct sink *
sink_nbd_open (const char *uri, struct vdisk_error *error)
{
  struct nbd *nbd = calloc (1, sizeof *nbd);

  if (nbd == NULL) {
    error_no_memory (error, uri);
    return NULL;
  }
  nbd->sink.ops = &nbd_ops;
  nbd->sink.name = strdup (uri);
  if (nbd->sink.name == NULL) {
    error_no_memory (error, uri);
    goto fail;
  }
  if (connect_pool (nbd, error) == -1)
    goto fail;
  nbd->sink.size = nbd->export.size;
  nbd->sink.block_size = nbd->export.minimum;
  if (nbd->export.has_zero)
    nbd->sink.ops = &zeroing_ops;
  return &nbd->sink;

 fail:
  nbd_sink_close (&nbd->sink);
  return NULL;
}
