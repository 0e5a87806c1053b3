/* SPDX-License-Identifier: BSD-3-Clause */
/* One reference to host clusters: counting it, and reporting what is wrong
 * with it.
 */

#include "format/qcow2/check/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/checked.h"

/* Write the place as text, cut short to the buffer. */
static void
place_text (const struct qcow2_place *place, char *to, size_t size)
{
  int n = snprintf (to, size, "%s at 0x%" PRIx64, place->structure,
                    place->offset);

  if (place->has_entry && n >= 0 && (size_t) n < size)
    n += snprintf (to + n, size - n, ": entry %" PRIu64, place->entry);
  if (place->has_guest && n >= 0 && (size_t) n < size)
    n += snprintf (to + n, size - n, " for guest offset %" PRIu64,
                   place->guest);
  if (place->has_entry && n >= 0 && (size_t) n < size)
    snprintf (to + n, size - n, " is 0x%016" PRIx64, place->value);
}

void
qcow2_found (struct qcow2_walk *walk, const struct qcow2_place *place,
             enum vdisk_finding finding, const char *format, ...)
{
  char where[256], what[256], shared[64] = "";
  va_list args;

  place_text (place, where, sizeof where);
  va_start (args, format);
  vsnprintf (what, sizeof what, format, args);
  va_end (args);
  if (place->times > 1)
    snprintf (shared, sizeof shared, " (counts %" PRIu32 " times, as the "
              "table is shared)", place->times);
  report_finding (walk->report, finding, "%s: %s%s", where, what, shared);
  if (finding == VDISK_ERROR && place->times > 1)
    walk->report->check->errors += place->times - 1;
}

/* Remember, in the first window, which windows the clusters are in. */
static void
touch (struct qcow2_walk *walk, uint64_t first, uint64_t last)
{
  uint64_t window = first >> walk->counts.window_bits;
  const uint64_t last_window = last >> walk->counts.window_bits;

  walk->first_window = min_u64 (walk->first_window, window);
  walk->last_window = max_u64 (walk->last_window, last_window);
  for (; window <= last_window; ++window)
    walk->touched[window / 8] |= 1 << (window % 8);
}

static void
found_overlap (struct qcow2_walk *walk, const struct qcow2_place *place,
               uint64_t cluster)
{
  struct qcow2_place once = *place;

  once.times = 1;
  qcow2_found (walk, &once, VDISK_ERROR, "the cluster at 0x%" PRIx64
               " holds other metadata",
               cluster << walk->refcounts.cluster_bits);
}

/* Report references that are more than a refcount can hold. */
static void
found_overflow (struct qcow2_walk *walk, const struct qcow2_place *place,
                uint64_t cluster, uint32_t times)
{
  struct qcow2_place some = *place;

  /* Where counting stops before the recorded refcounts do. */
  if (walk->refcounts.max > walk->counts.max)
    return;
  some.times = times;
  qcow2_found (walk, &some, VDISK_ERROR, "the cluster at 0x%" PRIx64
               " has more references than its refcount of %u bits can "
               "tell", cluster << walk->refcounts.cluster_bits,
               1u << walk->refcounts.order);
}

/* Count references to a cluster of the window.  Metadata is counted
 * first, so whatever comes upon it overlaps it.  That is reported in place of
 * the count's not fitting, or of the refcount's being too low in the
 * end. */
static void
use_cluster (struct qcow2_walk *walk, const struct qcow2_place *place,
             uint64_t index, bool metadata)
{
  struct qcow2_counts *counts = &walk->counts;
  const uint64_t cluster = counts->first + index;
  const bool overlap =
    qcow2_counts_is_marked (counts, index, QCOW2_MARK_METADATA);
  uint32_t lost = qcow2_counts_add (counts, index, place->times);

  if (metadata)
    qcow2_counts_mark (counts, index, QCOW2_MARK_METADATA);
  if (overlap &&
      (lost > 0 || !qcow2_counts_is_marked (counts, index,
                                            QCOW2_MARK_REPORTED))) {
    found_overlap (walk, place, cluster);
    if (lost > 0)
      lost--;
    else
      qcow2_counts_mark (counts, index, QCOW2_MARK_REPORTED);
  }
  if (lost > 0)
    found_overflow (walk, place, cluster, lost);
}

void
qcow2_use (struct qcow2_walk *walk, const struct qcow2_place *place,
           uint64_t offset, uint64_t size, bool metadata)
{
  const unsigned bits = walk->refcounts.cluster_bits;
  const struct qcow2_counts *counts = &walk->counts;
  uint64_t cluster, last;

  if (!range_within (offset, size, walk->use_end)) {
    if (walk->first)
      qcow2_found (walk, place, VDISK_ERROR, "%" PRIu64 " bytes at 0x%"
                   PRIx64 " reach beyond the end of the file (%" PRIu64
                   " bytes)", size, offset, walk->layer->source->size);
    return;
  }
  if (size == 0)
    return;
  cluster = offset >> bits;
  last = (offset + size - 1) >> bits;
  if (walk->first)
    touch (walk, cluster, last);
  cluster = max_u64 (cluster, counts->first);
  for (; cluster <= last && qcow2_counts_index (counts, cluster) <
         counts->size; ++cluster)
    use_cluster (walk, place, cluster - counts->first, metadata);
}

/* COPIED is wrong in place->times entries. */
static int
found_copied (struct qcow2_walk *walk, const struct qcow2_place *place,
              uint64_t offset, bool is_set)
{
  const unsigned bits = walk->refcounts.cluster_bits;
  uint64_t refcount[QCOW2_REFCOUNT_RUN];
  bool known;

  if (qcow2_refcounts_read (&walk->refcounts, offset >> bits, 1, refcount,
                            &known, walk->error) == -1)
    return -1;
  /* Outside of the windows nobody has looked yet. */
  if (known && (refcount[0] == 1) != is_set)
    qcow2_found (walk, place, VDISK_ERROR, "COPIED is %s, but the refcount "
                 "of the cluster at 0x%" PRIx64 " is %" PRIu64,
                 is_set ? "set" : "not set", offset >> bits << bits,
                 refcount[0]);
  return 0;
}

int
qcow2_check_copied (struct qcow2_walk *walk,
                    const struct qcow2_place *place, uint64_t offset,
                    uint32_t set, uint32_t clear)
{
  const uint64_t cluster = offset >> walk->refcounts.cluster_bits;
  const uint64_t index = qcow2_counts_index (&walk->counts, cluster);
  struct qcow2_place some = *place;
  bool once;

  if (!walk->refcounts_known)
    return 0;
  if (index < walk->counts.size) {
    once = qcow2_counts_is_marked (&walk->counts, index, QCOW2_MARK_ONCE);
    some.times = once ? clear : set;
    if (some.times > 0)
      return found_copied (walk, &some, offset, !once);
  }
  else if (walk->first && cluster < walk->slots)
    touch (walk, cluster, cluster);
  else if (walk->first) {
    some.times = set;
    if (set > 0 && found_copied (walk, &some, offset, true) == -1)
      return -1;
    some.times = clear;
    if (clear > 0 && found_copied (walk, &some, offset, false) == -1)
      return -1;
  }
  return 0;
}
