/* SPDX-License-Identifier: BSD-3-Clause */
/* The text of manifests. */

#ifndef VDISK_EXPORT_MANIFEST_JSON_H
#define VDISK_EXPORT_MANIFEST_JSON_H

#include <stddef.h>

#include <jansson.h>

#include "export/manifest.h"

/* Take all that a document has into a manifest of zeros.  'path' is for
 * messages. */
int manifest_from_json (struct manifest *manifest, const json_t *root,
                        const char *path, struct vdisk_error *error);

/* The text, to be freed.  NULL if out of memory. */
char *manifest_to_json (const struct manifest *manifest);

#endif /* VDISK_EXPORT_MANIFEST_JSON_H */
