/* SPDX-License-Identifier: BSD-3-Clause */
/* Which image it is that an output is made of: by that, parts that were made
 * by several processes, or one after the other, are of the same whole.
 */

#ifndef VDISK_EXPORT_IDENTITY_H
#define VDISK_EXPORT_IDENTITY_H

#include <stdint.h>

#include <jansson.h>

#include "vdisk.h"

#define IDENTITY_SIZE 16

/* Digests (XXH3, 128 bits).  'identity' is over what the headers of all
 * layers say, and over the whole map as the tables have it: not over data,
 * nor over names of files, nor over holes of files, so that a copy of the
 * image is the same, and so is an image that was only read (ext4 finds out
 * then that space was never written).  'extents' is over the whole map with
 * these holes, by which most outputs are laid out. */
int identity_of_image (struct vdisk *disk, uint8_t identity[IDENTITY_SIZE],
                       uint8_t extents[IDENTITY_SIZE],
                       struct vdisk_error *error);

/* Its digits. */
void identity_to_hex (const uint8_t identity[IDENTITY_SIZE],
                      char text[2 * IDENTITY_SIZE + 1]);

/* A UUID that follows from it: RFC 9562, version 8. */
void identity_to_uuid (const uint8_t identity[IDENTITY_SIZE], char text[37]);

/* Size and time of change of each file that is read, in an array: they tell
 * of data that was written over.  For the same files on the same machine. */
json_t *identity_stamps (struct vdisk *disk, struct vdisk_error *error);

#endif /* VDISK_EXPORT_IDENTITY_H */
