/* SPDX-License-Identifier: BSD-3-Clause */
/* What a chain of table images is, worked out sector by sector in the
 * simplest way, to compare the library with; and chains made at random.
 */

#ifndef UNIT_TABLE_MODEL_H
#define UNIT_TABLE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "map/interval.h"
#include "random.h"
#include "table-format.h"

#define MODEL_SECTOR 512
#define MODEL_LAYERS_MAX 8
#define MODEL_CLUSTER_MAX 4096

/* Holes of a file: pairs of offset and end, ascending, by sectors. */
struct model_holes {
  uint64_t at[32][2];
  size_t count;
};

struct model {
  struct table_image *layers[MODEL_LAYERS_MAX];   /* top first */
  unsigned count;
  bool host_holes;              /* data in holes is ZERO */
  struct model_holes holes[MODEL_LAYERS_MAX];
};

/* Add a layer under the last one, and let that refer to it. */
void model_add (struct model *model, struct table_image *image);

/* Let the sources of the file that the layer's data is in have holes. */
void model_punch (struct model *model, unsigned depth,
                  const struct model_holes *holes);

/* Free all images. */
void model_free (struct model *model);

/* What the sector that starts at 'offset' is.  Its kind is TABLE_DAMAGED
 * if it cannot be known.  It ends where its sector or the disk does. */
struct interval model_sector (const struct model *model, uint64_t offset);

/* Its bytes: MODEL_SECTOR of them. */
void model_bytes (const struct model *model, const struct interval *sector,
                  uint8_t *bytes);

/* The first offset in the range that cannot be mapped, or its end. */
uint64_t model_damage (const struct model *model,
                       uint64_t offset, uint64_t end);

/* True if the list tiles exactly [offset, end), and says of each sector
 * what the model says. */
bool model_agrees (const struct model *model,
                   const struct interval_list *list,
                   uint64_t offset, uint64_t end);

/* What a random layer may be made of. */
struct model_mix {
  unsigned hole, zero, data, packed, damaged;   /* relative shares */
  unsigned run_sectors;         /* longest row */
};

/* A random image with a disk of 'size' bytes, and clusters of some size. */
struct table_image *model_random_image (struct random *random,
                                        const char *name, uint64_t size,
                                        const struct model_mix *mix);

/* How the sizes of the layers of a random chain are chosen. */
enum model_sizes {
  MODEL_ORDERED,    /* no layer between the top and the base is shorter
                       than one below it, as far as the disk goes */
  MODEL_ANY_SIZES,
};

/* A random chain of up to 6 layers with up to so many sectors. */
struct model model_random (struct random *random,
                           const struct model_mix *mix,
                           uint64_t max_sectors, enum model_sizes sizes);

/* Let some of its files have random holes.  The model must stay where it
 * is from now on. */
void model_punch_some (struct random *random, struct model *model);

/* Names for the layers: "layer-0" and so on. */
const char *model_name (unsigned depth);

#endif /* UNIT_TABLE_MODEL_H */
