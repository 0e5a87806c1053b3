/* SPDX-License-Identifier: BSD-3-Clause */
/* Compressed clusters as QEMU inflates them: by zlib, or by zstd's
 * streaming interface, until the cluster is full.
 */

#ifndef FUZZ_INFLATE_H
#define FUZZ_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum inflated {
  INFLATE_BROKEN,               /* the cluster does not become full */
  INFLATE_RESERVED,             /* symbols that deflate reserves: zlib takes
                                   none, libdeflate takes them for the
                                   longest match or the largest distance */
  INFLATE_FULL,                 /* it does, and there is more */
  INFLATE_PERFECT,              /* it does, just where the stream ends */
};

enum inflated fuzz_inflate (bool zstd, const uint8_t *packed,
                            size_t packed_size, uint8_t *cluster,
                            size_t cluster_size);

#endif /* FUZZ_INFLATE_H */
