/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing VHDs: what both of its files need. */

#ifndef VDISK_EXPORT_VHD_H
#define VDISK_EXPORT_VHD_H

#include "export/export.h"
#include "output/vhd-layout.h"

/* Find out all that is recorded of the base, for a disk whose locators'
 * data is at 'offset'.  Free parent->data in any case. */
int vhd_parent_describe (struct vhd_parent *parent,
                         const struct export *export, uint64_t offset,
                         struct vdisk_error *error);

#endif /* VDISK_EXPORT_VHD_H */
