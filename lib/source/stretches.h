/* SPDX-License-Identifier: BSD-3-Clause */
/* What is known of a source's extents, so that a map of many small
 * clusters costs one question per extent, not one per cluster.  Bounded in
 * memory; may be used by many threads.
 */

#ifndef VDISK_STRETCHES_H
#define VDISK_STRETCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vdisk.h"

/* A stretch of a source that is all of one kind. */
struct stretch {
  uint64_t offset, end;
  enum vdisk_kind kind;         /* DATA, ZERO or HOLE */
};

struct stretches;

/* A memory for at most 'most' stretches.  NULL if out of memory. */
struct stretches *stretches_new (size_t most);

/* Accepts NULL. */
void stretches_free (struct stretches *stretches);

/* The stretch that holds 'offset'.  False if it is not known. */
bool stretches_recall (struct stretches *stretches, uint64_t offset,
                       struct stretch *stretch);

/* Remember a row of at least one stretch and at most 'most', each of which
 * starts where the one before it ends, in place of those it overlaps.
 * Where there is no room, all else is forgotten. */
void stretches_remember (struct stretches *stretches,
                         const struct stretch *row, size_t count);

#endif /* VDISK_STRETCHES_H */
