/* SPDX-License-Identifier: BSD-3-Clause */
/* One image in memory with snapshots and bitmaps, and looking at its
 * views.
 */

#ifndef UNIT_VIEW_CHECK_H
#define UNIT_VIEW_CHECK_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>

#include "qcow2-image.h"
#include "source/source.h"
#include "states-image.h"
#include "vdisk.h"

#define CLUSTER 4096
#define DISK (16 * CLUSTER)

/* The image, which has a disk of DISK bytes, and what states_finish is to add
 * to it: a checked fixture makes and frees both. */
extern struct qcow2_image image;
extern struct states *states;
void views_setup (void);
void views_teardown (void);

/* Let the image refer to this. */
void set_below (const void *bytes, size_t size, const char *format);

/* That has holes: see source_holey. */
void below_holes (const uint64_t (*ranges)[2], size_t count);

/* Put a byte into all of a new cluster. */
void put_data (uint64_t guest, int byte);

/* Take a snapshot whose first cluster is of that byte. */
void add_snapshot (const char *id, const char *name, int byte);

/* Add a bitmap with a bit for each cluster. */
void add_bitmap (const char *name, uint8_t bits);

/* Open the image, or what a source has; the first does not fail. */
struct vdisk *open_image (void);
struct vdisk *try_source (struct source *source, struct vdisk_error *error);

/* Open a view, which does not fail. */
struct vdisk *open_view (struct vdisk *vdisk, const char *name);

/* It fails, with that error. */
void check_refused (struct vdisk *vdisk, const char *name, int errnum,
                    const char *message);

/* The byte at an offset; and the first of a view, by its name. */
int byte_of (struct vdisk *vdisk, uint64_t guest);
void check_byte (struct vdisk *vdisk, const char *name, int byte);

/* The map by letters, each with the number of sectors in a row: "8h 8d"; or
 * the error.  Static buffer. */
const char *letters_of (struct vdisk *vdisk);
void check_map (struct vdisk *vdisk, const char *name, const char *map);

#endif /* UNIT_VIEW_CHECK_H */
