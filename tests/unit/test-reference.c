/* SPDX-License-Identifier: BSD-3-Clause */
/* References: where names found in images lead, and where they may.
 *
 * All tests share one tree of directories.  Each regular file in it says
 * its own name, so that it shows which one was opened.
 */

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "reference.h"
#include "scratch.h"
#include "source/memory.h"
#include "support.h"

static void
make_file (const char *name)
{
  scratch_write (name, name, strlen (name));
}

static void
make_link (const char *target, const char *name)
{
  ck_assert_int_eq (symlink (target, scratch_path (name)), 0);
}

static void
make_tree (void)
{
  static const char *const directories[] = {
    "images", "images/sub", "images/sub/deep", "imagesx", "outside",
  };
  static const char *const files[] = {
    "images/base.img", "images/sub/base.img", "images/sub/deep/base.img",
    "images/sub/a:b.img", "images/a:b.img", "images/ space ",
    "images/new\nline", "imagesx/base.img", "outside/base.img",
    "outside/out.img", "beside.img",
  };
  size_t i;

  scratch_setup ();
  for (i = 0; i < sizeof directories / sizeof directories[0]; ++i)
    ck_assert_int_eq (mkdir (scratch_path (directories[i]), 0700), 0);
  for (i = 0; i < sizeof files / sizeof files[0]; ++i)
    make_file (files[i]);
  make_link ("base.img", "images/link-in");
  make_link ("sub/../sub/base.img", "images/link-below");
  make_link ("../outside/out.img", "images/link-out");
  make_link ("link-out", "images/link-to-link-out");
  make_link (scratch_path ("images/base.img"), "images/link-absolute");
  make_link ("sub", "images/dirlink-in");
  make_link ("../outside", "images/dirlink-out");
  make_link ("nowhere", "images/link-dangling");
  make_link ("link-loop", "images/link-loop");
  make_link ("../images/base.img", "outside/link-back");
  make_link ("images/top.img", "top-link.img");
  make_link ("images", "images-link");
  make_link ("/dev/null", "images/link-null");
  ck_assert_int_eq (mkfifo (scratch_path ("images/fifo"), 0600), 0);
}

/* Copy 'text' with the path of the tree in place of each '@'. */
static void
expand (const char *text, char *to, size_t size)
{
  size_t used = 0;

  for (; *text; ++text) {
    const char *piece = *text == '@' ? scratch_directory () : NULL;

    used += snprintf (to + used, size - used, piece ? "%s" : "%.1s",
                      piece ? piece : text);
    ck_assert_uint_lt (used, size);
  }
  to[used] = '\0';
}

static void
allow (struct vdisk_options *options, const char *directory)
{
  char path[PATH_MAX];

  if (directory) {
    expand (directory, path, sizeof path);
    ck_assert_int_eq (vdisk_options_set (options, "backing-dir", path,
                                         NULL), 0);
  }
}

/* What the image at 'from' gets for 'name' when 'allowed' (or NULL) is.
 * 'from' may be an NBD URI. */
static struct source *
follow (const char *from, const char *name, const char *allowed,
        struct vdisk_error *error)
{
  struct vdisk_options *options = vdisk_options_new ();
  char from_path[PATH_MAX], expanded[2 * PATH_MAX];
  struct source *image, *source;

  ck_assert_ptr_nonnull (options);
  allow (options, allowed);
  expand (from, from_path, sizeof from_path);
  expand (name, expanded, sizeof expanded);
  image = source_memory (from_path, "", 0);
  ck_assert_ptr_nonnull (image);
  image->is_uri = strncmp (from, "nbd", 3) == 0;
  error_clear (error);
  source = reference_open (image, "backing file", expanded, options, error);
  source_close (image);
  vdisk_options_free (options);
  return source;
}

static void
check_says (struct source *source, const char *content)
{
  char buffer[64] = "";

  ck_assert_uint_lt (source->size, sizeof buffer);
  ck_assert_int_eq (source_pread (source, buffer, source->size, 0, NULL),
                    0);
  ck_assert_str_eq (buffer, content);
}

/* --- Names that lead somewhere --------------------------------------- */

#define TOP "@/images/top.img"
#define URI "nbd+unix:///?socket=@/images/socket"

