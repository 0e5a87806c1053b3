/* SPDX-License-Identifier: BSD-3-Clause */
/* QEMU's byte-range locks: a writer keeps us out, readers share, and what
 * we hold is what another opener looks for.
 *
 * Locks here belong to open files, not to processes, so one process can
 * play both sides.
 */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/error.h"
#include "reference.h"
#include "scratch.h"
#include "util/file-lock.h"
#include "source/file.h"
#include "source/memory.h"
#include "support.h"

#define FORCE " (force-share=true opens it all the same, and what is read " \
  "may be torn)"

static const char bytes[1024] = "an image";

/* Another opener of the file. */
static int
open_other (const char *path)
{
  int fd = open (path, O_RDWR | O_CLOEXEC);

  ck_assert_int_ge (fd, 0);
  return fd;
}

static struct flock
lock_of (off_t byte, short type)
{
  return (struct flock) {
    .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1,
  };
}

/* Take or release a lock on one byte. */
static void
lock_byte (int fd, off_t byte, short type)
{
  struct flock lock = lock_of (byte, type);

  ck_assert_msg (fcntl (fd, F_OFD_SETLK, &lock) == 0, "byte %d: %s",
                 (int) byte, strerror (errno));
}

/* Which lock another opener finds on one byte. */
static short
lock_on_byte (int fd, off_t byte)
{
  struct flock lock = {
    .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1,
  };

  ck_assert_int_eq (fcntl (fd, F_OFD_GETLK, &lock), 0);
  return lock.l_type;
}

/* Bytes that QEMU uses: 100 + permission, 200 + permission. */
static bool
is_readers_byte (off_t byte)
{
  return byte == 100 || byte == 201 || byte == 203;
}

static void
check_held (int fd, bool held)
{
  off_t byte;

  for (byte = 0; byte < 300; ++byte)
    ck_assert_msg (lock_on_byte (fd, byte) ==
                   (held && is_readers_byte (byte) ? F_RDLCK : F_UNLCK),
                   "byte %d", (int) byte);
}

START_TEST (held_until_closed)
{
  const char *path = scratch_write ("held", bytes, sizeof bytes);
  int fd = open_other (path);
  struct source *one, *two;

  one = source_file_open (path, false, NULL);
  ck_assert_ptr_nonnull (one);
  check_held (fd, true);
  two = source_file_open (path, false, NULL);
  ck_assert_ptr_nonnull (two);
  source_close (one);
  check_held (fd, true);
  source_close (two);
  check_held (fd, false);
  close (fd);
}
END_TEST

/* What a writer would hold, and what is said then. */
static const struct {
  off_t byte;
  short type;
  const char *message;
} writers[] = {
  { 101, F_RDLCK, "another program is writing this image" },
  { 101, F_WRLCK, "another program is writing this image" },
  { 103, F_RDLCK, "another program may resize this image" },
  { 103, F_WRLCK, "another program may resize this image" },
  { 200, F_RDLCK, "another program does not let others read this image" },
  { 200, F_WRLCK, "another program does not let others read this image" },
  { 100, F_WRLCK, "another program has locked this image" },
  { 201, F_WRLCK, "another program has locked this image" },
  { 203, F_WRLCK, "another program has locked this image" },
};

/* How a process of this program is called, which has locked a byte.  (Its
 * name is another one under valgrind.) */
static const char *
holder (pid_t pid, int byte)
{
  static char text[128];
  char name[17] = "";

  ck_assert_int_eq (prctl (PR_GET_NAME, name), 0);
  snprintf (text, sizeof text, ": process %d, %s, has locked byte %d",
            (int) pid, name, byte);
  return text;
}

/* The message for a byte that this process has locked, with 'what'. */
static const char *
refusal (const char *path, const char *what, int byte)
{
  static char message[2 * PATH_MAX];

  snprintf (message, sizeof message, "%s: %s%s", path, what,
            holder (getpid (), byte));
  return message;
}

START_TEST (writer)
{
  const char *path = scratch_write ("written", bytes, sizeof bytes);
  int fd = open_other (path);
  struct vdisk_error error = { 0 };
  struct source *source;

  lock_byte (fd, writers[_i].byte, writers[_i].type);
  ck_assert_ptr_null (source_file_open (path, false, &error));
  ck_assert_int_eq (error.errnum, EBUSY);
  ck_assert_str_eq (error.message, refusal (path, writers[_i].message,
                                            writers[_i].byte));
  ck_assert_ptr_null (source_file_open (path, false, NULL));

  /* Of our attempt nothing is left, and when the writer goes we may. */
  check_held (fd, false);
  lock_byte (fd, writers[_i].byte, F_UNLCK);
  source = source_file_open (path, false, NULL);
  ck_assert_ptr_nonnull (source);
  source_close (source);
  close (fd);
}
END_TEST

/* Locks of more than a byte, and to the end of whatever is there. */
static const struct { off_t start, length; int byte; } ranges[] = {
  { 101, 1, 101 }, { 90, 100, 101 }, { 100, 2, 101 }, { 101, 0, 101 },
  { 102, 2, 103 }, { 103, INT64_MAX - 103, 103 }, { 200, 1, 200 },
  { 199, 2, 200 }, { 200, 0, 200 },
};

