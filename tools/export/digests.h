/* SPDX-License-Identifier: BSD-3-Clause */
/* Digests of the parts of an output whose bytes come in order. */

#ifndef VDISK_EXPORT_DIGESTS_H
#define VDISK_EXPORT_DIGESTS_H

#include <stddef.h>
#include <stdint.h>

#include "vdisk.h"

struct digests;
struct manifest;

/* The parts are added to 'manifest', which says how large they are, from
 * 'offset' on, where one begins.  NULL if out of memory. */
struct digests *digests_new (struct manifest *manifest, uint64_t offset);

/* The next bytes; zeros where 'bytes' is NULL, which take no time however
 * many they are. */
int digests_add (struct digests *digests, const void *bytes, uint64_t count,
                 struct vdisk_error *error);

/* There are no more: the last part is shorter. */
int digests_finish (struct digests *digests, struct vdisk_error *error);

/* Accepts NULL. */
void digests_free (struct digests *digests);

#endif /* VDISK_EXPORT_DIGESTS_H */