static const struct {
  const char *from, *name, *allowed, *content;
} good[] = {
  { TOP, "base.img", NULL, "images/base.img" },
  { TOP, "./base.img", NULL, "images/base.img" },
  { TOP, "././base.img", NULL, "images/base.img" },
  { TOP, ".//base.img", NULL, "images/base.img" },
  { TOP, "sub/base.img", NULL, "images/sub/base.img" },
  { TOP, "./sub/./base.img", NULL, "images/sub/base.img" },
  { TOP, "sub/deep/base.img", NULL, "images/sub/deep/base.img" },
  { TOP, "sub//deep///base.img", NULL, "images/sub/deep/base.img" },
  { TOP, "sub/../base.img", NULL, "images/base.img" },
  { TOP, "sub/deep/../../base.img", NULL, "images/base.img" },
  { TOP, "../images/base.img", NULL, "images/base.img" },
  { TOP, "../outside/../images/base.img", NULL, "images/base.img" },
  { TOP, "@/images/base.img", NULL, "images/base.img" },
  { TOP, "@/images/sub/base.img", NULL, "images/sub/base.img" },
  { TOP, "/@/images/base.img", NULL, "images/base.img" },
  { TOP, "@/outside/../images/base.img", NULL, "images/base.img" },
  { TOP, " space ", NULL, "images/ space " },
  { TOP, "new\nline", NULL, "images/new\nline" },
  /* Symbolic links that stay inside. */
  { TOP, "link-in", NULL, "images/base.img" },
  { TOP, "link-below", NULL, "images/sub/base.img" },
  { TOP, "link-absolute", NULL, "images/base.img" },
  { TOP, "dirlink-in/base.img", NULL, "images/sub/base.img" },
  { TOP, "dirlink-in/deep/base.img", NULL, "images/sub/deep/base.img" },
  { TOP, "dirlink-in/../base.img", NULL, "images/base.img" },
  { TOP, "@/outside/link-back", NULL, "images/base.img" },
  { TOP, "dirlink-out/link-back", NULL, "images/base.img" },
  { TOP, "@/images-link/base.img", NULL, "images/base.img" },
  /* A colon after a slash is part of a file name. */
  { TOP, "./a:b.img", NULL, "images/a:b.img" },
  { TOP, "sub/a:b.img", NULL, "images/sub/a:b.img" },
  { TOP, "@/images/a:b.img", NULL, "images/a:b.img" },
  /* QEMU's name for plain files. */
  { TOP, "file:base.img", NULL, "images/base.img" },
  { TOP, "file:./base.img", NULL, "images/base.img" },
  { TOP, "file:@/images/sub/base.img", NULL, "images/sub/base.img" },
  /* The image, or its directory, is reached by a symbolic link: relative
   * to the name that the user gave. */
  { "@/images-link/top.img", "base.img", NULL, "images/base.img" },
  { "@/images-link/top.img", "@/images/base.img", NULL, "images/base.img" },
  { "@/images/../images/top.img", "base.img", NULL, "images/base.img" },
  { "@/images/sub/../top.img", "sub/base.img", NULL,
    "images/sub/base.img" },
  { "@/images/dirlink-in/top.img", "base.img", NULL,
    "images/sub/base.img" },
  { "@/top-link.img", "beside.img", NULL, "beside.img" },
  { "@/top-link.img", "images/base.img", NULL, "images/base.img" },
  { "/top.img", "@/images/base.img", NULL, "images/base.img" },
  { "/top.img", "./@/images/base.img", NULL, "images/base.img" },
  /* Allowed by the user. */
  { TOP, "../outside/out.img", "@/outside", "outside/out.img" },
  { TOP, "../outside/out.img", "@/outside/", "outside/out.img" },
  { TOP, "../outside/out.img", "@/images/dirlink-out", "outside/out.img" },
  { TOP, "../outside/out.img", "@", "outside/out.img" },
  { TOP, "../outside/out.img", "/", "outside/out.img" },
  { TOP, "@/outside/out.img", "@/outside", "outside/out.img" },
  { TOP, "link-out", "@/outside", "outside/out.img" },
  { TOP, "dirlink-out/out.img", "@/outside", "outside/out.img" },
  { TOP, "../imagesx/base.img", "@/imagesx", "imagesx/base.img" },
  { TOP, "base.img", "@/outside", "images/base.img" },
  /* Images that a server serves. */
  { URI, "@/images/base.img", "@/images", "images/base.img" },
  { URI, "file:@/images/sub/base.img", "@/images", "images/sub/base.img" },
  { URI, "@/images/link-out", "@/outside", "outside/out.img" },
  { URI, "@/outside/out.img", "/", "outside/out.img" },
};