START_TEST (writer_of_a_range)
{
  const char *path = scratch_write ("range", bytes, sizeof bytes);
  int fd = open_other (path), other = open_other (path);
  struct vdisk_error error = { 0 };
  struct flock lock = {
    .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = ranges[_i].start,
    .l_len = ranges[_i].length,
  };
  const char *who;

  lock_byte (other, 300, F_RDLCK);
  lock_byte (fd, 50, F_WRLCK);
  ck_assert_int_eq (fcntl (fd, F_OFD_SETLK, &lock), 0);
  ck_assert_ptr_null (source_file_open (path, false, &error));
  who = holder (getpid (), ranges[_i].byte);
  ck_assert_msg (strstr (error.message, who) != NULL, "%s", error.message);
  close (fd);
  close (other);
}
END_TEST

/* A process that locks a byte and waits to be killed. */
static pid_t
start_holder (const char *path, int command, off_t byte, short type)
{
  int ready[2];
  pid_t child;
  char c;

  ck_assert_int_eq (pipe (ready), 0);
  child = fork ();
  if (child == 0) {
    int fd = open (path, O_RDWR);
    struct flock lock = lock_of (byte, type);

    _exit (fcntl (fd, command, &lock) == 0 && write (ready[1], "x", 1) == 1 ?
           pause () : 1);
  }
  close (ready[1]);
  ck_assert_int_eq (read (ready[0], &c, 1), 1);
  close (ready[0]);
  return child;
}

static void
check_names (const struct vdisk_error *error, pid_t pid, int byte)
{
  const char *who = holder (pid, byte);

  ck_assert_int_eq (error->errnum, EBUSY);
  ck_assert_msg (strstr (error->message, who) != NULL, "%s", error->message);
}

/* Locks of the old kind belong to a process.  Ours would not hinder us. */
START_TEST (writer_of_another_kind)
{
  const char *path = scratch_write ("posix", bytes, sizeof bytes);
  pid_t child = start_holder (path, F_SETLK, 101, F_WRLCK);
  struct vdisk_error error = { 0 };

  ck_assert_ptr_null (source_file_open (path, false, &error));
  kill (child, SIGKILL);
  waitpid (child, NULL, 0);
  check_names (&error, child, 101);
}
END_TEST

/* A lock that we have on the same byte is not the one that hinders us. */
START_TEST (reader_is_named)
{
  const char *path = scratch_write ("read", bytes, sizeof bytes);
  pid_t child = start_holder (path, F_OFD_SETLK, 201, F_RDLCK);
  struct vdisk_error error = { 0 };
  int fd = open_other (path);

  ck_assert_int_eq (file_lock_for_writing (fd, path, &error), -1);
  kill (child, SIGKILL);
  waitpid (child, NULL, 0);
  check_names (&error, child, 201);
  close (fd);
}
END_TEST

START_TEST (writer_ends)
{
  const char *path = scratch_write ("ends", bytes, sizeof bytes);
  int fd = open_other (path);
  struct source *source;

  lock_byte (fd, 101, F_RDLCK);
  ck_assert_ptr_null (source_file_open (path, false, NULL));
  close (fd);
  source = source_file_open (path, false, NULL);
  ck_assert_ptr_nonnull (source);
  source_close (source);
}
END_TEST

/* With force-share no lock is taken and none minded. */
START_TEST (share_by_force)
{
  const char *path = scratch_write ("forced", bytes, sizeof bytes);
  int fd = open_other (path);
  struct source *source;
  off_t byte;

  source = source_file_open (path, true, NULL);
  ck_assert_ptr_nonnull (source);
  check_held (fd, false);
  source_close (source);

  for (byte = 100; byte < 205; ++byte)
    lock_byte (fd, byte, F_WRLCK);
  source = source_file_open (path, true, NULL);
  ck_assert_ptr_nonnull (source);
  ck_assert_int_eq (source_pread (source, (char[1]) { 0 }, 1, 0, NULL), 0);
  source_close (source);
  close (fd);
}
END_TEST

/* What a QEMU that reads holds, and any other lock, is no writer's. */
START_TEST (readers_share)
{
  const char *path = scratch_write ("shared", bytes, sizeof bytes);
  int fd = open_other (path);
  struct source *source;
  off_t byte;

  for (byte = 0; byte < 300; ++byte)
    if (is_readers_byte (byte) || byte < 100 || byte > 205)
      lock_byte (fd, byte, F_RDLCK);
  source = source_file_open (path, false, NULL);
  ck_assert_ptr_nonnull (source);
  source_close (source);
  close (fd);
}
END_TEST

