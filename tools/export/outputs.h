/* SPDX-License-Identifier: BSD-3-Clause */
/* Exports of outputs any range of which can be read: of a part of one, of
 * one that goes on where it broke off, of one with a manifest.
 */

#ifndef VDISK_EXPORT_OUTPUTS_H
#define VDISK_EXPORT_OUTPUTS_H

#include "vdisk.h"

struct export;
struct export_parts;

/* Write what is asked for to export->destination. */
int outputs_run (struct export *export, const struct export_parts *parts,
                 struct vdisk_error *error);

#endif /* VDISK_EXPORT_OUTPUTS_H */