START_TEST (leads)
{
  struct vdisk_error error = { 0 };
  struct source *source = follow (good[_i].from, good[_i].name,
                                  good[_i].allowed, &error);

  ck_assert_msg (source != NULL, "%s: %s", good[_i].name, error.message);
  ck_assert_int_eq (error.errnum, 0);
  check_says (source, good[_i].content);
  source_close (source);
}
END_TEST

/* --- Names that do not ----------------------------------------------- */

#define OUTSIDE(name, where, in, allow) \
  "@/images/top.img: backing file '" name "' leads to " where ", outside " \
  "the directory " in ": backing-dir=" allow " would allow it"
#define PROTOCOL(name) "@/images/top.img: backing file '" name "' is not a " \
  "file name: references with a protocol are refused"
#define SAYS(name, what) "@/images/top.img: backing file '" name "': " what
#define MISSING "No such file or directory"
#define URI_SAYS(name, what) URI ": backing file '" name "' " what
#define NO_DIRECTORY "is a relative name, and an NBD server has no " \
  "directory for it"
#define URI_OUTSIDE(name, where, allow) URI_SAYS (name, "leads to " where \
  ", and an image from an NBD server has no directory of its own: " \
  "backing-dir=" allow " would allow it")
#define NO_FILE "neither a regular file nor a block device"

