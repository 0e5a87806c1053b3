/* SPDX-License-Identifier: BSD-3-Clause */
/* Inflating with what lib/ does not inflate with. */

#include "inflate.h"

#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "fuzz.h"

/* Has zlib come upon a symbol, or a number of them, that is reserved? */
static bool
is_reserved (const z_stream *stream, int r)
{
  return r == Z_DATA_ERROR && stream->msg &&
    (strcmp (stream->msg, "invalid literal/length code") == 0 ||
     strcmp (stream->msg, "invalid distance code") == 0 ||
     strcmp (stream->msg, "too many length or distance symbols") == 0);
}

static enum inflated
by_zlib (const uint8_t *packed, size_t packed_size, uint8_t *cluster,
         size_t cluster_size)
{
  z_stream stream = {
    .next_in = (Bytef *) packed, .avail_in = packed_size,
    .next_out = cluster, .avail_out = cluster_size,
  };
  bool reserved;
  uint8_t more;
  int r;

  fuzz_assert (inflateInit2 (&stream, -15) == Z_OK, "no zlib");
  r = inflate (&stream, Z_SYNC_FLUSH);
  if (stream.avail_out == 0 && r == Z_OK) {
    /* The end may yet be read. */
    stream.next_out = &more;
    stream.avail_out = 1;
    r = inflate (&stream, Z_SYNC_FLUSH);
    r = r == Z_STREAM_END && stream.avail_out == 1 ? Z_STREAM_END : Z_OK;
    stream.avail_out = 0;
  }
  reserved = is_reserved (&stream, r);
  inflateEnd (&stream);
  if (stream.avail_out > 0)
    return reserved ? INFLATE_RESERVED : INFLATE_BROKEN;
  return r == Z_STREAM_END ? INFLATE_PERFECT : INFLATE_FULL;
}

/* Frame after frame, until the cluster is full. */
static enum inflated
by_zstd (const uint8_t *packed, size_t packed_size, uint8_t *cluster,
         size_t cluster_size)
{
  ZSTD_inBuffer in = { packed, packed_size, 0 };
  ZSTD_outBuffer out = { cluster, cluster_size, 0 };
  ZSTD_DCtx *context = ZSTD_createDCtx ();
  size_t left = 1, before;

  fuzz_assert (context, "no zstd");
  do {
    before = in.pos + out.pos;
    left = ZSTD_decompressStream (context, &out, &in);
  } while (!ZSTD_isError (left) && out.pos < out.size &&
           in.pos + out.pos > before);
  ZSTD_freeDCtx (context);
  if (ZSTD_isError (left) || out.pos < out.size)
    return INFLATE_BROKEN;
  return left == 0 ? INFLATE_PERFECT : INFLATE_FULL;
}

enum inflated
fuzz_inflate (bool zstd, const uint8_t *packed, size_t packed_size,
              uint8_t *cluster, size_t cluster_size)
{
  return (zstd ? by_zstd : by_zlib) (packed, packed_size, cluster,
                                     cluster_size);
}
