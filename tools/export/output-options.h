/* SPDX-License-Identifier: BSD-3-Clause */
/* From the options of 'vdisk export' to those of outputs. */

#ifndef VDISK_EXPORT_OUTPUT_OPTIONS_H
#define VDISK_EXPORT_OUTPUT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "export/identity.h"
#include "vdisk.h"

struct export;

/* Does the output record something that is otherwise made up anew each time
 * (a UUID), and that the user has not said? */
bool output_needs_identity (const struct export *export);

/* An array of "name=value" for the output of disk i.  With the identity of
 * the image all bytes of the output follow from it and the image; without
 * (NULL), what the user has not said is made up.  NULL with an error. */
json_t *output_options (const struct export *export, size_t i,
                        const uint8_t *identity, struct vdisk_error *error);

/* Open the output of disk i with such options.  NULL with an error. */
struct vdisk_output *output_open (struct export *export, size_t i,
                                  const json_t *options,
                                  struct vdisk_error *error);

#endif /* VDISK_EXPORT_OUTPUT_OPTIONS_H */