static const struct {
  const char *from, *name, *allowed;
  int errnum;
  const char *message;
} bad[] = {
  /* Outside. */
  { TOP, "../outside/out.img", NULL, EPERM,
    OUTSIDE ("../outside/out.img", "@/outside/out.img", "@/images",
             "@/outside") },
  { TOP, "@/outside/out.img", NULL, EPERM,
    OUTSIDE ("@/outside/out.img", "@/outside/out.img", "@/images",
             "@/outside") },
  { TOP, "../beside.img", NULL, EPERM,
    OUTSIDE ("../beside.img", "@/beside.img", "@/images", "@") },
  { TOP, "link-out", NULL, EPERM,
    OUTSIDE ("link-out", "@/outside/out.img", "@/images", "@/outside") },
  { TOP, "link-to-link-out", NULL, EPERM,
    OUTSIDE ("link-to-link-out", "@/outside/out.img", "@/images",
             "@/outside") },
  { TOP, "dirlink-out/out.img", NULL, EPERM,
    OUTSIDE ("dirlink-out/out.img", "@/outside/out.img", "@/images",
             "@/outside") },
  { TOP, "dirlink-out/base.img", NULL, EPERM,
    OUTSIDE ("dirlink-out/base.img", "@/outside/base.img", "@/images",
             "@/outside") },
  { TOP, "sub/../../outside/out.img", NULL, EPERM,
    OUTSIDE ("sub/../../outside/out.img", "@/outside/out.img", "@/images",
             "@/outside") },
  { TOP, "file:../outside/out.img", NULL, EPERM,
    OUTSIDE ("../outside/out.img", "@/outside/out.img", "@/images",
             "@/outside") },
  { "@/images/sub/top.img", "../base.img", NULL, EPERM,
    "@/images/sub/top.img: backing file '../base.img' leads to "
    "@/images/base.img, outside the directory @/images/sub: "
    "backing-dir=@/images would allow it" },
  /* A directory whose name only starts the same. */
  { TOP, "../imagesx/base.img", NULL, EPERM,
    OUTSIDE ("../imagesx/base.img", "@/imagesx/base.img", "@/images",
             "@/imagesx") },
  { TOP, "../imagesx/base.img", "@/images", EPERM,
    OUTSIDE ("../imagesx/base.img", "@/imagesx/base.img", "@/images",
             "@/imagesx") },
  /* The directory allowed is another one. */
  { TOP, "../outside/out.img", "@/imagesx", EPERM,
    OUTSIDE ("../outside/out.img", "@/outside/out.img", "@/images",
             "@/outside") },
  { TOP, "../outside/out.img", "@/images/sub", EPERM,
    OUTSIDE ("../outside/out.img", "@/outside/out.img", "@/images",
             "@/outside") },
  /* Files in / would need everything to be allowed. */
  { TOP, "/dev", NULL, EPERM, OUTSIDE ("/dev", "/dev", "@/images", "/") },
  { TOP, "/dev/null", NULL, EPERM,
    OUTSIDE ("/dev/null", "/dev/null", "@/images", "/dev") },
  { TOP, "link-null", NULL, EPERM,
    OUTSIDE ("link-null", "/dev/null", "@/images", "/dev") },
  /* The directory of a symbolic link to an image is the link's. */
  { "@/images-link/top.img", "../beside.img", NULL, EPERM,
    "@/images-link/top.img: backing file '../beside.img' leads to "
    "@/beside.img, outside the directory @/images: backing-dir=@ would "
    "allow it" },
  { "@/top-link.img", "base.img", NULL, ENOENT,
    "@/top-link.img: backing file 'base.img': " MISSING },
  /* Protocols. */
  { TOP, "nbd://localhost/disk", NULL, EPERM,
    PROTOCOL ("nbd://localhost/disk") },
  { TOP, "nbd:localhost:10809", NULL, EPERM,
    PROTOCOL ("nbd:localhost:10809") },
  { TOP, "json:{\"file.filename\":\"base.img\"}", NULL, EPERM,
    PROTOCOL ("json:{\"file.filename\":\"base.img\"}") },
  { TOP, "https://host/disk", NULL, EPERM, PROTOCOL ("https://host/disk") },
  { TOP, "fat:/etc", NULL, EPERM, PROTOCOL ("fat:/etc") },
  { TOP, "a:b.img", NULL, EPERM, PROTOCOL ("a:b.img") },
  { TOP, "C:\\disk.vhd", NULL, EPERM, PROTOCOL ("C:\\\\disk.vhd") },
  { TOP, ":", NULL, EPERM, PROTOCOL (":") },
  { TOP, "file:nbd:host", NULL, EPERM, PROTOCOL ("nbd:host") },
  { TOP, "nbd:host", "/", EPERM, PROTOCOL ("nbd:host") },
  { TOP, "json:{\"driver\":\n\"file\"}", "/", EPERM,
    PROTOCOL ("json:{\"driver\":\\x0a\"file\"}") },
  /* Nothing there. */
  { TOP, "", NULL, EINVAL,
    "@/images/top.img: backing file: the name is empty" },
  { TOP, "file:", NULL, EINVAL,
    "@/images/top.img: backing file: the name is empty" },
  { TOP, "missing", NULL, ENOENT, SAYS ("missing", MISSING) },
  { TOP, "missing", "/", ENOENT, SAYS ("missing", MISSING) },
  { TOP, "../missing", NULL, ENOENT, SAYS ("../missing", MISSING) },
  { TOP, "no/such/directory", NULL, ENOENT,
    SAYS ("no/such/directory", MISSING) },
  { TOP, "link-dangling", NULL, ENOENT, SAYS ("link-dangling", MISSING) },
  { TOP, "link-loop", NULL, ELOOP,
    SAYS ("link-loop", "Too many levels of symbolic links") },
  { TOP, "base.img/x", NULL, ENOTDIR,
    SAYS ("base.img/x", "Not a directory") },
  { TOP, "a\n\033[2J", NULL, ENOENT, SAYS ("a\\x0a\\x1b[2J", MISSING) },
  { TOP, "../outside/\x7f", NULL, ENOENT,
    SAYS ("../outside/\\x7f", MISSING) },
  /* There, but nothing to read. */
  { TOP, "sub", NULL, EISDIR, SAYS ("sub", "Is a directory") },
  { TOP, "sub/", NULL, EISDIR, SAYS ("sub/", "Is a directory") },
  { TOP, "dirlink-in", NULL, EISDIR, SAYS ("dirlink-in", "Is a directory") },
  { TOP, "..", "/", EISDIR, SAYS ("..", "Is a directory") },
  { TOP, "/", "/", EISDIR, SAYS ("/", "Is a directory") },
  { TOP, "fifo", NULL, EINVAL, SAYS ("fifo", NO_FILE) },
  { TOP, "link-null", "/dev", EINVAL, SAYS ("link-null", NO_FILE) },
  { TOP, "/dev/null", "/", EINVAL, SAYS ("/dev/null", NO_FILE) },
  { TOP, "/dev/zero", "/", EINVAL, SAYS ("/dev/zero", NO_FILE) },
  /* Images that a server serves have no directory. */
  { URI, "base.img", NULL, EINVAL, URI_SAYS ("base.img", NO_DIRECTORY) },
  { URI, "base.img", "/", EINVAL, URI_SAYS ("base.img", NO_DIRECTORY) },
  { URI, "./base.img", "@/images", EINVAL,
    URI_SAYS ("./base.img", NO_DIRECTORY) },
  { URI, "../images/base.img", "@/images", EINVAL,
    URI_SAYS ("../images/base.img", NO_DIRECTORY) },
  { URI, "file:base.img", "@/images", EINVAL,
    URI_SAYS ("base.img", NO_DIRECTORY) },
  { URI, "@/images/base.img", NULL, EPERM,
    URI_OUTSIDE ("@/images/base.img", "@/images/base.img", "@/images") },
  { URI, "@/images/base.img", "@/images/sub", EPERM,
    URI_OUTSIDE ("@/images/base.img", "@/images/base.img", "@/images") },
  { URI, "@/images/link-out", "@/images", EPERM,
    URI_OUTSIDE ("@/images/link-out", "@/outside/out.img", "@/outside") },
  { URI, "/dev", NULL, EPERM, URI_OUTSIDE ("/dev", "/dev", "/") },
  { URI, "@/images/missing", NULL, ENOENT,
    URI ": backing file '@/images/missing': " MISSING },
  { URI, "nbd://localhost/disk", "/", EPERM,
    URI_SAYS ("nbd://localhost/disk", "is not a file name: references with "
              "a protocol are refused") },
  { URI, "", "/", EINVAL, URI ": backing file: the name is empty" },
};

