/* SPDX-License-Identifier: BSD-3-Clause */
/* A directory for the files a suite makes, below $TMPDIR or /tmp.  Use
 * scratch_setup and scratch_teardown as an unchecked fixture, so that the
 * directory goes even if a test fails.
 */

#ifndef UNIT_SCRATCH_H
#define UNIT_SCRATCH_H

#include <stddef.h>

void scratch_setup (void);
void scratch_teardown (void);

/* The directory, without symbolic links in its path. */
const char *scratch_directory (void);

/* The path of a file in it.  One of several static buffers, so that some
 * calls can be made in one expression. */
const char *scratch_path (const char *name);

/* Make a file in it, and return its path as scratch_path does. */
const char *scratch_write (const char *name,
                           const void *bytes, size_t size);

#endif /* UNIT_SCRATCH_H */
