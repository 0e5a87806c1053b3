/* SPDX-License-Identifier: BSD-3-Clause */
/* Compressing clusters as qcow2 has them, in several threads. */

#ifndef VDISK_COMPRESSOR_H
#define VDISK_COMPRESSOR_H

#include <stdbool.h>
#include <stddef.h>

struct compressors;

/* For clusters in one of the two ways; level 0 is the library's default.
 * NULL if out of memory. */
struct compressors *compressors_new (bool zstd, int level);

/* Accepts NULL. */
void compressors_free (struct compressors *compressors);

/* Compress 'size' bytes into at most 'room' bytes.  Any thread may call
 * this.  Returns how many it took, 0 if they do not fit, and (size_t) -1
 * if out of memory. */
size_t compress_cluster (struct compressors *compressors, const void *from,
                         size_t size, void *to, size_t room);

#endif /* VDISK_COMPRESSOR_H */
