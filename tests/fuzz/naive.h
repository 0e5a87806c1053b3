/* SPDX-License-Identifier: BSD-3-Clause */
/* What one byte of a disk is made of, looked up in the most simple way:
 * entry by entry, from the specifications, sharing nothing with lib/ but
 * the declarations of what lies on disk.
 */

#ifndef FUZZ_NAIVE_H
#define FUZZ_NAIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "explore.h"
#include "inflate.h"
#include "vdisk.h"

struct fuzz_control;

/* Abort unless a map says what the tables of the layers say, at both ends
 * of each extent, and where it ends in damage. */
void naive_check (struct vdisk *vdisk, const struct fuzz_control *control,
                  const struct explored *map);

/* Abort unless an extent that is compressed says what its L2 entry says. */
void naive_check_stream (struct vdisk *vdisk,
                         const struct vdisk_extent *extent);

/* Inflate the compressed cluster of an extent.  'bytes', what was read of
 * the extent, must be what comes out; NULL, if it could not be read. */
enum inflated naive_check_packed (struct vdisk *vdisk,
                                  const struct vdisk_extent *extent,
                                  const uint8_t *bytes);

#endif /* FUZZ_NAIVE_H */
