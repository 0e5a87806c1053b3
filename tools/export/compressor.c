/* SPDX-License-Identifier: BSD-3-Clause */
/* Compressors, each with memory of its own that is used again and again:
 * zlib for raw deflate, with the window of 4 KiB that qcow2 prescribes
 * (libdeflate cannot limit it), and zstd.
 */

#include "export/compressor.h"

#include <pthread.h>
#include <stdlib.h>

#include <zlib.h>

#include "util/zstd-codec.h"

#define WINDOW_BITS 12
#define MEMORY_LEVEL 9

struct compressor {
  struct compressor *next;      /* in the list of idle ones */
  z_stream stream;
  void *zstd;                   /* NULL: it is zlib */
};

struct compressors {
  bool zstd;
  int level;
  pthread_mutex_t lock;         /* of what follows */
  struct compressor *idle;
};

struct compressors *
compressors_new (bool zstd, int level)
{
  struct compressors *compressors = calloc (1, sizeof *compressors);

  if (compressors == NULL)
    return NULL;
  compressors->zstd = zstd;
  compressors->level = level;
  pthread_mutex_init (&compressors->lock, NULL);
  return compressors;
}

static void
compressor_free (struct compressor *compressor)
{
  if (compressor->zstd)
    zstd_encoder_free (compressor->zstd);
  else
    deflateEnd (&compressor->stream);
  free (compressor);
}

void
compressors_free (struct compressors *compressors)
{
  if (compressors == NULL)
    return;
  while (compressors->idle) {
    struct compressor *compressor = compressors->idle;

    compressors->idle = compressor->next;
    compressor_free (compressor);
  }
  pthread_mutex_destroy (&compressors->lock);
  free (compressors);
}

static struct compressor *
compressor_new (const struct compressors *compressors)
{
  struct compressor *compressor = calloc (1, sizeof *compressor);
  const int level = compressors->level;
  bool made;

  if (compressor == NULL)
    return NULL;
  made = compressors->zstd
    ? (compressor->zstd = zstd_encoder_new (level)) != NULL
    : deflateInit2 (&compressor->stream,
                    level ? level : Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                    -WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
  if (made)
    return compressor;
  free (compressor);
  return NULL;
}

static struct compressor *
take (struct compressors *compressors)
{
  struct compressor *compressor;

  pthread_mutex_lock (&compressors->lock);
  compressor = compressors->idle;
  if (compressor)
    compressors->idle = compressor->next;
  pthread_mutex_unlock (&compressors->lock);
  return compressor ? compressor : compressor_new (compressors);
}

static void
give_back (struct compressors *compressors, struct compressor *compressor)
{
  pthread_mutex_lock (&compressors->lock);
  compressor->next = compressors->idle;
  compressors->idle = compressor;
  pthread_mutex_unlock (&compressors->lock);
}

static size_t
deflate_cluster (z_stream *stream, const void *from, size_t size, void *to,
                 size_t room)
{
  deflateReset (stream);
  stream->next_in = (void *) from;
  stream->avail_in = size;
  stream->next_out = to;
  stream->avail_out = room;
  return deflate (stream, Z_FINISH) == Z_STREAM_END ? stream->total_out : 0;
}

size_t
compress_cluster (struct compressors *compressors, const void *from,
                  size_t size, void *to, size_t room)
{
  struct compressor *compressor = take (compressors);
  size_t r;

  if (compressor == NULL)
    return (size_t) -1;
  r = compressor->zstd
    ? zstd_encode (compressor->zstd, from, size, to, room)
    : deflate_cluster (&compressor->stream, from, size, to, room);
  give_back (compressors, compressor);
  return r;
}
