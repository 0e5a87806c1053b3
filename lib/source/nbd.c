/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading from an NBD server, and what it says of its disk.
 *
 * Requests are of sizes and at offsets that the server takes.  Which parts
 * are holes or zeros is asked for much at a time and remembered.  A server
 * can say whatever it likes: extents are clipped to the disk, and if it
 * says nothing where it was asked, that is an error.
 */

#include "source/nbd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cancel.h"
#include "debug.h"
#include "util/error.h"
#include "source/read-ahead.h"
#include "source/extent-cache.h"
#include "util/align.h"
#include "util/cleanup.h"
#include "util/minmax.h"
#include "util/nbd-pool.h"

/* How many extents are remembered, and how many of one answer. */
#define EXTENTS_MAX (64 << 10)
#define ROW_MAX (EXTENTS_MAX / 2)

/* How much to ask the status of at a time.  At first as much as a row
 * holds of the smallest extents that file systems have; then it goes by
 * the answers.  The protocol has 32 bits for it; the most is a multiple of
 * every minimum block size. */
#define STATUS_FIRST ((uint64_t) ROW_MAX * 4096)
#define STATUS_LEAST (1 << 20)
#define STATUS_MOST ((UINT64_C (1) << 32) - (64 << 10))

struct nbd {
  struct source source;
  struct nbd_export export;
  struct nbd_pool *pool;
  struct extent_cache *cache;
  _Atomic uint64_t status_size; /* how much to ask for next: a power of
                                   two */
};

bool
source_is_nbd_uri (const char *path)
{
  static const char *const schemes[] = {
    "nbd://", "nbds://", "nbd+unix://", "nbds+unix://", "nbd+vsock://",
    "nbds+vsock://",
  };
  size_t i;

  for (i = 0; i < sizeof schemes / sizeof schemes[0]; ++i)
    if (strncmp (path, schemes[i], strlen (schemes[i])) == 0)
      return true;
  return false;
}

/* Make a request, and tell if connections had to be made again since. */
static int
make_request (const struct nbd *nbd, const struct nbd_request *request,
              struct vdisk_error *error)
{
  const int r = nbd_pool_request (nbd->pool, request, error);
  const unsigned reconnects = nbd_pool_new_reconnects (nbd->pool);

  if (reconnects > 0)
    debug_message (nbd->source.options, "%s: connected again, %u "
                   "times so far", nbd->source.name, reconnects);
  return r;
}

/* What a server that fails is told as: see disk_errnum in file.c. */
static int
server_errnum (const struct nbd *nbd, const struct vdisk_error *why)
{
  if (is_cancelled (nbd->source.options))
    return ECANCELED;
  return why->errnum == ETIMEDOUT ? ETIMEDOUT : EIO;
}

/* One request, of a size and at an offset that the server takes. */
static int
request (const struct nbd *nbd, void *buffer, size_t count, uint64_t offset,
         struct vdisk_error *error)
{
  const struct nbd_request read = {
    .command = NBD_COMMAND_READ, .offset = offset, .count = count,
    .to = buffer,
  };
  struct vdisk_error why = { 0 };

  if (make_request (nbd, &read, &why) == -1)
    return error_set (error, server_errnum (nbd, &why), "%s: reading %zu bytes at offset %" PRIu64
                      ": %s", nbd->source.name, count, offset,
                      error_raw (&why));
  return 0;
}

/* Read a piece of one of the server's blocks.  The last block of a disk
 * may be shorter; not every server lets anybody read that. */
static int
read_part_of_block (const struct nbd *nbd, void *buffer, size_t count,
                    uint64_t offset, struct vdisk_error *error)
{
  const uint64_t start = round_down (offset, nbd->export.minimum);
  const size_t length = min_u64 (nbd->export.minimum,
                                 nbd->source.size - start);
  CLEANUP_FREE uint8_t *block = malloc (length);

  if (block == NULL)
    return error_no_memory (error, nbd->source.name);
  if (request (nbd, block, length, start, error) == -1)
    return -1;
  memcpy (buffer, block + (offset - start), count);
  return 0;
}

/* Has the server said already that all of a range is zeros? */
static bool
is_known_as_zeros (const struct nbd *nbd, size_t count, uint64_t offset)
{
  const uint64_t end = offset + count;
  struct source_extent extent;

  for (; offset < end; offset = extent.end)
    if (!extent_cache_find (nbd->cache, offset, &extent) ||
        extent.kind == VDISK_DATA)
      return false;
  return true;
}

