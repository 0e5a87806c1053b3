/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of an output whose entries have a fixed size, read from and to any
 * byte.
 */

#ifndef VDISK_OUTPUT_ENTRIES_H
#define VDISK_OUTPUT_ENTRIES_H

#include <stddef.h>
#include <stdint.h>

#include "vdisk.h"

/* The largest of entries. */
#define ENTRY_SIZE_MAX 8

/* Compute 'count' whole entries of a table, from number 'first' on. */
typedef int entries_fill (const struct vdisk_output *output, uint64_t first,
                          void *entries, size_t count,
                          struct vdisk_error *error);

/* Compute 'count' bytes from 'offset' on of a table that is filled by
 * entries of so many bytes. */
int entries_read (const struct vdisk_output *output, entries_fill *fill,
                  size_t entry_size, void *buffer, size_t count,
                  uint64_t offset, struct vdisk_error *error);

#endif /* VDISK_OUTPUT_ENTRIES_H */
