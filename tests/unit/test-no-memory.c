/* SPDX-License-Identifier: BSD-3-Clause */
/* No memory: of everything done with an image of each kind, each
 * allocation fails once.  The call it fails in either does without or says
 * ENOMEM, the same call succeeds when made again, all results are what they
 * are with memory enough, and nothing leaks.
 *
 * The linker puts the __wrap functions here in place of the allocators
 * (see the Makefile), in the library as in this program.
 */

#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <libdeflate.h>
#include <zstd.h>

#include "gallery.h"
#include "scratch.h"
#include "support.h"

/* --- Allocators ------------------------------------------------------ */

static size_t asked;            /* allocations since 'fail_at' was set */
static size_t fail_at = SIZE_MAX, fail_now;
static long living;             /* allocated, and not freed yet */

/* Is this one to fail? */
static bool
fails (void)
{
  if (asked++ != fail_at)
    return false;
  errno = ENOMEM;
  return true;
}

static void *
counted (void *p)
{
  living += p != NULL;
  return p;
}

#define WRAP(type, name, parameters, arguments)                 \
  type __real_##name parameters;                                \
  type __wrap_##name parameters;                                \
  type                                                          \
  __wrap_##name parameters                                      \
  {                                                             \
    return fails () ? NULL : counted (__real_##name arguments); \
  }

WRAP (void *, malloc, (size_t size), (size))
WRAP (void *, calloc, (size_t n, size_t size), (n, size))
WRAP (char *, strdup, (const char *s), (s))
WRAP (char *, strndup, (const char *s, size_t n), (s, n))
WRAP (char *, realpath, (const char *path, char *to), (path, to))

/* What these free does not come by way of __wrap_free. */
#undef counted
#define counted(p) (p)
WRAP (struct libdeflate_decompressor *, libdeflate_alloc_decompressor,
      (void), ())
WRAP (ZSTD_DCtx *, ZSTD_createDCtx, (void), ())
#undef counted

void *__real_realloc (void *p, size_t size);
void *__wrap_realloc (void *p, size_t size);
void *__real_reallocarray (void *p, size_t n, size_t size);
void *__wrap_reallocarray (void *p, size_t n, size_t size);
void __real_free (void *p);
void __wrap_free (void *p);
int __wrap___asprintf_chk (char **to, int flag, const char *format, ...)
  __attribute__ ((format (printf, 3, 4)));
int __wrap_asprintf (char **to, const char *format, ...)
  __attribute__ ((format (printf, 2, 3)));

void *
__wrap_realloc (void *p, size_t size)
{
  if (fails ())
    return NULL;
  return p ? __real_realloc (p, size) : counted (__real_realloc (p, size));
}

void *
__wrap_reallocarray (void *p, size_t n, size_t size)
{
  if (fails ())
    return NULL;
  return p ? __real_reallocarray (p, n, size)
    : counted (__real_reallocarray (p, n, size));
}

void
__wrap_free (void *p)
{
  living -= p != NULL;
  __real_free (p);
}

static int
__attribute__ ((format (printf, 2, 0)))
failing_asprintf (char **to, const char *format, va_list args)
{
  int r = fails () ? -1 : vasprintf (to, format, args);

  living += r != -1;
  return r;
}

int
__wrap_asprintf (char **to, const char *format, ...)
{
  va_list args;
  int r;

  va_start (args, format);
  r = failing_asprintf (to, format, args);
  va_end (args);
  return r;
}

/* What asprintf is where _FORTIFY_SOURCE is defined. */
int
__wrap___asprintf_chk (char **to, int flag, const char *format, ...)
{
  va_list args;
  int r;

  (void) flag;
  va_start (args, format);
  r = failing_asprintf (to, format, args);
  va_end (args);
  return r;
}

/* --- What is done with an image -------------------------------------- */

/* What came of it all, in short. */
struct outcome {
  uint64_t digest;
  unsigned failures;            /* calls that said ENOMEM */
};

static void
digest (uint64_t *sum, const void *bytes, size_t size)
{
  const uint8_t *p = bytes;
  size_t i;

  for (i = 0; i < size; ++i)
    *sum = (*sum ^ p[i]) * UINT64_C (0x100000001b3);
}

/* An assertion that itself allocates nothing. */
#define must(condition, ...)                                            \
  do {                                                                  \
    if (!(condition)) {                                                 \
      fail_at = SIZE_MAX;                                               \
      ck_abort_msg (__VA_ARGS__);                                       \
    }                                                                   \
  } while (0)

/* Make a call until it succeeds, which is the second time at the latest:
 * only one allocation fails. */
#define try_twice(outcome, name, error, call)                           \
  do {                                                                  \
    unsigned times = 0;                                                 \
                                                                        \
    while (!(call)) {                                                   \
      must ((error).errnum == ENOMEM && times++ == 0 &&                 \
            asked > fail_at && strstr ((error).message, "memory"),      \
            "allocation %zu: %s: errnum %d: %s", fail_now, (name),      \
            (error).errnum, (error).message);                           \
      (outcome)->failures++;                                            \
    }                                                                   \
  } while (0)

static void
read_all (struct vdisk *vdisk, struct outcome *outcome)
{
  static uint8_t buffer[3 * 4096];
  const uint64_t size = vdisk_size (vdisk);
  struct vdisk_error error;
  uint64_t offset, count;

  /* Whole clusters, and pieces of some that are kept. */
  for (offset = 0; offset < size; offset += count) {
    count = size - offset < sizeof buffer ? size - offset : sizeof buffer;
    if (offset % 5 == 0 && count > 5000)
      count = 5000;
    try_twice (outcome, "pread", error,
               vdisk_pread (vdisk, buffer, count, offset, &error) == 0);
    digest (&outcome->digest, buffer, count);
  }
  try_twice (outcome, "prefetch", error,
             vdisk_prefetch (vdisk, 0, size, &error) == 0);
}

/* Extents as they are however they were cut. */
struct telling {
  uint64_t sum;
  uint64_t end;
};

static int
take_extent (void *opaque, const struct vdisk_extent *extent)
{
  struct telling *telling = opaque;
  uint64_t at;

  must (extent->offset == telling->end, "a gap in the extents");
  for (at = 0; at < extent->length; at += 512) {
    const uint64_t host = extent->host_offset == VDISK_NO_HOST_OFFSET ? 0 :
      extent->host_offset + (extent->kind == VDISK_PACKED ? 0 : at);

    digest (&telling->sum, &host, sizeof host);
    digest (&telling->sum, &extent->kind, sizeof extent->kind);
    digest (&telling->sum, &extent->depth, sizeof extent->depth);
  }
  telling->end += extent->length;
  return 0;
}

static bool
map_all (struct vdisk *vdisk, struct telling *telling,
         struct vdisk_error *error)
{
  *telling = (struct telling) { 0 };
  return vdisk_extents (vdisk, 0, vdisk_size (vdisk), take_extent, telling,
                        error) == 0;
}

static void
describe_all (struct vdisk *vdisk, struct outcome *outcome)
{
  struct vdisk_error error;
  unsigned depth;
  char *text;

  for (depth = 0; depth < vdisk_layers (vdisk); ++depth) {
    try_twice (outcome, "describe", error,
               (text = vdisk_describe (vdisk, depth, &error)) != NULL);
    digest (&outcome->digest, text, strlen (text));
    vdisk_free (text);
  }
}

static void
take_finding (void *opaque, enum vdisk_finding finding, const char *message)
{
  uint64_t *sum = opaque;

  digest (sum, &finding, sizeof finding);
  digest (sum, message, strlen (message));
}

static bool
check_all (struct vdisk *vdisk, uint64_t *sum, struct vdisk_error *error)
{
  struct vdisk_check check = VDISK_CHECK_INIT;
  int r;

  *sum = 0;
  r = vdisk_check (vdisk, take_finding, NULL, sum, &check, error);
  digest (sum, &check, sizeof check);
  return r == 0 || error->errnum == ENOTSUP;
}

static struct outcome
do_all (const struct gallery_image *image, size_t cache_size)
{
  struct outcome outcome = { 0 };
  struct telling telling;
  struct vdisk_error error;
  struct vdisk *vdisk;
  uint64_t sum;

  try_twice (&outcome, "open", error,
             (vdisk = gallery_open (image, cache_size, 0, &error)) != NULL);
  read_all (vdisk, &outcome);
  try_twice (&outcome, "extents", error, map_all (vdisk, &telling, &error));
  digest (&outcome.digest, &telling.sum, sizeof telling.sum);
  describe_all (vdisk, &outcome);
  try_twice (&outcome, "check", error, check_all (vdisk, &sum, &error));
  digest (&outcome.digest, &sum, sizeof sum);
  vdisk_close (vdisk);

  try_twice (&outcome, "inspect", error,
             (vdisk = gallery_open (image, cache_size, 1, &error)) != NULL);
  describe_all (vdisk, &outcome);
  vdisk_close (vdisk);
  return outcome;
}

/* --- Tests ----------------------------------------------------------- */

static struct outcome
do_all_failing (const struct gallery_image *image, size_t cache_size,
                size_t n)
{
  const long before = living;
  struct outcome outcome;

  asked = 0;
  fail_at = fail_now = n;
  outcome = do_all (image, cache_size);
  fail_at = SIZE_MAX;
  ck_assert_msg (living == before, "allocation %zu: %ld of %zu are left", n,
                 living - before, asked);
  return outcome;
}

START_TEST (each_allocation)
{
  const struct gallery_image *image = &gallery[_i / 2];
  const size_t cache_size = _i % 2 ? 0 : 65536;
  struct outcome wanted;
  size_t n, count, failures = 0;

  /* Under valgrind one size of the caches takes long enough. */
  if (cache_size == 0 && getenv ("VDISK_VALGRIND"))
    return;
  wanted = do_all_failing (image, cache_size, SIZE_MAX);
  count = asked;
  ck_assert_uint_eq (wanted.failures, 0);
  for (n = 0; n < count; ++n) {
    struct outcome outcome = do_all_failing (image, cache_size, n);

    ck_assert_msg (outcome.digest == wanted.digest,
                   "allocation %zu: something else came out", n);
    failures += outcome.failures;
  }
  printf ("%s: %zu allocations failed, %zu calls said so\n", image->file,
          count, failures);
  ck_assert_uint_gt (failures, 10);
}
END_TEST

/* The wrappers see what the library does: opening one takes a few. */
START_TEST (is_counted)
{
  struct vdisk_error error;
  struct vdisk *vdisk;

  asked = 0;
  vdisk = gallery_open (&gallery[0], 65536, 0, &error);
  ck_assert_ptr_nonnull (vdisk);
  ck_assert_uint_gt (asked, 8);
  vdisk_close (vdisk);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("no memory");
  TCase *tcase = tcase_create ("no memory");

  json_set_alloc_funcs (__wrap_malloc, __wrap_free);
  tcase_add_unchecked_fixture (tcase, gallery_setup, scratch_teardown);
  tcase_set_timeout (tcase, 600);
  tcase_add_test (tcase, is_counted);
  tcase_add_loop_test (tcase, each_allocation, 0, 2 * gallery_count);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
