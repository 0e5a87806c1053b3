/* SPDX-License-Identifier: BSD-3-Clause */
/* From a range to the intervals that tile it: from the cache of segments, or
 * mapped for this once.
 */

#include "walk.h"

#include <errno.h>
#include <inttypes.h>

#include "cancel.h"
#include "map/interval-cache.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/minmax.h"

/* When the result is not kept, as much is mapped at a time as gives about
 * so many intervals, but no more than could give so many (a power of two):
 * more would cost memory for each thread, and gain nothing. */
#define BULK_INTERVALS 8192
#define BULK_INTERVALS_MAX (64 << 10)

/* How many intervals of a list, from number i on, lie wholly in
 * [offset, end). */
static size_t
count_whole (const struct interval_list *list, size_t i, uint64_t offset,
             uint64_t end)
{
  if (list->at[i].offset < offset)
    return 0;
  return (interval_list_end (list) <= end ? list->count
          : interval_list_find (list, end)) - i;
}

/* Visit the intervals of a list that lie in [offset, end). */
static int
visit_list (const struct interval_list *list, uint64_t offset, uint64_t end,
            visitor *visit, void *opaque, struct vdisk_error *error)
{
  size_t i, n;
  int r = 0;

  for (i = interval_list_find (list, offset);
       i < list->count && list->at[i].offset < end && r == 0; i += n) {
    n = count_whole (list, i, offset, end);
    if (n > 0)
      r = visit (&list->at[i], n, opaque, error);
    else {
      const struct interval clipped = interval_clip (&list->at[i], offset,
                                                     end);

      n = 1;
      r = visit (&clipped, 1, opaque, error);
    }
  }
  return r;
}

/* Map [offset, end) into 'list', as far as that can be done, and visit
 * it. */
static int
visit_mapped (const struct disk_map *disk, uint64_t offset, uint64_t end,
              struct interval_list *list, visitor *visit, void *opaque,
              struct vdisk_error *error)
{
  struct vdisk_error why = { 0 };
  const int mapped = disk->map (disk->opaque, offset, end - offset, list,
                                &why);
  const int r = visit_list (list, offset, end, visit, opaque, error);

  if (r == 0 && mapped == -1)
    return error_set (error, why.errnum, "%s", error_raw (&why));
  return r;
}

/* Visit [*offset, end) as far as the segment that holds *offset goes, and make
 * *offset where that ends.  Where the segment is damaged, so much may still be
 * whole. */
static int
visit_segment (struct interval_cache *map, uint64_t *offset, uint64_t end,
               visitor *visit, void *opaque, struct vdisk_error *error)
{
  struct vdisk_error damage = { 0 };
  struct interval_list list = { 0 };
  const uint64_t start = *offset;
  struct segment segment;
  int r;

  if (interval_cache_get (map, start, &segment, &damage) == 0) {
    *offset = end = min_u64 (end, segment.end);
    r = visit_list (&segment.intervals, start, end, visit, opaque, error);
    interval_cache_release (map, &segment);
    return r;
  }
  if (error_ends_call (&damage))
    return error_set (error, damage.errnum, "%s", error_raw (&damage));
  *offset = end = min_u64 (end, interval_cache_segment_end (map, start));
  r = visit_mapped (interval_cache_disk (map), start, end, &list, visit,
                    opaque, error);
  interval_list_free (&list);
  return r;
}

static int
check_cancel (const struct disk_map *disk, struct vdisk_error *error)
{
  return cancel_check (disk->options, disk->name, error);
}

static int
check_range (const struct disk_map *disk, uint64_t offset, uint64_t count,
             struct vdisk_error *error)
{
  error_clear (error);
  if (check_cancel (disk, error) == -1)
    return -1;
  if (disk->map == NULL)
    return error_set (error, EINVAL, "%s: opened only to be inspected",
                      disk->name);
  if (!range_within (offset, count, disk->size))
    return error_set (error, EINVAL, "%" PRIu64 " bytes at offset %" PRIu64
                      " reach beyond the end of the disk (%" PRIu64
                      " bytes)", count, offset, disk->size);
  return 0;
}

int
walk_cached (struct interval_cache *map, uint64_t offset, uint64_t count,
             visitor *visit, void *opaque, struct vdisk_error *error)
{
  const struct disk_map *disk = interval_cache_disk (map);
  const uint64_t end = offset + count;
  int r;

  r = check_range (disk, offset, count, error);
  while (offset < end && r == 0) {
    r = visit_segment (map, &offset, end, visit, opaque, error);
    if (r == 0)
      r = check_cancel (disk, error);
  }
  return r == -1 ? -1 : 0;
}

/* Tables that are shared or overlap can make a small file look as if it
 * had any number of them. */
static int
check_work (const struct disk_map *disk, uint64_t work,
            struct vdisk_error *error)
{
  if (work <= disk->work_max)
    return 0;
  return error_set (error, EIO, "%s: tables or blocks overlap: mapping the "
                    "disk takes more of them than its files can hold (%"
                    PRIu64 " bytes)", disk->name, disk->work_max);
}

int
walk_once (struct interval_cache *map, uint64_t offset, uint64_t count,
           visitor *visit, void *opaque, struct vdisk_error *error)
{
  const struct disk_map *disk = interval_cache_disk (map);
  const uint64_t segment_size = interval_cache_segment_size (map);
  uint64_t end, next, piece = segment_size;
  struct interval_list list = { 0 };
  int r;

  if (check_range (disk, offset, count, error) == -1)
    return -1;
  if (count == 0)
    return 0;
  end = offset + count;
  r = visit_segment (map, &offset, end, visit, opaque, error);
  for (; offset < end && r == 0; offset = next) {
    next = offset + min_u64 (end - offset,
                             piece - (offset & (piece - 1)));
    r = visit_mapped (disk, offset, next, &list, visit, opaque, error);
    if (r == 0)
      r = check_cancel (disk, error);
    if (r == 0)
      r = check_work (disk, list.work, error);
    if (list.count > BULK_INTERVALS && piece > segment_size)
      piece /= 2;
    else if (list.count <= BULK_INTERVALS / 2 &&
             piece / BULK_INTERVALS_MAX < disk->granularity)
      piece *= 2;
  }
  interval_list_free (&list);
  return r == -1 ? -1 : 0;
}
