/* SPDX-License-Identifier: BSD-3-Clause */
/* What an image says of itself, as a JSON document. */

#ifndef VDISK_DESCRIBE_H
#define VDISK_DESCRIBE_H

#include <jansson.h>

#include "vdisk.h"

struct layer;

/* The document of vdisk_describe: the keys common to all formats, and then
 * the format's own.  The caller frees it.  NULL on error. */
char *layer_describe (struct layer *layer, struct vdisk_error *error);

/* For drivers: set a key of an object.  'value' is released, also on
 * error; NULL, which jansson returns if it is out of memory, is one. */
int describe_set (json_t *object, const char *key, json_t *value,
                  struct vdisk_error *error);

#endif /* VDISK_DESCRIBE_H */
