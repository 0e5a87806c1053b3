/* SPDX-License-Identifier: BSD-3-Clause */
/* A naive model of an image's map, for suites of drivers: the test writes
 * down piece by piece what it put into the tables, and any range of the
 * driver's map is compared with that.
 */

#ifndef UNIT_MAP_MODEL_H
#define UNIT_MAP_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "map/interval.h"

struct format;
struct layer;
struct random;

/* Pieces in guest order, from offset 0 to 'end'.  Initialize it to zeros.
 * It may reach past the end of the disk, as a last cluster does. */
struct map_model {
  struct interval *at;
  size_t count, allocated;
  uint64_t end;
};

void map_model_free (struct map_model *model);

/* The next 'length' guest bytes are of a kind; 'host' is where their space
 * is, or VDISK_NO_HOST_OFFSET. */
void map_model_add (struct map_model *model, enum vdisk_kind kind,
                    uint64_t length, uint64_t host);

/* The next 'length' bytes are one compressed cluster. */
void map_model_add_packed (struct map_model *model, uint64_t length,
                           uint64_t host, uint32_t packed_size);

/* Fail unless 'list' is what the model says of the range, with everything
 * merged that can be: all but compressed clusters. */
void map_model_check_list (const struct map_model *model,
                           const struct interval_list *list,
                           uint64_t offset, uint64_t count);

/* Map the range, and check the outcome. */
void map_model_check (const struct map_model *model, struct layer *layer,
                      uint64_t offset, uint64_t count);

/* Do so for 'rounds' random ranges of the disk, most of them near the ends
 * of pieces. */
void map_model_check_random (const struct map_model *model,
                             struct layer *layer, struct random *random,
                             unsigned rounds);

/* Open the image in memory and map the whole disk, again and again, with
 * the first read failing, the second, and so on until none does.  Each
 * failure is to be reported, with a map that is right as far as it goes. */
void map_model_check_faults (const struct map_model *model,
                             const struct format *format,
                             const void *bytes, size_t size);

/* Map a range that cannot be mapped as a whole: what can be, as list_text
 * has it, and why not more (if the message is not NULL).  The byte after
 * that cannot be mapped on its own either, for the same reason. */
void map_check_error (struct layer *layer, uint64_t offset, uint64_t count,
                      const char *map, const char *message);

#endif /* UNIT_MAP_MODEL_H */
