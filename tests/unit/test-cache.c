/* SPDX-License-Identifier: BSD-3-Clause */
/* The cache: what it keeps and for how long, its budget, and that each
 * thing is loaded once however many threads want it.
 */

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "map/cache.h"
#include "util/error.h"
#include "random.h"
#include "support.h"

/* What loads do, and how many there were. */
struct loads {
  atomic_uint count;
  atomic_uint failures_left;    /* that many fail first */
  size_t size;                  /* of each value; 0: by its key */
  unsigned milliseconds;        /* that each load takes */
};

static size_t
value_size (const struct loads *loads, uint64_t key)
{
  return loads->size ? loads->size : 8 + key * 37 % 3000;
}

static uint8_t
value_byte (uint64_t key, size_t i)
{
  return key * 131 + i * 7 + 1;
}

static void
sleep_for (unsigned milliseconds)
{
  nanosleep (&(struct timespec) { .tv_nsec = milliseconds * 1000000L },
             NULL);
}

/* True for as many loads as are to fail. */
static bool
is_to_fail (struct loads *loads)
{
  unsigned left = atomic_load (&loads->failures_left);

  while (left > 0)
    if (atomic_compare_exchange_weak (&loads->failures_left, &left,
                                      left - 1))
      return true;
  return false;
}

static void *
load (void *opaque, uint64_t key, size_t *size, struct vdisk_error *error)
{
  struct loads *loads = opaque;
  uint8_t *value;
  size_t i;

  atomic_fetch_add (&loads->count, 1);
  if (loads->milliseconds)
    sleep_for (loads->milliseconds);
  if (is_to_fail (loads)) {
    error_record (error, EIO, "no %" PRIu64, key);
    return NULL;
  }
  *size = value_size (loads, key);
  value = malloc (*size);
  if (value)
    for (i = 0; i < *size; ++i)
      value[i] = value_byte (key, i);
  return value;
}

/* True if an entry holds the value of 'key'. */
static bool
is_right (const struct cache_entry *entry, const struct loads *loads,
          uint64_t key)
{
  const uint8_t *value = entry->value;
  size_t i;

  if (entry->size != value_size (loads, key))
    return false;
  for (i = 0; i < entry->size; ++i)
    if (value[i] != value_byte (key, i))
      return false;
  return true;
}

static const struct cache_entry *
get (struct cache *cache, struct loads *loads, uint64_t key)
{
  struct vdisk_error error = { 0 };
  const struct cache_entry *entry = cache_get (cache, 0, key, load, loads,
                                               &error);

  ck_assert_ptr_nonnull (entry);
  ck_assert (is_right (entry, loads, key));
  ck_assert_int_eq (error.errnum, 0);
  return entry;
}

/* Get a thing and give it back.  True if it had to be loaded. */
static bool
touch (struct cache *cache, struct loads *loads, uint64_t key)
{
  unsigned before = loads->count;

  cache_release (cache, get (cache, loads, key));
  ck_assert_uint_le (loads->count - before, 1);
  return loads->count != before;
}

static struct cache *
new_cache (size_t budget)
{
  struct cache *cache = cache_new (budget);

  ck_assert_ptr_nonnull (cache);
  ck_assert_uint_eq (cache_used (cache), 0);
  return cache;
}

/* What one value of this size takes in a cache. */
static size_t
cost_of (size_t size)
{
  struct cache *cache = new_cache (1 << 20);
  struct loads loads = { .size = size };
  size_t used;

  touch (cache, &loads, 1);
  used = cache_used (cache);
  cache_free (cache);
  return used;
}

START_TEST (free_nothing)
{
  struct cache *cache = new_cache (1000);

  cache_release (cache, NULL);
  cache_free (cache);
  cache_free (NULL);
}
END_TEST

