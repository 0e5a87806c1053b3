/* SPDX-License-Identifier: BSD-3-Clause */
/* Taking semaphore: never more at a time than there are, and in order. */

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "support.h"
#include "util/semaphore.h"

#define THREADS 8

struct shared {
  struct semaphore semaphore;
  atomic_uint inside, most;     /* threads that have a turn */
  unsigned order[THREADS];      /* who came in first, second, ... */
  unsigned came;
};

struct user {
  pthread_t thread;
  struct shared *shared;
  unsigned number, times;
};

static void
work_a_little (void)
{
  const struct timespec time = { .tv_nsec = 20000 };

  nanosleep (&time, NULL);
}

static void *
take_turns (void *opaque)
{
  struct user *user = opaque;
  struct shared *shared = user->shared;
  unsigned i;

  for (i = 0; i < user->times; ++i) {
    unsigned inside, most;

    semaphore_wait (&shared->semaphore);
    inside = atomic_fetch_add (&shared->inside, 1) + 1;
    most = shared->most;
    while (inside > most &&
           !atomic_compare_exchange_weak (&shared->most, &most, inside))
      ;
    work_a_little ();
    atomic_fetch_sub (&shared->inside, 1);
    semaphore_post (&shared->semaphore);
  }
  return NULL;
}

static void
start (struct user *user, void *(*run) (void *))
{
  ck_assert_int_eq (pthread_create (&user->thread, NULL, run, user), 0);
}

START_TEST (not_too_many)
{
  struct shared shared = { .most = 0 };
  struct user users[THREADS];
  const unsigned count = _i;
  unsigned i;

  semaphore_init (&shared.semaphore, count);
  for (i = 0; i < THREADS; ++i) {
    users[i] = (struct user) { .shared = &shared, .times = 200 };
    start (&users[i], take_turns);
  }
  for (i = 0; i < THREADS; ++i)
    pthread_join (users[i].thread, NULL);
  ck_assert_uint_le (shared.most, count);
  ck_assert_uint_ge (shared.most, 1);
  ck_assert_uint_eq (shared.semaphore.left, count);
  ck_assert_uint_eq (shared.semaphore.waiting, 0);
  ck_assert_ptr_null (shared.semaphore.first);
  semaphore_destroy (&shared.semaphore);
}
END_TEST

static void *
take_one_turn (void *opaque)
{
  struct user *user = opaque;
  struct shared *shared = user->shared;

  semaphore_wait (&shared->semaphore);
  /* There is one turn: it protects these. */
  shared->order[shared->came++] = user->number;
  semaphore_post (&shared->semaphore);
  return NULL;
}

static unsigned
count_waiting (struct semaphore *semaphore)
{
  unsigned waiting;

  pthread_mutex_lock (&semaphore->lock);
  waiting = semaphore->waiting;
  pthread_mutex_unlock (&semaphore->lock);
  return waiting;
}

START_TEST (in_order)
{
  struct shared shared = { .came = 0 };
  struct user users[THREADS];
  unsigned i;

  semaphore_init (&shared.semaphore, 1);
  semaphore_wait (&shared.semaphore);
  for (i = 0; i < THREADS; ++i) {
    users[i] = (struct user) { .shared = &shared, .number = i };
    start (&users[i], take_one_turn);
    while (count_waiting (&shared.semaphore) != i + 1)
      work_a_little ();
  }
  ck_assert_uint_eq (shared.came, 0);
  semaphore_post (&shared.semaphore);
  for (i = 0; i < THREADS; ++i)
    pthread_join (users[i].thread, NULL);
  for (i = 0; i < THREADS; ++i)
    ck_assert_uint_eq (shared.order[i], i);
  ck_assert_uint_eq (shared.semaphore.left, 1);
  semaphore_destroy (&shared.semaphore);
}
END_TEST

/* Whoever gives a turn while somebody waits, and wants one again, has to
 * wait behind. */
START_TEST (handed_over)
{
  struct shared shared = { .came = 0 };
  struct user user = { .shared = &shared, .number = 7 };
  unsigned i;

  semaphore_init (&shared.semaphore, 1);
  for (i = 0; i < 50; ++i) {
    shared.came = 0;
    semaphore_wait (&shared.semaphore);
    start (&user, take_one_turn);
    while (count_waiting (&shared.semaphore) != 1)
      work_a_little ();
    semaphore_post (&shared.semaphore);
    semaphore_wait (&shared.semaphore);
    ck_assert_uint_eq (shared.came, 1);
    semaphore_post (&shared.semaphore);
    pthread_join (user.thread, NULL);
  }
  semaphore_destroy (&shared.semaphore);
}
END_TEST

START_TEST (for_processors)
{
  ck_assert_uint_ge (semaphore_count_for_processors (), 2);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("semaphore");
  TCase *tcase = tcase_create ("semaphore");

  tcase_set_timeout (tcase, 60);
  tcase_add_loop_test (tcase, not_too_many, 1, 4);
  tcase_add_test (tcase, in_order);
  tcase_add_test (tcase, handed_over);
  tcase_add_test (tcase, for_processors);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