START_TEST (refused)
{
  char message[6 * PATH_MAX];
  struct vdisk_error error = { 0 };
  struct source *source = follow (bad[_i].from, bad[_i].name,
                                  bad[_i].allowed, &error);

  ck_assert_msg (source == NULL, "%s was opened", bad[_i].name);
  expand (bad[_i].message, message, sizeof message);
  ck_assert_str_eq (error.message, message);
  ck_assert_int_eq (error.errnum, bad[_i].errnum);
  ck_assert_ptr_null (follow (bad[_i].from, bad[_i].name, bad[_i].allowed,
                              NULL));
}
END_TEST

/* The directory itself is no file in it; what matters is that it is
 * refused at all. */
START_TEST (own_directory)
{
  static const char *const names[] = { ".", "./", "sub/..", "@/images" };
  struct vdisk_error error = { 0 };
  size_t i;

  for (i = 0; i < sizeof names / sizeof names[0]; ++i) {
    ck_assert_ptr_null (follow (TOP, names[i], NULL, &error));
    ck_assert_int_ne (error.errnum, 0);
  }
}
END_TEST

/* --- Other things ---------------------------------------------------- */

/* A name that is too long for the system, and for the message. */
START_TEST (long_name)
{
  static char name[100000];
  struct vdisk_options *options = vdisk_options_new ();
  struct source *image = source_memory (scratch_path ("images/top.img"), "",
                                        0);
  struct vdisk_error error = { 0 };

  memset (name, 'x', sizeof name - 1);
  ck_assert_ptr_null (reference_open (image, "backing file", name, options,
                                      &error));
  ck_assert_int_eq (error.errnum, ENAMETOOLONG);
  ck_assert_uint_gt (strlen (error.message), 500);
  source_close (image);
  vdisk_options_free (options);
}
END_TEST