START_TEST (hit_and_miss)
{
  struct cache *cache = new_cache (1 << 20);
  struct loads loads = { .size = 100 };
  const struct cache_entry *one, *again;

  one = get (cache, &loads, 1);
  ck_assert_uint_eq (loads.count, 1);
  again = get (cache, &loads, 1);
  ck_assert_uint_eq (loads.count, 1);
  ck_assert_ptr_eq (again->value, one->value);
  ck_assert (touch (cache, &loads, 2));
  ck_assert (touch (cache, &loads, UINT64_MAX));
  ck_assert (touch (cache, &loads, 0));
  ck_assert (!touch (cache, &loads, 1));
  ck_assert (!touch (cache, &loads, UINT64_MAX));
  cache_release (cache, one);
  cache_release (cache, again);
  cache_free (cache);
}
END_TEST

START_TEST (find)
{
  struct cache *cache = new_cache (2 * cost_of (100));
  struct loads loads = { .size = 100 };
  const struct cache_entry *found;

  ck_assert_ptr_null (cache_find (cache, 0, 1));
  touch (cache, &loads, 1);
  touch (cache, &loads, 2);
  found = cache_find (cache, 0, 1);
  ck_assert_ptr_nonnull (found);
  ck_assert (is_right (found, &loads, 1));
  cache_release (cache, found);
  ck_assert_ptr_null (cache_find (cache, 0, 3));
  ck_assert_uint_eq (loads.count, 2);

  /* That was a use of it. */
  touch (cache, &loads, 3);
  ck_assert (!touch (cache, &loads, 1));
  ck_assert (touch (cache, &loads, 2));
  cache_free (cache);
}
END_TEST

START_TEST (used_counts_bookkeeping)
{
  size_t small = cost_of (1), large = cost_of (10000);

  ck_assert_uint_gt (small, 1);
  ck_assert_uint_gt (large, 10000);
  ck_assert_uint_eq (large - small, 9999);
}
END_TEST

/* Room for three: what goes is what was not used for longest. */
START_TEST (eviction_order)
{
  struct cache *cache = new_cache (3 * cost_of (100));
  struct loads loads = { .size = 100 };
  static const struct { uint64_t key; bool loaded; } steps[] = {
    { 1, true }, { 2, true }, { 3, true },
    { 1, false }, { 2, false }, { 3, false },
    { 1, false },               /* 2 is the oldest now */
    { 4, true }, { 1, false }, { 3, false }, { 4, false },
    { 2, true },                /* 1 goes */
    { 3, false }, { 4, false }, { 2, false },
    { 1, true },                /* 3 goes */
    { 3, true },                /* 4 goes */
    { 2, false }, { 1, false }, { 3, false },
    { 3, false }, { 3, false },
    { 4, true },                /* 2 goes */
    { 1, false }, { 3, false }, { 4, false }, { 2, true },
  };
  size_t i;

  for (i = 0; i < sizeof steps / sizeof steps[0]; ++i) {
    ck_assert_msg (touch (cache, &loads, steps[i].key) == steps[i].loaded,
                   "step %zu", i);
    ck_assert_uint_le (cache_used (cache), 3 * cost_of (100));
  }
  ck_assert_uint_eq (cache_used (cache), 3 * cost_of (100));
  cache_free (cache);
}
END_TEST

/* One byte less than three need. */
START_TEST (budget_is_exact)
{
  struct cache *cache = new_cache (3 * cost_of (100) - 1);
  struct loads loads = { .size = 100 };

  ck_assert (touch (cache, &loads, 1));
  ck_assert (touch (cache, &loads, 2));
  ck_assert (touch (cache, &loads, 3));
  ck_assert_uint_eq (cache_used (cache), 2 * cost_of (100));
  ck_assert (!touch (cache, &loads, 2));
  ck_assert (!touch (cache, &loads, 3));
  ck_assert (touch (cache, &loads, 1));
  cache_free (cache);
}
END_TEST

static void
keep_message (void *opaque, const char *message)
{
  snprintf (opaque, 200, "%s", message);
}

