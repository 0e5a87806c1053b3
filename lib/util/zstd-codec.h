/* SPDX-License-Identifier: BSD-3-Clause */
/* Clusters compressed with zstd, through libzstd, which a build may be
 * without: then there is none of it.
 */

#ifndef VDISK_ZSTD_CODEC_H
#define VDISK_ZSTD_CODEC_H

#include <stdbool.h>
#include <stddef.h>

/* Is this built with libzstd? */
extern const bool zstd_is_built_in;

/* What inflates, again and again, and is free'd with the other.  NULL if out
 * of memory. */
void *zstd_decoder_new (void);
void zstd_decoder_free (void *decoder);

/* Inflate as many frames as fill the cluster.  NULL, or what is wrong. */
const char *zstd_decode (void *decoder, const void *packed,
                         size_t packed_size, void *cluster,
                         size_t cluster_size);

/* What compresses; level 0 is libzstd's default.  NULL if out of memory. */
void *zstd_encoder_new (int level);
void zstd_encoder_free (void *encoder);

/* Compress into at most 'room' bytes.  Returns how many it took, 0 if they
 * do not fit. */
size_t zstd_encode (void *encoder, const void *from, size_t size, void *to,
                    size_t room);

#endif /* VDISK_ZSTD_CODEC_H */
