/* SPDX-License-Identifier: BSD-3-Clause */
/* Compressed clusters: raw deflate through libdeflate, or zstd frames.
 * Making a decompressor costs more than inflating a
 * small cluster, so they are kept.
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

#include "util/error.h"
#include "format/qcow2/disk.h"
#include "format/qcow2/driver.h"
#include "source/source.h"
#include "util/semaphore.h"
#include "util/cleanup.h"
#include "util/zstd-codec.h"

/* One decompressor: 'tool' is a libdeflate_decompressor or one of
 * util/zstd-codec.h. */
struct unpacker {
  void *tool;
  struct unpacker *next;
};

/* What is different between the compression types. */
struct compression {
  void *(*make) (void);
  void (*destroy) (void *tool);
  /* NULL, or what is wrong ('no_memory' if it is that).  The stream has to
   * fill the cluster; bytes after it are no error. */
  const char *(*inflate) (void *tool, const void *packed, size_t packed_size,
                          void *cluster, size_t cluster_size);
};

struct qcow2_unpackers {
  const struct compression *compression;
  struct semaphore semaphore;           /* of inflating */
  pthread_mutex_t lock;         /* of the list */
  struct unpacker *idle;
};

static const char no_memory[] = "out of memory";

static void *
make_deflate (void)
{
  return libdeflate_alloc_decompressor ();
}

static void
destroy_deflate (void *tool)
{
  libdeflate_free_decompressor (tool);
}

/* Inflate a stream that is longer than the cluster.  Nobody writes them,
 * but the specification says where to stop in one; libdeflate has to be
 * given room for all of it. */
static const char *
inflate_long (void *tool, const void *packed, size_t packed_size,
              void *cluster, size_t cluster_size)
{
  enum libdeflate_result r = LIBDEFLATE_INSUFFICIENT_SPACE;
  size_t used, made, size = cluster_size;

  while (r == LIBDEFLATE_INSUFFICIENT_SPACE && size < QCOW2_STREAM_SIZE_MAX) {
    CLEANUP_FREE void *stream = malloc (size *= 2);

    if (stream == NULL)
      return no_memory;
    r = libdeflate_deflate_decompress_ex (tool, packed, packed_size,
                                          stream, size, &used, &made);
    if (r == LIBDEFLATE_SUCCESS)
      memcpy (cluster, stream, cluster_size);
  }
  switch (r) {
  case LIBDEFLATE_SUCCESS:
    return NULL;
  case LIBDEFLATE_INSUFFICIENT_SPACE:
    return "the deflate stream is far longer than the cluster";
  default:
    return "the deflate stream is damaged";
  }
}

static const char *
inflate_deflate (void *tool, const void *packed, size_t packed_size,
                 void *cluster, size_t cluster_size)
{
  enum libdeflate_result r;
  size_t used, made;

  r = libdeflate_deflate_decompress_ex (tool, packed, packed_size,
                                        cluster, cluster_size,
                                        &used, &made);
  switch (r) {
  case LIBDEFLATE_SUCCESS:
    return made == cluster_size ? NULL
      : "the deflate stream ends before the cluster is full";
  case LIBDEFLATE_INSUFFICIENT_SPACE:
    return inflate_long (tool, packed, packed_size, cluster, cluster_size);
  default:
    return "the deflate stream is damaged";
  }
}

static const struct compression compressions[] = {
  [QCOW2_COMPRESSION_ZLIB] = {
    make_deflate, destroy_deflate, inflate_deflate,
  },
  [QCOW2_COMPRESSION_ZSTD] = {
    zstd_decoder_new, zstd_decoder_free, zstd_decode,
  },
};

struct qcow2_unpackers *
qcow2_unpackers_new (uint8_t compression_type)
{
  struct qcow2_unpackers *unpackers = calloc (1, sizeof *unpackers);

  if (unpackers) {
    unpackers->compression = &compressions[compression_type];
    semaphore_init (&unpackers->semaphore, semaphore_count_for_processors ());
    pthread_mutex_init (&unpackers->lock, NULL);
  }
  return unpackers;
}