/* The figures of a cache; nothing of one that was not used. */
START_TEST (debug)
{
  const size_t cost = cost_of (100);
  struct cache *cache = new_cache (2 * cost);
  struct vdisk_options *options = vdisk_options_new ();
  struct loads loads = { .size = 100 };
  char message[200] = "", expected[200];

  ck_assert_ptr_nonnull (options);
  vdisk_options_set_debug_callback (options, keep_message, message, 0);
  cache_debug (cache, options, "disk", "some cache");
  ck_assert_str_eq (message, "");
  touch (cache, &loads, 1);
  touch (cache, &loads, 2);
  touch (cache, &loads, 3);                     /* 1 goes */
  touch (cache, &loads, 3);
  cache_release (cache, cache_find (cache, 0, 2));
  ck_assert_ptr_null (cache_find (cache, 0, 1));
  cache_debug (cache, options, "disk", "some cache");
  snprintf (expected, sizeof expected, "disk: some cache: 2 hits, 3 misses, "
            "1 evictions, %zu of %zu bytes used", 2 * cost, 2 * cost);
  ck_assert_str_eq (message, expected);
  vdisk_options_free (options);
  cache_free (cache);
}
END_TEST

/* A large value takes the room of many small ones. */
START_TEST (large_value)
{
  struct cache *cache = new_cache (20000);
  struct loads small = { .size = 100 }, large = { .size = 15000 };
  uint64_t key;

  for (key = 0; key < 200; ++key) {
    touch (cache, &small, key);
    ck_assert_uint_le (cache_used (cache), 20000);
  }
  cache_release (cache, get (cache, &large, 1000));
  ck_assert_uint_le (cache_used (cache), 20000);
  ck_assert (!touch (cache, &large, 1000));
  ck_assert (!touch (cache, &small, 199));
  ck_assert (touch (cache, &small, 0));
  cache_free (cache);
}
END_TEST

static const size_t tiny[] = { 0, 1, 7, 100 };

/* Nothing can be kept, but everything can be had. */
START_TEST (tiny_budget)
{
  struct cache *cache = new_cache (tiny[_i]);
  struct loads loads = { .size = 200 };
  const struct cache_entry *one, *two, *again;

  ck_assert (touch (cache, &loads, 1));
  ck_assert (touch (cache, &loads, 1));
  ck_assert_uint_le (cache_used (cache), tiny[_i]);
  one = get (cache, &loads, 1);
  two = get (cache, &loads, 2);
  again = get (cache, &loads, 1);
  ck_assert_uint_le (cache_used (cache), tiny[_i]);
  ck_assert (is_right (one, &loads, 1));
  ck_assert (is_right (two, &loads, 2));
  cache_release (cache, one);
  ck_assert (is_right (again, &loads, 1));
  cache_release (cache, again);
  cache_release (cache, two);
  cache_free (cache);
}
END_TEST

START_TEST (survives_eviction)
{
  struct cache *cache = new_cache (2 * cost_of (500));
  struct loads loads = { .size = 500 };
  const struct cache_entry *held = get (cache, &loads, 1);
  const struct cache_entry *other;
  uint64_t key;

  for (key = 2; key < 100; ++key)
    touch (cache, &loads, key);
  ck_assert_uint_le (cache_used (cache), 2 * cost_of (500));
  ck_assert (is_right (held, &loads, 1));

  /* It was forgotten; another of the same key lives beside it. */
  other = get (cache, &loads, 1);
  ck_assert_uint_eq (loads.count, 100);
  cache_release (cache, held);
  ck_assert (is_right (other, &loads, 1));
  cache_release (cache, other);
  ck_assert (!touch (cache, &loads, 1));
  cache_free (cache);
}
END_TEST

