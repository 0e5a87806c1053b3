/* SPDX-License-Identifier: BSD-3-Clause */
/* One image of each kind, with something of everything its format can
 * say, as files in the scratch directory: chains, compression of both
 * types, subclusters, an external data file, bitmaps, locators, holes.
 */

#ifndef UNIT_GALLERY_H
#define UNIT_GALLERY_H

#include <stddef.h>
#include <stdint.h>

#include "vdisk.h"

/* Bytes of each disk.  The raw one is a little larger. */
#define GALLERY_DISK_SIZE (UINT64_C (1) << 18)

struct gallery_image {
  const char *file;             /* its name in the directory */
  const char *format;           /* what to say of it: "auto", or "raw" */
};

extern const struct gallery_image gallery[];
extern const size_t gallery_count;

/* Make them all.  An unchecked fixture, in place of scratch_setup; taken
 * down by scratch_teardown. */
void gallery_setup (void);

/* Open one, with caches of 'cache_size' bytes (0: nothing is kept), only
 * to be described and checked, or not.  NULL on error. */
struct vdisk *gallery_open (const struct gallery_image *image,
                            size_t cache_size, int inspect,
                            struct vdisk_error *error);

#endif /* UNIT_GALLERY_H */
