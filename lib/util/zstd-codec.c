/* SPDX-License-Identifier: BSD-3-Clause */
/* Clusters of zstd frames. */

#include "util/zstd-codec.h"

#include <stdint.h>

#include <zstd.h>

const bool zstd_is_built_in = true;

void *
zstd_decoder_new (void)
{
  return ZSTD_createDCtx ();
}

void
zstd_decoder_free (void *decoder)
{
  ZSTD_freeDCtx (decoder);
}

/* Frame by frame straight into the cluster: zstd's streaming mode would
 * allocate a window as large as the image says. */
const char *
zstd_decode (void *decoder, const void *packed, size_t packed_size,
             void *cluster, size_t cluster_size)
{
  const uint8_t *in = packed;
  uint8_t *out = cluster;

  while (cluster_size > 0) {
    size_t frame, made;

    if (packed_size == 0)
      return "the zstd stream ends before the cluster is full";
    frame = ZSTD_findFrameCompressedSize (in, packed_size);
    if (ZSTD_isError (frame))
      return "the zstd stream is damaged";
    made = ZSTD_decompressDCtx (decoder, out, cluster_size, in, frame);
    if (ZSTD_isError (made))
      return "the zstd stream is damaged, or longer than the cluster";
    in += frame;
    packed_size -= frame;
    out += made;
    cluster_size -= made;
  }
  return NULL;
}

void *
zstd_encoder_new (int level)
{
  ZSTD_CCtx *encoder = ZSTD_createCCtx ();

  if (encoder == NULL)
    return NULL;
  if (ZSTD_isError (ZSTD_CCtx_setParameter (encoder, ZSTD_c_compressionLevel,
                                            level ? level
                                            : ZSTD_CLEVEL_DEFAULT))) {
    ZSTD_freeCCtx (encoder);
    return NULL;
  }
  return encoder;
}

void
zstd_encoder_free (void *encoder)
{
  ZSTD_freeCCtx (encoder);
}

/* The only error there can be is that there is not enough room. */
size_t
zstd_encode (void *encoder, const void *from, size_t size, void *to,
             size_t room)
{
  const size_t r = ZSTD_compress2 (encoder, to, room, from, size);

  return ZSTD_isError (r) ? 0 : r;
}