/* An image that was named without a directory. */
START_TEST (current_directory)
{
  struct vdisk_error error = { 0 };
  struct source *source;
  char *cwd = get_current_dir_name ();

  ck_assert_ptr_nonnull (cwd);
  ck_assert_int_eq (chdir (scratch_path ("images")), 0);
  source = follow ("top.img", "sub/base.img", NULL, &error);
  ck_assert_msg (source != NULL, "%s", error.message);
  check_says (source, "images/sub/base.img");
  source_close (source);
  source = follow ("sub/top.img", "base.img", NULL, &error);
  ck_assert_msg (source != NULL, "%s", error.message);
  check_says (source, "images/sub/base.img");
  source_close (source);
  ck_assert_ptr_null (follow ("top.img", "../beside.img", NULL, &error));
  ck_assert_int_eq (error.errnum, EPERM);
  ck_assert_int_eq (chdir (cwd), 0);
  free (cwd);
}
END_TEST

/* The name of what was opened is where the next reference starts from. */
START_TEST (two_steps)
{
  struct vdisk_options *options = vdisk_options_new ();
  struct source *top = source_memory (scratch_path ("images/top.img"), "",
                                      0);
  struct source *one, *two;

  one = reference_open (top, "backing file", "sub/base.img", options, NULL);
  ck_assert_ptr_nonnull (one);
  two = reference_open (one, "backing file", "deep/base.img", options, NULL);
  ck_assert_ptr_nonnull (two);
  check_says (two, "images/sub/deep/base.img");
  source_close (two);
  ck_assert_ptr_null (reference_open (one, "backing file", "../base.img",
                                      options, NULL));
  source_close (one);
  source_close (top);
  vdisk_options_free (options);
}
END_TEST

START_TEST (role)
{
  struct vdisk_options *options = vdisk_options_new ();
  struct source *image = source_memory ("d.vhd", "", 0);
  struct vdisk_error error = { 0 };

  ck_assert_ptr_null (reference_open (image, "parent", "", options,
                                      &error));
  ck_assert_str_eq (error.message, "d.vhd: parent: the name is empty");
  source_close (image);
  vdisk_options_free (options);
}
END_TEST

START_TEST (has_path)
{
  struct source *file = source_memory ("images/top.img", "", 0);
  struct source *uri = source_memory ("nbd://host/dir/disk", "", 0);
  char *path;

  uri->is_uri = true;
  ck_assert (reference_has_path (file, "base.img"));
  ck_assert (reference_has_path (file, "/base.img"));
  ck_assert (!reference_has_path (uri, "base.img"));
  ck_assert (!reference_has_path (uri, "file:base.img"));
  ck_assert (reference_has_path (uri, "/base.img"));
  ck_assert (reference_has_path (uri, "file:/base.img"));
  path = reference_path (uri, "file:/base.img");
  ck_assert_str_eq (path, "/base.img");
  free (path);
  source_close (file);
  source_close (uri);
}
END_TEST

START_TEST (names)
{
  struct reference reference = { .role = "parent" };
  char text[] = "abcdef";
  int i;

  ck_assert_int_eq (reference_add_name (&reference, text, 3), 0);
  ck_assert_int_eq (reference_add_name (&reference, text, 0), 0);
  text[0] = 'x';
  for (i = 2; i < REFERENCE_NAMES_MAX + 5; ++i)
    ck_assert_int_eq (reference_add_name (&reference, text, 6), 0);
  ck_assert_uint_eq (reference.name_count, REFERENCE_NAMES_MAX);
  ck_assert_str_eq (reference.names[0], "abc");
  ck_assert_str_eq (reference.names[1], "");
  ck_assert_str_eq (reference.names[REFERENCE_NAMES_MAX - 1], "xbcdef");
  reference_clear (&reference);
  ck_assert_ptr_null (reference.role);
  ck_assert_uint_eq (reference.name_count, 0);
  reference_clear (&reference);
}
END_TEST

#define COUNT(array) ((int) (sizeof (array) / sizeof (array)[0]))

int
main (void)
{
  Suite *suite = suite_create ("reference");
  TCase *tcase = tcase_create ("reference");

  tcase_add_unchecked_fixture (tcase, make_tree, scratch_teardown);
  tcase_add_loop_test (tcase, leads, 0, COUNT (good));
  tcase_add_loop_test (tcase, refused, 0, COUNT (bad));
  tcase_add_test (tcase, own_directory);
  tcase_add_test (tcase, long_name);
  tcase_add_test (tcase, current_directory);
  tcase_add_test (tcase, two_steps);
  tcase_add_test (tcase, role);
  tcase_add_test (tcase, has_path);
  tcase_add_test (tcase, names);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
