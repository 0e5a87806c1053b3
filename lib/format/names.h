/* SPDX-License-Identifier: BSD-3-Clause */
/* The names of the formats, for whoever chooses one and need not know what a
 * format is.
 */

#ifndef VDISK_FORMAT_NAMES_H
#define VDISK_FORMAT_NAMES_H

struct format;

extern const struct format format_qcow2;
extern const struct format format_qed;
extern const struct format format_raw;
extern const struct format format_vhd;

/* All names, NULL-terminated. */
const char *const *format_names (void);

/* The format called 'name', or NULL.  QEMU's name for VHD, "vpc", is
 * known too. */
const struct format *format_by_name (const char *name);

/* Its name, as users write it. */
const char *format_name (const struct format *format);

#endif /* VDISK_FORMAT_NAMES_H */
