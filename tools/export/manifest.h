/* SPDX-License-Identifier: BSD-3-Clause */
/* Manifests: what an output is, of which image, and a digest of each part.
 *
 * {"vdisk-manifest": 1, "layout": 1, "format": "qcow2", "options": [...],
 *  "size": N, "part-size": N, "image": {"name": "disk.vhd", "size": N,
 *  "identity": "...", "extents": "..."}, "digest": "xxh3-128", "parts": [
 *   {"offset": N, "length": N, "digest": "..."},
 *   {"offset": N, "length": N, "zeros": true}]}
 *
 * Parts are ascending and start at multiples of "part-size"; a run of parts
 * that are all zeros is one entry.  Some may be missing: another shard's.
 */

#ifndef VDISK_EXPORT_MANIFEST_H
#define VDISK_EXPORT_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "vdisk.h"

/* Changes with the bytes of an output of the same image and options. */
#define LAYOUT_VERSION 1

#define DIGEST_SIZE 16

struct part {
  uint64_t offset, length;
  bool zeros;
  uint8_t digest[DIGEST_SIZE];  /* XXH3, 128 bits, canonical; unless zeros */
};

struct manifest {
  char *format;
  json_t *options;              /* an array of "name=value" */
  uint64_t size, part_size;
  char *image;                  /* its name, for messages alone */
  uint64_t image_size;
  char *identity;
  char *extents;                /* of the map with the holes of files, as
                                   the output is laid out by; NULL: by
                                   nothing of it */
  json_t *stamps;               /* of the image's files; NULL: left out */
  struct part *parts;
  size_t count, room;
};

/* Free what it has, and make it one of zeros. */
void manifest_clear (struct manifest *manifest);

/* Add a part behind all others.  A run of zeros is made longer. */
int manifest_add (struct manifest *manifest, const struct part *part,
                  struct vdisk_error *error);

/* Where the parts from 'offset' on, one behind the other, end. */
uint64_t manifest_covered (const struct manifest *manifest, uint64_t offset);

/* Read one into a manifest of zeros.  1 if there is no such file, or
 * nothing in it. */
int manifest_read (struct manifest *manifest, const char *path,
                   struct vdisk_error *error);

/* Is 'other', which was read from 'path', of the same output?  If not, an
 * error that says by name what differs. */
int manifest_check_same (const struct manifest *manifest,
                         const struct manifest *other, const char *path,
                         struct vdisk_error *error);

/* The name of the file that becomes it, if nothing comes between.  The caller
 * frees it.  NULL if out of memory. */
char *manifest_beside (const char *path);

/* Put it in place of the file at once: there is the old one or the new one,
 * whatever happens, also after a crash if it is to be 'durable'. */
int manifest_write (const struct manifest *manifest, const char *path,
                    bool durable, struct vdisk_error *error);

/* The same with the parts that the file has and the manifest has not: other
 * processes may do so with the same file at the same time. */
int manifest_merge (struct manifest *manifest, const char *path,
                    struct vdisk_error *error);

#endif /* VDISK_EXPORT_MANIFEST_H */
