/* SPDX-License-Identifier: BSD-3-Clause */
/* Exports of a part of an output, of one that goes on where it broke off, of
 * one with a manifest.
 */

#ifndef VDISK_EXPORT_PARTIAL_H
#define VDISK_EXPORT_PARTIAL_H

#include "vdisk.h"

struct export;
struct export_parts;

/* Write what is asked for to export->destination. */
int partial_run (struct export *export, const struct export_parts *parts,
                 struct vdisk_error *error);

#endif /* VDISK_EXPORT_PARTIAL_H */