/* Files an image refers to are locked too. */
START_TEST (backing_file)
{
  const char *path = scratch_write ("base", bytes, sizeof bytes);
  int fd = open_other (path);
  struct source *from = source_memory (scratch_path ("top"), bytes, 1);
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk_error error = { 0 };
  struct source *source;

  ck_assert_ptr_nonnull (from);
  ck_assert_ptr_nonnull (options);
  source = reference_open (from, "backing file", "base", options, &error);
  ck_assert_ptr_nonnull (source);
  check_held (fd, true);
  source_close (source);

  lock_byte (fd, 101, F_RDLCK);
  ck_assert_ptr_null (reference_open (from, "backing file", "base",
                                      options, &error));
  ck_assert_int_eq (error.errnum, EBUSY);
  options->force_share = true;
  source = reference_open (from, "backing file", "base", options, NULL);
  ck_assert_ptr_nonnull (source);
  source_close (source);
  source_close (from);
  vdisk_options_free (options);
  close (fd);
}
END_TEST

static struct vdisk *
open_raw (const char *path, const char *force_share,
          struct vdisk_error *error)
{
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk *vdisk;

  ck_assert_ptr_nonnull (options);
  ck_assert_int_eq (vdisk_options_set (options, "format", "raw", NULL), 0);
  ck_assert_int_eq (vdisk_options_set (options, "force-share", force_share,
                                       NULL), 0);
  vdisk = vdisk_open (path, options, error);
  vdisk_options_free (options);
  return vdisk;
}

START_TEST (whole_image)
{
  const char *path = scratch_write ("image", bytes, sizeof bytes);
  int fd = open_other (path);
  struct vdisk_error error;
  struct vdisk *vdisk;

  vdisk = open_raw (path, "false", &error);
  ck_assert_ptr_nonnull (vdisk);
  check_held (fd, true);
  vdisk_close (vdisk);
  check_held (fd, false);

  lock_byte (fd, 101, F_RDLCK);
  ck_assert_ptr_null (open_raw (path, "false", &error));
  ck_assert_int_eq (error.errnum, EBUSY);
  ck_assert_ptr_nonnull (strstr (error.message, "has locked byte 101" FORCE));
  vdisk = open_raw (path, "true", &error);
  ck_assert_ptr_nonnull (vdisk);
  vdisk_close (vdisk);
  close (fd);
}
END_TEST

/* What others may hold when we want to write. */
static const struct {
  off_t byte;
  short type;
  const char *message;          /* NULL: that does no harm */
} others[] = {
  { 100, F_RDLCK, NULL },
  { 200, F_RDLCK, NULL },
  { 201, F_RDLCK, "another program uses this file" },
  { 203, F_RDLCK, "another program uses this file" },
  { 101, F_RDLCK, "another program is writing this file" },
  { 101, F_WRLCK, "another program has locked this file" },
  { 103, F_WRLCK, "another program has locked this file" },
  { 201, F_WRLCK, "another program has locked this file" },
};

START_TEST (to_write)
{
  const char *path = scratch_write ("target", bytes, sizeof bytes);
  int other = open_other (path), fd = open_other (path);
  struct vdisk_error error = { 0 };
  const char *message = others[_i].message;
  int r;

  lock_byte (other, others[_i].byte, others[_i].type);
  r = file_lock_for_writing (fd, "target", &error);
  if (message) {
    char expected[128];
    int length = snprintf (expected, sizeof expected, "target: %s: process ",
                           message);

    ck_assert_int_eq (r, -1);
    ck_assert_int_eq (error.errnum, EBUSY);
    ck_assert_mem_eq (error.message, expected, length);
  }
  else
    ck_assert_int_eq (r, 0);
  close (fd);
  close (other);
}
END_TEST

/* While one writes, nobody reads or writes. */
START_TEST (writer_keeps_out)
{
  const char *path = scratch_write ("target", bytes, sizeof bytes);
  int fd = open_other (path), other = open_other (path);
  struct source *source;

  ck_assert_int_eq (file_lock_for_writing (fd, path, NULL), 0);
  ck_assert_ptr_null (source_file_open (path, false, NULL));
  ck_assert_int_eq (file_lock_for_writing (other, path, NULL), -1);
  close (other);
  close (fd);
  source = source_file_open (path, false, NULL);
  ck_assert_ptr_nonnull (source);

  /* And the other way round. */
  fd = open_other (path);
  ck_assert_int_eq (file_lock_for_writing (fd, path, NULL), -1);
  close (fd);
  source_close (source);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("lock");
  TCase *tcase = tcase_create ("lock");

  tcase_add_unchecked_fixture (tcase, scratch_setup, scratch_teardown);
  tcase_add_test (tcase, held_until_closed);
  tcase_add_loop_test (tcase, writer, 0,
                       sizeof writers / sizeof writers[0]);
  tcase_add_loop_test (tcase, writer_of_a_range, 0,
                       sizeof ranges / sizeof ranges[0]);
  tcase_add_test (tcase, writer_of_another_kind);
  tcase_add_test (tcase, reader_is_named);
  tcase_add_test (tcase, writer_ends);
  tcase_add_test (tcase, share_by_force);
  tcase_add_test (tcase, readers_share);
  tcase_add_test (tcase, backing_file);
  tcase_add_test (tcase, whole_image);
  tcase_add_loop_test (tcase, to_write, 0, sizeof others / sizeof others[0]);
  tcase_add_test (tcase, writer_keeps_out);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