static int
nbd_source_pread (struct source *source, void *buffer, size_t count,
                  uint64_t offset, struct vdisk_error *error)
{
  const struct nbd *nbd = (const struct nbd *) source;
  const uint32_t minimum = nbd->export.minimum;
  uint8_t *to = buffer;
  size_t n;
  int r;

  if (is_known_as_zeros (nbd, count, offset)) {
    memset (buffer, 0, count);
    return 0;
  }
  for (; count > 0; to += n, offset += n, count -= n) {
    if (is_aligned (offset, minimum) && count >= minimum) {
      n = round_down (min_u64 (count, nbd->export.maximum), minimum);
      r = request (nbd, to, n, offset, error);
    }
    else {
      n = min_u64 (count, minimum - (offset & (minimum - 1)));
      r = read_part_of_block (nbd, to, n, offset, error);
    }
    if (r == -1)
      return -1;
  }
  return 0;
}

/* What a server answers when it is asked for block status. */
struct answer {
  struct source_extent *row;          /* from where it was asked */
  size_t count;
  uint64_t next;                /* where the row ends */
  uint64_t size;                /* of the disk */
  bool is_cut;                  /* there was more */
};

/* HOLE alone says that there is no space, and nothing of what is read. */
static enum vdisk_kind
kind_of (uint32_t flags)
{
  if (!(flags & VDISK_NBD_ZERO))
    return VDISK_DATA;
  return flags & VDISK_NBD_HOLE ? VDISK_HOLE : VDISK_ZERO;
}

/* Add an extent to the row.  False if there is no room or no need for
 * more. */
static bool
add_extent (struct answer *answer, uint64_t length, uint32_t flags)
{
  const enum vdisk_kind kind = kind_of (flags);
  const uint64_t start = answer->next;
  const uint64_t end = start + min_u64 (length, answer->size - start);
  const size_t n = answer->count;

  if (start == end)
    return false;
  if (n > 0 && answer->row[n - 1].kind == kind)
    answer->row[n - 1].end = end;
  else if (n < ROW_MAX)
    answer->row[answer->count++] = (struct source_extent) {
      .offset = start, .end = end, .kind = kind,
    };
  else {
    answer->is_cut = true;
    return false;
  }
  answer->next = end;
  return true;
}

static void
take_extents (void *opaque, uint64_t offset, const uint32_t *entries,
              size_t count)
{
  struct answer *answer = opaque;
  size_t i;

  if (offset != answer->next)
    return;
  for (i = 0; i + 1 < count; i += 2)
    if (!add_extent (answer, entries[i], entries[i + 1]))
      break;
}

/* Answers that fill the row are wasted in part; those of few extents make
 * for many requests. */
static void
adapt_status_size (struct nbd *nbd, uint64_t asked,
                   const struct answer *answer)
{
  if (answer->is_cut && asked > STATUS_LEAST)
    atomic_store (&nbd->status_size, asked / 2);
  else if (answer->count <= ROW_MAX / 2 && asked < STATUS_MOST)
    atomic_store (&nbd->status_size, asked * 2);
}

/* Ask the server for the status from 'offset', which is aligned, on. */
static int
ask_status (struct nbd *nbd, uint64_t offset, struct answer *answer,
            struct vdisk_error *error)
{
  const uint64_t asked = atomic_load (&nbd->status_size);
  const uint64_t count = min_u64 (min_u64 (asked, STATUS_MOST),
                                  nbd->source.size - offset);
  const struct nbd_request status = {
    .command = NBD_COMMAND_STATUS, .offset = offset, .count = count,
    .extents = take_extents, .opaque = answer,
  };
  struct vdisk_error why = { 0 };

  if (make_request (nbd, &status, &why) == -1)
    return error_set (error, server_errnum (nbd, &why), "%s: block status of %" PRIu64 " bytes at "
                      "offset %" PRIu64 ": %s", nbd->source.name, count,
                      offset, error_raw (&why));
  adapt_status_size (nbd, asked, answer);
  return 0;
}

/* Find out what is at 'offset', and remember what else the server says. */
static int
find_extent (struct nbd *nbd, uint64_t offset, struct source_extent *extent,
             struct vdisk_error *error)
{
  const uint64_t start = round_down (offset, nbd->export.minimum);
  CLEANUP_FREE struct source_extent *row = calloc (ROW_MAX, sizeof *row);
  struct answer answer = {
    .row = row, .next = start, .size = nbd->source.size,
  };
  size_t i = 0;

