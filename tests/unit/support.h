/* SPDX-License-Identifier: BSD-3-Clause */
/* What the unit suites share: sources that fail, layers opened from
 * memory, intervals as text.
 */

#ifndef UNIT_SUPPORT_H
#define UNIT_SUPPORT_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>

#include "format/format.h"
#include "map/interval.h"
#include "layer.h"
#include "options.h"
#include "source/source.h"
#include "vdisk.h"

/* A source over 'inner', which it owns, whose pread number 'fail_at'
 * (counted from 0) fails with EIO and the message "injected".  Never, if
 * it is SIZE_MAX. */
struct source *source_faulty (struct source *inner, size_t fail_at);

/* How many preads there have been. */
size_t source_faulty_count (const struct source *faulty);

/* A source over 'inner', which it owns, that has holes: 'holes' are
 * 'count' pairs of offset and end, ascending. */
struct source *source_holey (struct source *inner,
                             const uint64_t (*holes)[2], size_t count);

/* Open one layer of the given format at depth 0 from 'source', which it
 * owns, also on error.  layer->data is the source (as the chain does it
 * when there is no data file).  'options' may be NULL for the defaults.
 * NULL on error. */
struct layer *open_layer (const struct format *format,
                          struct source *source,
                          struct vdisk_options *options,
                          struct vdisk_error *error);

/* The same from bytes in memory, as a file called 'name'. */
struct layer *open_layer_bytes (const struct format *format,
                                const char *name,
                                const void *bytes, size_t size,
                                struct vdisk_options *options,
                                struct vdisk_error *error);

/* A list as text: "data 0+4096@8192, hole 4096+512, zero 4608+512,
 * packed 5120+512@99/512".  A depth other than 0 comes after the kind, as
 * "data:1".  Checks that the list tiles without gaps.  Static buffer. */
const char *list_text (const struct interval_list *list);

/* Map the range and give it as text; fails the test on error. */
const char *map_text (struct layer *layer, uint64_t offset, uint64_t count);

/* The last warning about a layer, while it was opened or later, since the
 * last call of open_layer, or "". */
const char *last_warning (void);

/* Run one suite as a program: main of each unit test returns this. */
int run_suite (Suite *suite);

#endif /* UNIT_SUPPORT_H */
