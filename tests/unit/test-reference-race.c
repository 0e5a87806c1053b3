/* SPDX-License-Identifier: BSD-3-Clause */
/* References while somebody who may write to the directory of the images
 * exchanges what names stand for: directories and files for symbolic links
 * that lead outside, files for FIFOs.  Whatever the moment, a file outside
 * is never opened, and nothing waits.
 */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"
#include "reference.h"
#include "scratch.h"
#include "source/file.h"
#include "source/memory.h"
#include "support.h"

/* Each name is opened so often, or for so long; longer if one of the two
 * outcomes was not seen by then.  Under valgrind, which runs one thread at
 * a time for as long as it likes, it may not be seen at all. */
#define ROUNDS 20000
#define SECONDS 5
#define SECONDS_MAX 60

static const char inside[] = "inside";
static const char outside[] = "outside";

static struct vdisk_options *options;

static void
make_tree (void)
{
  static const char *const directories[] = {
    "images", "images/sub", "images/sub/deep", "outside", "outside/deep",
  };
  size_t i;

  scratch_setup ();
  for (i = 0; i < sizeof directories / sizeof directories[0]; ++i)
    ck_assert_int_eq (mkdir (scratch_path (directories[i]), 0700), 0);
  scratch_write ("images/base", inside, sizeof inside);
  scratch_write ("images/sub/base", inside, sizeof inside);
  scratch_write ("images/sub/deep/base", inside, sizeof inside);
  scratch_write ("outside/base", outside, sizeof outside);
  scratch_write ("outside/deep/base", outside, sizeof outside);
  ck_assert_int_eq (symlink ("../outside",
                             scratch_path ("images/out")), 0);
  ck_assert_int_eq (symlink ("../outside/base",
                             scratch_path ("images/base-out")), 0);
  ck_assert_int_eq (mkfifo (scratch_path ("images/fifo"), 0600), 0);
  options = vdisk_options_new ();
}

static void
free_tree (void)
{
  vdisk_options_free (options);
  scratch_teardown ();
}

