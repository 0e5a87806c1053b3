/* SPDX-License-Identifier: BSD-3-Clause */
/* A semaphore that is fair: those who wait get a place in the order in which
 * they came.
 *
 * At most so many threads at a time do what keeps a processor busy.  With
 * many threads on few processors each is interrupted by the others, and what
 * took long before it is served takes longest: without this, or with a
 * semaphore that is not fair, the slowest of a hundred random reads of zlib
 * and zstd clusters (row 7 of the benchmark) took two to three times as long.
 */

#ifndef VDISK_SEMAPHORE_H
#define VDISK_SEMAPHORE_H

#include <pthread.h>

struct waiter;

struct semaphore {
  pthread_mutex_t lock;
  unsigned left;                /* places that nobody has or waits for */
  unsigned waiting;
  struct waiter *first, *last;
};

/* As many places as are best for the processors that the calling thread may
 * run on. */
unsigned semaphore_count_for_processors (void);

void semaphore_init (struct semaphore *semaphore, unsigned count);
void semaphore_destroy (struct semaphore *semaphore);

/* Wait for a place; give it up. */
void semaphore_wait (struct semaphore *semaphore);
void semaphore_post (struct semaphore *semaphore);

#endif /* VDISK_SEMAPHORE_H */
