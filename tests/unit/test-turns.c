/* SPDX-License-Identifier: BSD-3-Clause */
/* Taking turns: never more at a time than there are, and in order. */

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "support.h"
#include "turns.h"

#define THREADS 8

struct shared {
  struct turns turns;
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

    turns_take (&shared->turns);
    inside = atomic_fetch_add (&shared->inside, 1) + 1;
    most = shared->most;
    while (inside > most &&
           !atomic_compare_exchange_weak (&shared->most, &most, inside))
      ;
    work_a_little ();
    atomic_fetch_sub (&shared->inside, 1);
    turns_give (&shared->turns);
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

  turns_init (&shared.turns, count);
  for (i = 0; i < THREADS; ++i) {
    users[i] = (struct user) { .shared = &shared, .times = 200 };
    start (&users[i], take_turns);
  }
  for (i = 0; i < THREADS; ++i)
    pthread_join (users[i].thread, NULL);
  ck_assert_uint_le (shared.most, count);
  ck_assert_uint_ge (shared.most, 1);
  ck_assert_uint_eq (shared.turns.left, count);
  ck_assert_uint_eq (shared.turns.waiting, 0);
  ck_assert_ptr_null (shared.turns.first);
  turns_destroy (&shared.turns);
}
END_TEST

static void *
take_one_turn (void *opaque)
{
  struct user *user = opaque;
  struct shared *shared = user->shared;

  turns_take (&shared->turns);
  /* There is one turn: it protects these. */
  shared->order[shared->came++] = user->number;
  turns_give (&shared->turns);
  return NULL;
}

static unsigned
count_waiting (struct turns *turns)
{
  unsigned waiting;

  pthread_mutex_lock (&turns->lock);
  waiting = turns->waiting;
  pthread_mutex_unlock (&turns->lock);
  return waiting;
}

START_TEST (in_order)
{
  struct shared shared = { .came = 0 };
  struct user users[THREADS];
  unsigned i;

  turns_init (&shared.turns, 1);
  turns_take (&shared.turns);
  for (i = 0; i < THREADS; ++i) {
    users[i] = (struct user) { .shared = &shared, .number = i };
    start (&users[i], take_one_turn);
    while (count_waiting (&shared.turns) != i + 1)
      work_a_little ();
  }
  ck_assert_uint_eq (shared.came, 0);
  turns_give (&shared.turns);
  for (i = 0; i < THREADS; ++i)
    pthread_join (users[i].thread, NULL);
  for (i = 0; i < THREADS; ++i)
    ck_assert_uint_eq (shared.order[i], i);
  ck_assert_uint_eq (shared.turns.left, 1);
  turns_destroy (&shared.turns);
}
END_TEST

/* Whoever gives a turn while somebody waits, and wants one again, has to
 * wait behind. */
START_TEST (handed_over)
{
  struct shared shared = { .came = 0 };
  struct user user = { .shared = &shared, .number = 7 };
  unsigned i;

  turns_init (&shared.turns, 1);
  for (i = 0; i < 50; ++i) {
    shared.came = 0;
    turns_take (&shared.turns);
    start (&user, take_one_turn);
    while (count_waiting (&shared.turns) != 1)
      work_a_little ();
    turns_give (&shared.turns);
    turns_take (&shared.turns);
    ck_assert_uint_eq (shared.came, 1);
    turns_give (&shared.turns);
    pthread_join (user.thread, NULL);
  }
  turns_destroy (&shared.turns);
}
END_TEST

START_TEST (for_processors)
{
  ck_assert_uint_ge (turns_for_processors (), 2);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("turns");
  TCase *tcase = tcase_create ("turns");

  tcase_set_timeout (tcase, 60);
  tcase_add_loop_test (tcase, not_too_many, 1, 4);
  tcase_add_test (tcase, in_order);
  tcase_add_test (tcase, handed_over);
  tcase_add_test (tcase, for_processors);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