START_TEST (failed_load)
{
  struct cache *cache = new_cache (1 << 20);
  struct loads loads = { .size = 100, .failures_left = 3 };
  struct vdisk_error error;
  unsigned i;

  for (i = 1; i <= 3; ++i) {
    error_clear (&error);
    ck_assert_ptr_null (cache_get (cache, 0, 5, load, &loads,
                                   i == 2 ? NULL : &error));
    ck_assert_uint_eq (loads.count, i);
    ck_assert_int_eq (error.errnum, i == 2 ? 0 : EIO);
    ck_assert_str_eq (error.message, i == 2 ? "" : "no 5");
    ck_assert_uint_eq (cache_used (cache), 0);
  }
  ck_assert (touch (cache, &loads, 5));
  ck_assert (!touch (cache, &loads, 5));
  cache_free (cache);
}
END_TEST

/* Keys by the thousand, near and far: all are kept, and found again. */
START_TEST (many_keys)
{
  static const uint64_t factors[] = { 1, 256, UINT64_C (1) << 32 };
  struct cache *cache = new_cache (64 << 20);
  struct loads loads = { .size = 8 };
  const uint64_t factor = factors[_i];
  uint64_t i;

  for (i = 0; i < 8000; ++i) {
    const struct cache_entry *entry = cache_get (cache, 0, i * factor, load,
                                                 &loads, NULL);

    if (entry == NULL || !is_right (entry, &loads, i * factor))
      ck_abort_msg ("key %" PRIu64, i * factor);
    cache_release (cache, entry);
  }
  ck_assert_uint_eq (loads.count, 8000);
  ck_assert_uint_eq (cache_used (cache), 8000 * cost_of (8));
  for (i = 8000; i-- > 0; ) {
    const struct cache_entry *entry = cache_get (cache, 0, i * factor, load,
                                                 &loads, NULL);

    if (entry == NULL || !is_right (entry, &loads, i * factor))
      ck_abort_msg ("key %" PRIu64, i * factor);
    cache_release (cache, entry);
  }
  ck_assert_uint_eq (loads.count, 8000);
  cache_free (cache);
}
END_TEST

/* A load may itself use the cache, for no lock is held meanwhile. */
struct nested {
  struct cache *cache;
  struct loads loads;
};

static void *
load_nested (void *opaque, uint64_t key, size_t *size,
             struct vdisk_error *error)
{
  struct nested *nested = opaque;

  if (key > 1) {
    const struct cache_entry *below = cache_get (nested->cache, 0, key - 1,
                                                 load_nested, nested,
                                                 error);

    if (below == NULL || !is_right (below, &nested->loads, key - 1))
      return NULL;
    cache_release (nested->cache, below);
  }
  return load (&nested->loads, key, size, error);
}

START_TEST (load_uses_cache)
{
  static const size_t budgets[] = { 0, 2000, 1 << 20 };
  struct nested nested = {
    .cache = new_cache (budgets[_i]), .loads = { .size = 50 },
  };
  const struct cache_entry *entry = cache_get (nested.cache, 0, 300,
                                               load_nested, &nested, NULL);

  ck_assert_ptr_nonnull (entry);
  ck_assert (is_right (entry, &nested.loads, 300));
  ck_assert_uint_eq (nested.loads.count, 300);
  ck_assert_uint_le (cache_used (nested.cache), budgets[_i]);
  cache_release (nested.cache, entry);
  cache_free (nested.cache);
}
END_TEST

/* --- Threads --------------------------------------------------------- */

#define THREADS 16

struct user {
  pthread_t thread;
  pthread_barrier_t *barrier;
  struct cache *cache;
  struct loads *loads;
  const struct cache_entry *entry;
  struct vdisk_error error;
  uint64_t seed;
  size_t budget;
  unsigned wrong;
};

