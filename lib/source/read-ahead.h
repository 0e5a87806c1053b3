/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading tables from where each request is a journey: a small read brings
 * what lies around it, which is kept for a while.  Bounded in memory; may
 * be used by many threads.  It is source_pread that reads through it: a block
 * that cannot be read as a whole does no harm to what of it can.
 */

#ifndef VDISK_READ_AHEAD_H
#define VDISK_READ_AHEAD_H

struct source;
struct read_ahead;

/* What is read at a time: an aligned block of so many bytes.  Reads of so
 * many or more gain nothing. */
#define READ_AHEAD_BLOCK (64 << 10)

/* For a source that must outlive it.  NULL if out of memory. */
struct read_ahead *read_ahead_new (struct source *source);

/* Accepts NULL. */
void read_ahead_free (struct read_ahead *ahead);

#endif /* VDISK_READ_AHEAD_H */
