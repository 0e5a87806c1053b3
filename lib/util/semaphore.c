/* SPDX-License-Identifier: BSD-3-Clause */
/* A place that is given up while somebody waits is handed over: were it only
 * free, whoever is running would mostly take it before the one who was
 * woken.
 */

#include "util/semaphore.h"

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

/* A thread that waits. */
struct waiter {
  struct waiter *next;
  pthread_cond_t come;
  bool has_come;
};

/* One more than processors: while somebody wakes up another works. */
unsigned
semaphore_count_for_processors (void)
{
  cpu_set_t processors;

  /* It fails where there are more than cpu_set_t has room for. */
  if (sched_getaffinity (0, sizeof processors, &processors) == -1)
    return CPU_SETSIZE;
  return CPU_COUNT (&processors) + 1;
}

void
semaphore_init (struct semaphore *semaphore, unsigned count)
{
  pthread_mutex_init (&semaphore->lock, NULL);
  semaphore->left = count;
  semaphore->waiting = 0;
  semaphore->first = semaphore->last = NULL;
}

void
semaphore_destroy (struct semaphore *semaphore)
{
  pthread_mutex_destroy (&semaphore->lock);
}

/* The lock is held. */
static void
wait_in_line (struct semaphore *semaphore)
{
  struct waiter self = { .next = NULL };

  pthread_cond_init (&self.come, NULL);
  if (semaphore->first)
    semaphore->last->next = &self;
  else
    semaphore->first = &self;
  semaphore->last = &self;
  semaphore->waiting++;
  while (!self.has_come)
    pthread_cond_wait (&self.come, &semaphore->lock);
  pthread_cond_destroy (&self.come);
}

void
semaphore_wait (struct semaphore *semaphore)
{
  pthread_mutex_lock (&semaphore->lock);
  if (semaphore->left > 0)
    semaphore->left--;
  else
    wait_in_line (semaphore);
  pthread_mutex_unlock (&semaphore->lock);
}

void
semaphore_post (struct semaphore *semaphore)
{
  struct waiter *next;

  pthread_mutex_lock (&semaphore->lock);
  next = semaphore->first;
  if (next) {
    semaphore->first = next->next;
    semaphore->waiting--;
    next->has_come = true;
    pthread_cond_signal (&next->come);
  }
  else
    semaphore->left++;
  pthread_mutex_unlock (&semaphore->lock);
}