static void
run_users (struct user *users, size_t count, const struct user *all,
           void *(*run) (void *))
{
  pthread_barrier_t barrier;
  size_t i;

  pthread_barrier_init (&barrier, NULL, count);
  for (i = 0; i < count; ++i) {
    users[i] = *all;
    users[i].seed = i;
    users[i].barrier = &barrier;
    ck_assert_int_eq (pthread_create (&users[i].thread, NULL, run,
                                      &users[i]), 0);
  }
  for (i = 0; i < count; ++i)
    pthread_join (users[i].thread, NULL);
  pthread_barrier_destroy (&barrier);
}

static void *
get_once (void *opaque)
{
  struct user *user = opaque;

  pthread_barrier_wait (user->barrier);
  user->entry = cache_get (user->cache, 0, 42, load, user->loads,
                           &user->error);
  return NULL;
}

/* Also where the budget forgets the thing at once: those who waited have
 * it all the same. */
START_TEST (load_once)
{
  struct loads loads = { .size = 1000, .milliseconds = 50 };
  struct user users[THREADS];
  const struct user all = {
    .cache = new_cache (_i ? 1 << 20 : 0), .loads = &loads,
  };
  size_t i;

  run_users (users, THREADS, &all, get_once);
  for (i = 0; i < THREADS; ++i) {
    ck_assert_ptr_nonnull (users[i].entry);
    ck_assert_int_eq (users[i].error.errnum, 0);
    ck_assert (is_right (users[i].entry, &loads, 42));
    if (_i)
      ck_assert_ptr_eq (users[i].entry->value, users[0].entry->value);
  }
  if (_i)
    ck_assert_uint_eq (loads.count, 1);
  for (i = 0; i < THREADS; ++i)
    cache_release (all.cache, users[i].entry);
  cache_free (all.cache);
}
END_TEST

/* Whoever gets nothing is told why; the others have the value. */
static void
check_failing (unsigned failures)
{
  struct loads loads = {
    .size = 1000, .milliseconds = 5, .failures_left = failures,
  };
  struct user users[THREADS];
  const struct user all = { .cache = new_cache (1 << 20), .loads = &loads };
  unsigned failed = 0;
  size_t i;

  run_users (users, THREADS, &all, get_once);
  for (i = 0; i < THREADS; ++i) {
    if (users[i].entry) {
      ck_assert_int_eq (users[i].error.errnum, 0);
      ck_assert (is_right (users[i].entry, &loads, 42));
      cache_release (all.cache, users[i].entry);
    }
    else {
      failed++;
      ck_assert_int_eq (users[i].error.errnum, EIO);
      ck_assert_str_eq (users[i].error.message, "no 42");
    }
  }
  if (failures > 0)
    ck_assert_uint_ge (failed, 1);
  atomic_store (&loads.failures_left, 0);
  touch (all.cache, &loads, 42);
  ck_assert (!touch (all.cache, &loads, 42));
  cache_free (all.cache);
}

START_TEST (failing_load_with_waiters)
{
  check_failing (1);
  check_failing (3);
  check_failing (1000);
}
END_TEST

/* While one thing loads, others can be had. */
struct slow {
  sem_t loading, go_on;
  struct loads loads;
};

static void *
load_slowly (void *opaque, uint64_t key, size_t *size,
             struct vdisk_error *error)
{
  struct slow *slow = opaque;

  sem_post (&slow->loading);
  sem_wait (&slow->go_on);
  return load (&slow->loads, key, size, error);
}

struct slow_user {
  struct cache *cache;
  struct slow *slow;
  const struct cache_entry *entry;
};

static void *
get_slowly (void *opaque)
{
  struct slow_user *user = opaque;

  user->entry = cache_get (user->cache, 0, 1, load_slowly, user->slow, NULL);
  return NULL;
}

