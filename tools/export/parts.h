/* SPDX-License-Identifier: BSD-3-Clause */
/* Parts of an output, as they are asked for: a range of its bytes, or the
 * K-th of N shards, also by the number that an engine of jobs (Slurm, GNU
 * parallel, Kubernetes, ...) has given to this one.
 */

#ifndef VDISK_EXPORT_PARTS_H
#define VDISK_EXPORT_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "vdisk.h"

/* All zeros: the whole. */
struct export_parts {
  bool has_range;
  uint64_t first, last;         /* bytes, both included */
  uint64_t shard, shard_count;  /* counted from 1; 0: none */
  bool resume;
  const char *manifest;         /* to be written; NULL: none */
  const char *verify;           /* to check a file against; NULL: none */
};

#define SHARDS_MAX UINT64_C (1000000)

/* Take "A-B".  -1 with an error that says what is wrong. */
int parts_take_range (struct export_parts *parts, const char *text,
                      struct vdisk_error *error);

/* Take "K/N", "auto" or "auto/N". */
int parts_take_shard (struct export_parts *parts, const char *text,
                      struct vdisk_error *error);

/* Is any of it asked for? */
static inline bool
parts_wanted (const struct export_parts *parts)
{
  return parts->has_range || parts->shard > 0 || parts->resume ||
    parts->manifest;
}

/* The unit that shards are made of and that digests are for, of an output of
 * that size: large enough for a unit of a disk that is cut in two to cost
 * next to nothing, small enough for shards to be of about one size. */
uint64_t parts_unit (uint64_t size);

/* Where the shard lies in an output of that size: bytes from *start to
 * before *end, which may be none. */
void parts_locate_shard (const struct export_parts *parts, uint64_t size,
                         uint64_t *start, uint64_t *end);

#endif /* VDISK_EXPORT_PARTS_H */
