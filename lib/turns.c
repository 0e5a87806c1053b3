/* SPDX-License-Identifier: BSD-3-Clause */
/* A turn that is given while somebody waits is handed over: were it only
 * free, whoever is running would mostly take it before the one who was
 * woken.
 */

#include "turns.h"

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

/* A thread that waits. */
struct turn {
  struct turn *next;
  pthread_cond_t come;
  bool has_come;
};

/* One more than processors: while somebody wakes up another works. */
unsigned
turns_for_processors (void)
{
  cpu_set_t processors;

  /* It fails where there are more than cpu_set_t has room for. */
  if (sched_getaffinity (0, sizeof processors, &processors) == -1)
    return CPU_SETSIZE;
  return CPU_COUNT (&processors) + 1;
}

void
turns_init (struct turns *turns, unsigned count)
{
  pthread_mutex_init (&turns->lock, NULL);
  turns->left = count;
  turns->waiting = 0;
  turns->first = turns->last = NULL;
}

void
turns_destroy (struct turns *turns)
{
  pthread_mutex_destroy (&turns->lock);
}

/* The lock is held. */
static void
wait_for_turn (struct turns *turns)
{
  struct turn turn = { .next = NULL };

  pthread_cond_init (&turn.come, NULL);
  if (turns->first)
    turns->last->next = &turn;
  else
    turns->first = &turn;
  turns->last = &turn;
  turns->waiting++;
  while (!turn.has_come)
    pthread_cond_wait (&turn.come, &turns->lock);
  pthread_cond_destroy (&turn.come);
}

void
turns_take (struct turns *turns)
{
  pthread_mutex_lock (&turns->lock);
  if (turns->left > 0)
    turns->left--;
  else
    wait_for_turn (turns);
  pthread_mutex_unlock (&turns->lock);
}

void
turns_give (struct turns *turns)
{
  struct turn *next;

  pthread_mutex_lock (&turns->lock);
  next = turns->first;
  if (next) {
    turns->first = next->next;
    turns->waiting--;
    next->has_come = true;
    pthread_cond_signal (&next->come);
  }
  else
    turns->left++;
  pthread_mutex_unlock (&turns->lock);
}