START_TEST (nothing_locked_while_loading)
{
  struct slow slow = { .loads = { .size = 100 } };
  struct slow_user user = { .cache = new_cache (100000), .slow = &slow };
  struct loads loads = { .size = 100 };
  pthread_t thread;
  uint64_t key;

  sem_init (&slow.loading, 0, 0);
  sem_init (&slow.go_on, 0, 0);
  ck_assert_int_eq (pthread_create (&thread, NULL, get_slowly, &user), 0);
  sem_wait (&slow.loading);
  for (key = 2; key < 2000; ++key)
    cache_release (user.cache, cache_get (user.cache, 0, key, load, &loads,
                                          NULL));
  ck_assert_uint_eq (loads.count, 1998);
  ck_assert (!touch (user.cache, &loads, 1999));
  sem_post (&slow.go_on);
  pthread_join (thread, NULL);
  ck_assert_ptr_nonnull (user.entry);
  ck_assert (is_right (user.entry, &slow.loads, 1));
  cache_release (user.cache, user.entry);
  sem_destroy (&slow.loading);
  sem_destroy (&slow.go_on);
  cache_free (user.cache);
}
END_TEST

/* Get and hold things at random. */
static void *
stress (void *opaque)
{
  struct user *user = opaque;
  struct random random = { .state = user->seed };
  const struct cache_entry *held[4] = { NULL };
  uint64_t keys[4] = { 0 };
  unsigned i;

  pthread_barrier_wait (user->barrier);
  for (i = 0; i < 1000; ++i) {
    unsigned slot = random_below (&random, 4);

    if (held[slot])
      user->wrong += !is_right (held[slot], user->loads, keys[slot]);
    cache_release (user->cache, held[slot]);
    keys[slot] = random_below (&random, 60);
    held[slot] = cache_get (user->cache, 0, keys[slot], load, user->loads,
                            NULL);
    if (held[slot])
      user->wrong += !is_right (held[slot], user->loads, keys[slot]);
    user->wrong += cache_used (user->cache) > user->budget;
  }
  for (i = 0; i < 4; ++i)
    cache_release (user->cache, held[i]);
  return NULL;
}

static const size_t stress_budgets[] = { 0, 500, 5000, 30000, 1 << 20 };

START_TEST (stress_threads)
{
  struct loads loads = { .failures_left = _i == 2 ? 500 : 0 };
  struct user users[8];
  const struct user all = {
    .cache = new_cache (stress_budgets[_i]), .loads = &loads,
    .budget = stress_budgets[_i],
  };
  size_t i;

  run_users (users, 8, &all, stress);
  for (i = 0; i < 8; ++i)
    ck_assert_uint_eq (users[i].wrong, 0);
  if (stress_budgets[_i] == 1 << 20)
    ck_assert_uint_le (loads.count, 60);
  cache_free (all.cache);
}
END_TEST

#define COUNT(array) ((int) (sizeof (array) / sizeof (array)[0]))

int
main (void)
{
  Suite *suite = suite_create ("cache");
  TCase *tcase = tcase_create ("cache");

  tcase_add_test (tcase, free_nothing);
  tcase_add_test (tcase, hit_and_miss);
  tcase_add_test (tcase, find);
  tcase_add_test (tcase, used_counts_bookkeeping);
  tcase_add_test (tcase, eviction_order);
  tcase_add_test (tcase, budget_is_exact);
  tcase_add_test (tcase, debug);
  tcase_add_test (tcase, large_value);
  tcase_add_loop_test (tcase, tiny_budget, 0, COUNT (tiny));
  tcase_add_test (tcase, survives_eviction);
  tcase_add_test (tcase, failed_load);
  tcase_add_loop_test (tcase, many_keys, 0, 3);
  tcase_add_loop_test (tcase, load_uses_cache, 0, 3);
  suite_add_tcase (suite, tcase);

  tcase = tcase_create ("threads");
  tcase_set_timeout (tcase, 60);
  tcase_add_loop_test (tcase, load_once, 0, 2);
  tcase_add_test (tcase, failing_load_with_waiters);
  tcase_add_test (tcase, nothing_locked_while_loading);
  tcase_add_loop_test (tcase, stress_threads, 0, COUNT (stress_budgets));
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