void
qcow2_unpackers_free (struct qcow2_unpackers *unpackers)
{
  struct unpacker *unpacker;

  if (unpackers == NULL)
    return;
  while ((unpacker = unpackers->idle) != NULL) {
    unpackers->idle = unpacker->next;
    unpackers->compression->destroy (unpacker->tool);
    free (unpacker);
  }
  pthread_mutex_destroy (&unpackers->lock);
  semaphore_destroy (&unpackers->semaphore);
  free (unpackers);
}

/* An idle unpacker, or a new one.  NULL if out of memory. */
static struct unpacker *
take_unpacker (struct qcow2_unpackers *unpackers)
{
  struct unpacker *unpacker;

  pthread_mutex_lock (&unpackers->lock);
  unpacker = unpackers->idle;
  if (unpacker)
    unpackers->idle = unpacker->next;
  pthread_mutex_unlock (&unpackers->lock);
  if (unpacker)
    return unpacker;

  unpacker = malloc (sizeof *unpacker);
  if (unpacker == NULL)
    return NULL;
  unpacker->tool = unpackers->compression->make ();
  if (unpacker->tool == NULL) {
    free (unpacker);
    return NULL;
  }
  return unpacker;
}

static void
give_unpacker (struct qcow2_unpackers *unpackers, struct unpacker *unpacker)
{
  pthread_mutex_lock (&unpackers->lock);
  unpacker->next = unpackers->idle;
  unpackers->idle = unpacker;
  pthread_mutex_unlock (&unpackers->lock);
}

static int
inflate (struct layer *layer, const struct interval *interval,
         const void *packed, size_t packed_size, void *cluster,
         struct vdisk_error *error)
{
  const struct qcow2 *qcow2 = layer->state;
  struct qcow2_unpackers *unpackers = qcow2->unpackers;
  struct unpacker *unpacker;
  const char *wrong = no_memory;
  /* A small read, and there may be many others.  Copies, which read whole
   * clusters, do not care which comes first. */
  const bool takes_turn = interval->length < layer->cluster_size;

  if (takes_turn)
    semaphore_wait (&unpackers->semaphore);
  unpacker = take_unpacker (unpackers);
  if (unpacker) {
    wrong = unpackers->compression->inflate (unpacker->tool, packed,
                                             packed_size, cluster,
                                             layer->cluster_size);
    give_unpacker (unpackers, unpacker);
  }
  if (takes_turn)
    semaphore_post (&unpackers->semaphore);
  if (wrong == no_memory)
    return error_no_memory (error, layer->source->name);
  if (wrong)
    return layer_error (layer, error, EIO, "compressed cluster of guest "
                        "offset %" PRIu64 ", %zu bytes at offset %" PRIu64
                        ": %s", interval->offset, packed_size,
                        interval->host, wrong);
  return 0;
}

int
qcow2_unpack (struct layer *layer, const struct interval *interval,
              void *cluster, struct vdisk_error *error)
{
  struct source *source = layer->source;
  CLEANUP_FREE void *packed = NULL;
  const size_t packed_size = layer_packed_size (layer, interval);

  if (packed_size == 0)
    return layer_error (layer, error, EIO, "L2 table: compressed cluster of "
                        "guest offset %" PRIu64 " is at offset %" PRIu64
                        ", beyond the end of the file (%" PRIu64 " bytes)",
                        interval->offset, interval->host, source->size);
  packed = malloc (packed_size);
  if (packed == NULL)
    return error_no_memory (error, layer->source->name);
  if (source_pread_data (source, packed, packed_size, interval->host,
                         error) == -1)
    return -1;
  return inflate (layer, interval, packed, packed_size, cluster, error);
}
