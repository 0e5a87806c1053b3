/* SPDX-License-Identifier: BSD-3-Clause */
/* In place of zstd-codec.c where there is no libzstd (WITHOUT_ZSTD=1).  What
 * needs it is refused before it comes here.
 */

#include "util/zstd-codec.h"

const bool zstd_is_built_in = false;

void *
zstd_decoder_new (void)
{
  return NULL;
}

void
zstd_decoder_free (void *decoder)
{
  (void) decoder;
}

const char *
zstd_decode (void *decoder, const void *packed, size_t packed_size,
             void *cluster, size_t cluster_size)
{
  (void) decoder;
  (void) packed;
  (void) packed_size;
  (void) cluster;
  (void) cluster_size;
  return "built without libzstd";
}

void *
zstd_encoder_new (int level)
{
  (void) level;
  return NULL;
}

void
zstd_encoder_free (void *encoder)
{
  (void) encoder;
}

size_t
zstd_encode (void *encoder, const void *from, size_t size, void *to,
             size_t room)
{
  (void) encoder;
  (void) from;
  (void) size;
  (void) to;
  (void) room;
  return 0;
}
