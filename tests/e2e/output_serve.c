/* SPDX-License-Identifier: BSD-3-Clause */
/* Answer reads of an output, for a test that asks for them:
 *
 *   output_serve IMAGE FORMAT [NAME=VALUE...]
 *
 * The first line out tells the size, the seconds of time and of CPU time to
 * the first byte of the output, and by how many KiB memory has grown since
 * before the image was opened.  Then for each line in, "OFFSET LENGTH", come
 * the bytes.  LENGTH 0 is answered by the seconds of CPU time and the growth
 * until now, a line.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <vdisk.h>

static long memory_at_first;

static void
fail (const char *what)
{
  fprintf (stderr, "output_serve: %s\n", what);
  exit (1);
}

static double
seconds (clockid_t clock)
{
  struct timespec now;

  clock_gettime (clock, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

/* The most there was, of this program and not of what has started it. */
static long
memory (void)
{
  FILE *file = fopen ("/proc/self/status", "r");
  char line[256];
  long kib = -1;

  if (file == NULL)
    fail ("/proc/self/status");
  while (fgets (line, sizeof line, file))
    sscanf (line, "VmHWM: %ld", &kib);
  fclose (file);
  if (kib == -1)
    fail ("there is no VmHWM");
  return kib - memory_at_first;
}

static struct vdisk *
open_image (const char *path)
{
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk_error error;
  struct vdisk *vdisk;

  if (options == NULL ||
      vdisk_options_set (options, "host-holes", "off", &error) == -1 ||
      vdisk_options_set (options, "cache-size", "1M", &error) == -1)
    fail ("options");
  vdisk = vdisk_open (path, options, &error);
  vdisk_options_free (options);
  if (vdisk == NULL)
    fail (error.message);
  return vdisk;
}

static void
answer (struct vdisk_output *output)
{
  struct vdisk_error error;
  uint64_t offset;
  size_t length;

  while (scanf ("%" SCNu64 "%zu", &offset, &length) == 2) {
    char *buffer = malloc (length + 1);

    if (buffer == NULL)
      fail ("no memory");
    if (vdisk_output_pread (output, buffer, length, offset, &error) == -1)
      fail (error.message);
    fwrite (buffer, 1, length, stdout);
    if (length == 0)
      printf ("%.6f %ld\n", seconds (CLOCK_PROCESS_CPUTIME_ID), memory ());
    fflush (stdout);
    free (buffer);
  }
}

int
main (int argc, char **argv)
{
  const double began = seconds (CLOCK_MONOTONIC);
  struct vdisk_output *output;
  struct vdisk_error error;
  struct vdisk *vdisk;
  char first;

  if (argc < 3)
    fail ("usage");
  memory_at_first = memory ();
  vdisk = open_image (argv[1]);
  output = vdisk_output_open (vdisk, argv[2], (const char *const *) argv + 3,
                              &error);
  if (output == NULL ||
      vdisk_output_pread (output, &first, 1, 0, &error) == -1)
    fail (error.message);
  printf ("%" PRIu64 " %.6f %.6f %ld\n", vdisk_output_size (output),
          seconds (CLOCK_MONOTONIC) - began,
          seconds (CLOCK_PROCESS_CPUTIME_ID), memory ());
  fflush (stdout);
  answer (output);
  vdisk_output_close (output);
  vdisk_close (vdisk);
  return 0;
}
