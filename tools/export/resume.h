/* SPDX-License-Identifier: BSD-3-Clause */
/* Notes of how far an export has come, so that another can go on.
 *
 * A note is a manifest beside the destination, of the parts that are done.
 * It is written only after those are on stable storage, and put in place at
 * once, so that whatever kills the program, or the machine, what a note says
 * is true.
 */

#ifndef VDISK_EXPORT_RESUME_H
#define VDISK_EXPORT_RESUME_H

#include <stdbool.h>
#include <stdint.h>

#include "vdisk.h"

struct export_parts;
struct manifest;
struct sink;

struct resume {
  char *path;                   /* of the note; NULL: there is to be none */
  uint64_t written_at;          /* milliseconds, of some clock */
  uint64_t interval;            /* until the next */
};

/* Find the note's name.  The sink must be a regular file. */
int resume_init (struct resume *resume, const struct sink *sink,
                 const struct export_parts *parts,
                 struct vdisk_error *error);

/* Take the parts that a note says are done, if there is one, into the
 * manifest, which has none.  A note of another image or output is refused,
 * and so is one that is not of what the sink holds.  *found tells whether
 * there is one. */
int resume_read (const struct resume *resume, const struct sink *sink,
                 struct manifest *manifest, bool *found,
                 struct vdisk_error *error);

/* The parts in the manifest are done: write a note now and then. */
int resume_advance (struct resume *resume, struct sink *sink,
                    const struct manifest *manifest,
                    struct vdisk_error *error);

/* Everything is done: remove the note. */
int resume_finish (const struct resume *resume, struct vdisk_error *error);

void resume_free (struct resume *resume);

#endif /* VDISK_EXPORT_RESUME_H */
