/* SPDX-License-Identifier: BSD-3-Clause */
/* Taking turns: at most so many threads at a time do what keeps a
 * processor busy, and those that wait get their turn in the order in which
 * they came.
 *
 * With many threads on few processors each is interrupted by the others,
 * and what took long before it is served takes longest: the slowest of a
 * hundred requests took two to three times as long.
 */

#ifndef VDISK_TURNS_H
#define VDISK_TURNS_H

#include <pthread.h>

struct turn;

struct turns {
  pthread_mutex_t lock;
  unsigned left;                /* that nobody has or waits for */
  unsigned waiting;
  struct turn *first, *last;    /* of those who wait */
};

/* As many turns as are best for the processors that the calling thread may
 * run on. */
unsigned turns_for_processors (void);

void turns_init (struct turns *turns, unsigned count);
void turns_destroy (struct turns *turns);

/* Wait for a turn; let the next have it. */
void turns_take (struct turns *turns);
void turns_give (struct turns *turns);

#endif /* VDISK_TURNS_H */
