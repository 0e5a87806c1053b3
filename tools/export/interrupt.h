/* SPDX-License-Identifier: BSD-3-Clause */
/* Ctrl-C and its kin, for commands that have something to clean up: the
 * first signal is only remembered, and then there is little time to notice
 * it; the second ends the program.  Either way no half a file is left.
 */

#ifndef VDISK_INTERRUPT_H
#define VDISK_INTERRUPT_H

#include <stdbool.h>

#include "vdisk.h"

/* Remember SIGINT, SIGTERM and SIGHUP from now on.  System calls that wait
 * return with EINTR. */
void interrupt_catch (void);

/* Has there been one? */
bool interrupted (void);

/* A descriptor that can be read from the first signal on; -1: none. */
int interrupt_descriptor (void);

/* Record that as an error (EINTR), if there has been one: -1 then. */
int interrupt_check (struct vdisk_error *error);

/* All has been cleaned up: signals change nothing any more, so that there is
 * one message. */
void interrupt_no_more (void);

/* The file to remove if the program has to end at once, a string that
 * stays; NULL: none. */
void interrupt_set_partial (const char *path);

/* Create a file, if there is none of that name, and make it the one to
 * remove.  Its descriptor, or -1 with errno set. */
int interrupt_create (const char *path);

#endif /* VDISK_INTERRUPT_H */