  if (row == NULL)
    return error_no_memory (error, nbd->source.name);
  if (ask_status (nbd, start, &answer, error) == -1)
    return -1;
  if (answer.next <= offset)
    return error_set (error, EIO, "%s: block status at offset %" PRIu64
                      ": the server's answer says nothing",
                      nbd->source.name, offset);
  extent_cache_add (nbd->cache, row, answer.count);
  while (row[i].end <= offset)
    ++i;
  *extent = row[i];
  return 0;
}

static int
nbd_source_extent (struct source *source, uint64_t offset, uint64_t *length,
                   enum vdisk_kind *kind, struct vdisk_error *error)
{
  struct nbd *nbd = (struct nbd *) source;
  struct source_extent extent;

  if (!extent_cache_find (nbd->cache, offset, &extent) &&
      find_extent (nbd, offset, &extent, error) == -1)
    return -1;
  *kind = extent.kind;
  *length = extent.end - offset;
  return 0;
}

/* A server that cannot do it shows that when the range is read. */
static int
nbd_source_prefetch (struct source *source, uint64_t offset, uint64_t count)
{
  const struct nbd *nbd = (const struct nbd *) source;
  const uint64_t end = offset + count;
  struct nbd_request cache = { .command = NBD_COMMAND_CACHE };
  uint64_t n;

  if (!nbd->export.has_cache)
    return 0;
  for (offset = round_down (offset, nbd->export.minimum); offset < end;
       offset += n) {
    n = min_u64 (nbd->export.maximum,
                 round_up (end - offset, nbd->export.minimum));
    n = min_u64 (n, nbd->source.size - offset);
    cache.offset = offset;
    cache.count = n;
    if (make_request (nbd, &cache, NULL) == -1)
      return -1;
  }
  return 0;
}

static void
nbd_source_close (struct source *source)
{
  struct nbd *nbd = (struct nbd *) source;

  nbd_pool_close (nbd->pool);
  extent_cache_free (nbd->cache);
  read_ahead_free (source->ahead);
  free (source->name);
  free (nbd);
}

static const struct source_ops nbd_ops = {
  .pread = nbd_source_pread,
  .extent = nbd_source_extent,
  .prefetch = nbd_source_prefetch,
  .close = nbd_source_close,
};

/* How long to wait for the server, and what ends that. */
static int
set_limits (struct nbd_config *config, const struct vdisk_options *options,
            struct vdisk_error *error)
{
  if (options->timeout_milliseconds > 0)
    config->limits.connect = config->limits.request =
      options->timeout_milliseconds;
  config->cancel_fd = -1;
  if (options->cancel)
    config->cancel_fd = cancel_descriptor (options->cancel, error);
  return options->cancel && config->cancel_fd == -1 ? -1 : 0;
}

struct source *
source_nbd_open (const char *uri, const struct vdisk_options *options,
                 struct vdisk_error *error)
{
  struct nbd_config config = {
    .uri = uri, .wants_status = true, .reconnects = true,
    .limits = NBD_LIMITS_DEFAULT,
  };
  struct nbd *nbd = calloc (1, sizeof *nbd);
  struct vdisk_error why = { 0 };

  if (nbd == NULL) {
    error_no_memory (error, uri);
    return NULL;
  }
  nbd->source.ops = &nbd_ops;
  nbd->source.is_uri = true;
  nbd->source.name = strdup (uri);
  nbd->source.ahead = read_ahead_new (&nbd->source);
  nbd->cache = extent_cache_new (EXTENTS_MAX);
  atomic_init (&nbd->status_size, STATUS_FIRST);
  if (nbd->source.name == NULL || nbd->source.ahead == NULL ||
      nbd->cache == NULL) {
    error_no_memory (error, uri);
    goto fail;
  }
  if (set_limits (&config, options, error) == -1)
    goto fail;
  nbd->source.options = options;
  nbd->pool = nbd_pool_open (&config, &nbd->export, &why);
  if (nbd->pool == NULL) {
    error_record (error, why.errnum, "%s: %s", uri, error_raw (&why));
    goto fail;
  }
  nbd->source.size = nbd->export.size;
  nbd->source.sparse = nbd->export.has_status;
  return &nbd->source;

 fail:
  nbd_source_close (&nbd->source);
  return NULL;
}
