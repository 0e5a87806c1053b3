/* SPDX-License-Identifier: BSD-3-Clause */
/* Ctrl-C and its kin, for commands that have something to clean up: the
 * first signal is only remembered, the second ends the program.
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

/* Record that as an error (EINTR), if there has been one: -1 then. */
int interrupt_check (struct vdisk_error *error);

/* The file to remove if the program has to end at once; NULL: none. */
void interrupt_set_partial (const char *path);

/* End the program at once, for a thread hangs: remove that file. */
void interrupt_exit (void) __attribute__ ((noreturn));

#endif /* VDISK_INTERRUPT_H */
