/* SPDX-License-Identifier: BSD-3-Clause */
/* Intervals: what a piece of guest space is made of, and lists of them
 * that tile a range.  Everything above the format drivers (reads, block
 * status, maps) is written over these.
 */

#ifndef VDISK_INTERVAL_H
#define VDISK_INTERVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vdisk.h"

struct interval {
  uint64_t offset;          /* guest offset */
  uint64_t length;          /* never 0 in a list */
  uint64_t host;            /* DATA: of the first byte.  PACKED: of the
                               compressed bytes.  ZERO and HOLE: of
                               the space reserved for them, if any, else
                               VDISK_NO_HOST_OFFSET */
  union {
    struct {
      uint32_t packed_size; /* PACKED: how many bytes it may take */
      uint16_t depth;       /* the layer that decides */
      uint16_t kind;        /* enum vdisk_kind */
    };
    uint64_t nature;        /* all three: where many intervals of one
                               nature are made it is copied at once */
  };
};

/* A list of intervals: ascending and contiguous.  Initialize it to
 * zeros; free it with interval_list_free. */
struct interval_list {
  struct interval *at;
  size_t count;
  size_t allocated;
  uint64_t work;            /* bytes of the image file that tables looked
                               at, and blocks found, take up: added to by
                               drivers, and never made less */
};

void interval_list_free (struct interval_list *list);

/* Make room for 'more' intervals after the last.  -1 if out of memory, or
 * if there are INTERVALS_MAX. */
int interval_list_reserve (struct interval_list *list, size_t more);

/* Drop everything, keep the memory. */
static inline void
interval_list_clear (struct interval_list *list)
{
  list->count = 0;
}

/* The guest offset after the last interval.  The list is not empty. */
static inline uint64_t
interval_list_end (const struct interval_list *list)
{
  const struct interval *last = &list->at[list->count - 1];

  return last->offset + last->length;
}

/* True if b, which starts where a ends, says the same of its bytes, so
 * that one interval can stand for both.  A compressed cluster continues
 * nothing: the next guest cluster may be in the same one, from its start. */
static inline bool
interval_continues (const struct interval *a, const struct interval *b)
{
  if (a->kind != b->kind)
    return false;
  if (a->depth != b->depth)
    return false;
  if (a->kind == VDISK_PACKED)
    return false;
  if (a->host == VDISK_NO_HOST_OFFSET || b->host == VDISK_NO_HOST_OFFSET)
    return a->host == b->host;
  return a->host + a->length == b->host;
}

/* Copy field by field: an interval just made is in registers, and a copy
 * as a block would wait for its small stores to reach the memory. */
static inline void
interval_copy (struct interval *to, const struct interval *from)
{
  to->offset = from->offset;
  to->length = from->length;
  to->host = from->host;
  to->packed_size = from->packed_size;
  to->depth = from->depth;
  to->kind = from->kind;
}

/* Append an interval, which starts where the list ends, merging it with
 * the last one where it can.  A length of 0 appends nothing.
 * -1 if out of memory. */
static inline int
interval_list_append (struct interval_list *list,
                      const struct interval *interval)
{
  if (interval->length == 0)
    return 0;
  if (list->count > 0) {
    struct interval *last = &list->at[list->count - 1];

    if (interval_continues (last, interval)) {
      last->length += interval->length;
      return 0;
    }
  }
  if (list->count == list->allocated &&
      interval_list_reserve (list, 1) == -1)
    return -1;
  interval_copy (&list->at[list->count++], interval);
  return 0;
}

/* The part of an interval that lies in [offset, end), which it overlaps. */
struct interval interval_clip (const struct interval *interval,
                               uint64_t offset, uint64_t end);

/* Drop what lies at 'end' and after it. */
void interval_list_truncate (struct interval_list *list, uint64_t end);

/* The index of the interval that holds 'offset', which the list covers. */
size_t interval_list_find (const struct interval_list *list,
                           uint64_t offset);

/* Append to 'out' the intervals of 'upper' with each HOLE in it replaced
 * by what 'lower' says there.  Where 'lower' says nothing (it need not
 * reach as far as 'upper' on either side) the hole of 'upper' stays.
 * -1 if out of memory. */
int interval_list_overlay (const struct interval_list *upper,
                           const struct interval_list *lower,
                           struct interval_list *out);

#endif /* VDISK_INTERVAL_H */