static bool
exchange (const char *a, const char *b)
{
  return renameat2 (AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0;
}

/* Does the source say that it is outside?  Closes it. */
static bool
is_outside (struct source *source)
{
  char text[sizeof outside] = "";

  source_pread (source, text, source->size < sizeof text ? source->size
                : sizeof text, 0, NULL);
  source_close (source);
  return strcmp (text, inside) != 0;
}

static struct source *
follow (struct source *from, const char *name, struct vdisk_error *error)
{
  error_clear (error);
  return reference_open (from, "backing file", name, options, error);
}

/* --- Exchanged between two steps ------------------------------------- */

/* What has been opened counts as being where it was. */
static void
check_second_step (struct source *one, const char *name)
{
  const char *a = scratch_path ("images/sub"), *b = scratch_path ("images/out");
  struct vdisk_error error;
  struct source *two;

  ck_assert_ptr_nonnull (one);
  two = follow (one, name, &error);
  ck_assert_msg (two != NULL, "%s", error.message);
  ck_assert (!is_outside (two));
  ck_assert (exchange (a, b));
  two = follow (one, name, &error);
  ck_assert (exchange (a, b));
  source_close (one);
  ck_assert_msg (two == NULL, "%s: opened what is %s", name,
                 is_outside (two) ? "outside" : "inside");
  ck_assert_int_eq (error.errnum, EPERM);
}

START_TEST (second_step)
{
  static const char *const names[] = { "base", "deep/base", "./base" };
  struct source *top = source_memory (scratch_path ("images/top"), "", 0);
  struct vdisk_error error;
  size_t i;

  for (i = 0; i < 3; ++i)
    check_second_step (follow (top, "sub/base", &error), names[i]);
  source_close (top);
}
END_TEST

START_TEST (first_step)
{
  check_second_step (source_file_open (scratch_path ("images/sub/base"),
                                       true, NULL), "base");
}
END_TEST

/* --- Exchanged at any moment ----------------------------------------- */

struct swapper {
  pthread_t thread;
  char *a, *b;
  atomic_bool stop;
  unsigned long swaps;
};

static bool
on_valgrind (void)
{
  return getenv ("VDISK_VALGRIND") != NULL;
}

static void *
swap (void *opaque)
{
  struct swapper *swapper = opaque;

  while (!atomic_load (&swapper->stop) || swapper->swaps % 2) {
    swapper->swaps += exchange (swapper->a, swapper->b);
    if (on_valgrind ())
      usleep (500);
  }
  return NULL;
}

static void
start (struct swapper *swapper, const char *a, const char *b)
{
  *swapper = (struct swapper) {
    .a = strdup (scratch_path (a)), .b = strdup (scratch_path (b)),
  };
  ck_assert_int_eq (pthread_create (&swapper->thread, NULL, swap, swapper),
                    0);
}

static void
stop (struct swapper *swapper)
{
  atomic_store (&swapper->stop, true);
  pthread_join (swapper->thread, NULL);
  free (swapper->a);
  free (swapper->b);
}

static bool
goes_on (unsigned long opened, unsigned long refused, time_t began)
{
  const time_t seconds = time (NULL) - began;

  if (!on_valgrind () && (opened == 0 || refused == 0))
    return seconds < SECONDS_MAX;
  return opened + refused < ROUNDS && seconds < SECONDS;
}

/* A name of the image, what is exchanged, and what may come of it besides
 * the file inside. */
static const struct {
  const char *name, *a, *b;
  int errnums[4];
} races[] = {
  { "sub/base", "images/sub", "images/out", { EPERM, ENOTDIR } },
  { "sub/deep/base", "images/sub", "images/out", { EPERM, ENOTDIR } },
  { "sub/../base", "images/sub", "images/out", { EPERM, ENOENT } },
  { "base", "images/base", "images/base-out", { EPERM, EINVAL, ELOOP } },
  { "base", "images/base", "images/fifo", { EINVAL } },
  { "./sub/base", "images/sub/base", "images/fifo", { EINVAL } },
};

static void
check_refusal (const struct vdisk_error *error, const int *errnums)
{
  size_t i;

  for (i = 0; errnums[i] != error->errnum; ++i)
    if (errnums[i] == 0)
      ck_abort_msg ("errnum %d: %s", error->errnum, error->message);
}

START_TEST (any_moment)
{
  unsigned long opened = 0, refused = 0;
  const time_t began = time (NULL);
  struct vdisk_error error;
  struct swapper swapper;

  start (&swapper, races[_i].a, races[_i].b);
  while (goes_on (opened, refused, began)) {
    struct source *top = source_memory (scratch_path ("images/top"), "", 0);
    struct source *base = follow (top, races[_i].name, &error);

    if (base == NULL) {
      check_refusal (&error, races[_i].errnums);
      refused++;
    }
    else if (is_outside (base))
      ck_abort_msg ("opened what is outside after %lu", opened + refused);
    else
      opened++;
    source_close (top);
  }
  stop (&swapper);
  printf ("%s: %lu times opened, %lu refused, %lu exchanges\n",
          races[_i].name, opened, refused, swapper.swaps);
  ck_assert (on_valgrind () || (opened > 0 && refused > 0));
}
END_TEST

/* The image itself goes by the name that is exchanged.  Either it or what
 * is outside is opened, as the user's name says; its reference leads to
 * where it is itself. */
START_TEST (image_moves)
{
  char *from = strdup (scratch_path ("images/sub/base"));
  unsigned long opened = 0, refused = 0;
  const time_t began = time (NULL);
  struct vdisk_error error;
  struct swapper swapper;

  start (&swapper, "images/sub", "images/out");
  while (goes_on (opened, refused, began)) {
    struct source *top = source_file_open (from, true, NULL);
    struct source *base = top ? follow (top, "deep/base", &error) : NULL;

    if (base == NULL)
      refused++;
    else {
      opened++;
      if (is_outside (base) && top->size == sizeof inside)
        ck_abort_msg ("opened what is outside after %lu", opened);
    }
    source_close (top);
  }
  stop (&swapper);
  printf ("%lu times opened, %lu refused, %lu exchanges\n", opened, refused,
          swapper.swaps);
  ck_assert (on_valgrind () || (opened > 0 && refused > 0));
  free (from);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("reference-race");
  TCase *tcase = tcase_create ("reference-race");

  tcase_add_checked_fixture (tcase, make_tree, free_tree);
  tcase_set_timeout (tcase, 120);
  tcase_add_test (tcase, first_step);
  tcase_add_test (tcase, second_step);
  tcase_add_loop_test (tcase, any_moment, 0,
                       sizeof races / sizeof races[0]);
  tcase_add_test (tcase, image_moves);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
