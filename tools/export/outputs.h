/* SPDX-License-Identifier: BSD-3-Clause */
/* Exports that are copies of outputs: of files any part of which follows from
 * the map of a disk.
 */

#ifndef VDISK_EXPORT_OUTPUTS_H
#define VDISK_EXPORT_OUTPUTS_H

#include <stdint.h>

#include "vdisk.h"

struct export;
struct export_parts;

/* Open the outputs of all disks, which one file is made of, and tell its
 * size and how much data it has. */
int outputs_plan (struct export *export, struct vdisk_error *error);

/* The same with what the image's identity decides: see output_options. */
int outputs_open (struct export *export, const uint8_t *identity,
                  struct vdisk_error *error);

/* Write the whole file. */
int outputs_write (struct export *export, struct vdisk_error *error);

/* Copy the file from 'offset' on to the sink, which has everything before
 * it. */
int outputs_copy (struct export *export, uint64_t offset,
                  struct vdisk_error *error);

void outputs_close (struct export *export);

#endif /* VDISK_EXPORT_OUTPUTS_H */
