/* SPDX-License-Identifier: BSD-3-Clause */
/* Write the bytes of an output into a file:
 *
 *   output_read whole|extents|SEED IMAGE FILE FORMAT [NAME=VALUE...]
 *   output_read formats
 *
 * IMAGE may be several, with commas between them, for formats of several
 * disks.  Files named *.raw are raw; HOST_HOLES in the environment is the option
 * host-holes.  The bytes are read in one go ("whole"), only
 * where its extents say that there is no hole ("extents"), or in pieces of
 * random sizes and in random order, by four threads.
 */

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vdisk.h>

#define THREADS 4
#define PIECES_MAX 4096
#define DISKS_MAX 8

struct piece {
  uint64_t offset, length;
};

struct job {
  struct vdisk_output *output;
  int fd;
  struct piece *pieces;
  size_t count, first;
  uint64_t position;            /* of extents */
};

static void
fail (const char *what)
{
  fprintf (stderr, "output_read: %s\n", what);
  exit (1);
}

static void
copy (const struct job *job, uint64_t offset, uint64_t length)
{
  struct vdisk_error error;
  char *buffer = malloc (length + 1);

  if (buffer == NULL)
    fail ("no memory");
  if (vdisk_output_pread (job->output, buffer, length, offset, &error) == -1)
    fail (error.message);
  if (pwrite (job->fd, buffer, length, offset) != (ssize_t) length)
    fail ("pwrite");
  free (buffer);
}

static void *
copy_share (void *opaque)
{
  const struct job *job = opaque;
  size_t i;

  for (i = job->first; i < job->count; i += THREADS)
    copy (job, job->pieces[i].offset, job->pieces[i].length);
  return NULL;
}

/* Cut it up: into small pieces where the tables are, and larger ones
 * behind. */
static void
cut (struct job *job, uint64_t size)
{
  uint64_t offset = 0;

  job->pieces = calloc (PIECES_MAX, sizeof *job->pieces);
  while (offset < size) {
    const bool is_small = job->count < PIECES_MAX / 2;
    uint64_t length = 1 + (uint64_t) random () %
      (1 << random () % (is_small ? 13 : 21));

    if (!is_small)
      length += size / PIECES_MAX * 2;
    if (length > size - offset || job->count == PIECES_MAX - 1)
      length = size - offset;
    job->pieces[job->count++] = (struct piece) { offset, length };
    offset += length;
  }
}

static void
shuffle (struct job *job)
{
  size_t i;

  for (i = job->count; i > 1; --i) {
    const size_t k = random () % i;
    const struct piece piece = job->pieces[i - 1];

    job->pieces[i - 1] = job->pieces[k];
    job->pieces[k] = piece;
  }
}

static void
copy_in_threads (struct job *job)
{
  pthread_t threads[THREADS];
  struct job jobs[THREADS];
  size_t i;

  for (i = 0; i < THREADS; ++i) {
    jobs[i] = *job;
    jobs[i].first = i;
    if (pthread_create (&threads[i], NULL, copy_share, &jobs[i]) != 0)
      fail ("pthread_create");
  }
  for (i = 0; i < THREADS; ++i)
    pthread_join (threads[i], NULL);
  free (job->pieces);
}

static int
copy_extent (void *opaque, uint64_t offset, uint64_t length, int hole)
{
  struct job *job = opaque;

  if (offset != job->position || length == 0)
    fail ("the extents do not tile the range");
  job->position += length;
  if (!hole)
    copy (job, offset, length);
  return 0;
}

static void
copy_extents (struct job *job, uint64_t size)
{
  struct vdisk_error error;

  if (vdisk_output_extents (job->output, 0, size, copy_extent, job,
                            &error) == -1)
    fail (error.message);
  if (job->position != size)
    fail ("the extents end early");
}

static struct vdisk *
open_image (const char *path)
{
  struct vdisk_options *options = vdisk_options_new ();
  const char *host_holes = getenv ("HOST_HOLES");
  const size_t length = strlen (path);
  struct vdisk_error error;
  struct vdisk *vdisk;

  if (options == NULL)
    fail ("no memory");
  if (host_holes &&
      vdisk_options_set (options, "host-holes", host_holes, &error) == -1)
    fail (error.message);
  if (length > 4 && strcmp (path + length - 4, ".raw") == 0 &&
      vdisk_options_set (options, "format", "raw", &error) == -1)
    fail (error.message);
  vdisk = vdisk_open (path, options, &error);
  vdisk_options_free (options);
  if (vdisk == NULL)
    fail (error.message);
  return vdisk;
}

static size_t
open_images (char *names, struct vdisk **disks)
{
  size_t count = 0;
  char *name;

  while ((name = strsep (&names, ",")) != NULL) {
    if (count == DISKS_MAX)
      fail ("too many images");
    disks[count++] = open_image (name);
  }
  return count;
}

static int
list_formats (void)
{
  const char *const *name;

  for (name = vdisk_output_formats (); *name; ++name)
    puts (*name);
  return 0;
}

int
main (int argc, char **argv)
{
  struct vdisk *disks[DISKS_MAX];
  struct vdisk_error error;
  struct job job = { 0 };
  uint64_t size;
  size_t count;

  if (argc == 2 && strcmp (argv[1], "formats") == 0)
    return list_formats ();
  if (argc < 5)
    fail ("usage");
  count = open_images (argv[2], disks);
  job.output = vdisk_output_open_disks (disks, count, argv[4],
                                        (const char *const *) argv + 5,
                                        &error);
  if (job.output == NULL)
    fail (error.message);
  size = vdisk_output_size (job.output);
  job.fd = open (argv[3], O_CREAT | O_TRUNC | O_WRONLY, 0666);
  if (job.fd == -1 || ftruncate (job.fd, size) == -1)
    fail (argv[3]);
  if (strcmp (argv[1], "whole") == 0)
    copy (&job, 0, size);
  else if (strcmp (argv[1], "extents") == 0)
    copy_extents (&job, size);
  else {
    srandom (atoi (argv[1]));
    cut (&job, size);
    shuffle (&job);
    copy_in_threads (&job);
  }
  vdisk_output_close (job.output);
  while (count > 0)
    vdisk_close (disks[--count]);
  return close (job.fd) == 0 ? 0 : 1;
}
