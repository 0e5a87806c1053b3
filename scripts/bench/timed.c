/* SPDX-License-Identifier: BSD-3-Clause */
/* timed RESULT COMMAND [ARG...]: run a command, and write into the file
 * RESULT how long it took, its CPU time and its memory, with all it has
 * started.  A process inherits the peak of the memory of the one that
 * starts it, which is why that is this small one.
 */

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

int
main (int argc, char *argv[])
{
  struct rusage usage;
  double began = now (), wall;
  int status;
  pid_t pid;
  FILE *f;

  if (argc < 3)
    give_up ("usage", "timed RESULT COMMAND [ARG...]");
  pid = fork ();
  if (pid == 0) {
    execvp (argv[2], &argv[2]);
    give_up (argv[2], strerror (errno));
  }
  if (pid == -1 || waitpid (pid, &status, 0) == -1)
    give_up (argv[2], strerror (errno));
  wall = now () - began;
  getrusage (RUSAGE_CHILDREN, &usage);
  f = fopen (argv[1], "w");
  if (f == NULL)
    give_up (argv[1], strerror (errno));
  fprintf (f, "wall %.6f\nrss %ld\ncpu %.6f\n", wall, usage.ru_maxrss,
           usage.ru_utime.tv_sec + usage.ru_utime.tv_usec / 1e6 +
           usage.ru_stime.tv_sec + usage.ru_stime.tv_usec / 1e6);
  if (fclose (f) == EOF)
    give_up (argv[1], strerror (errno));
  return WIFEXITED (status) ? WEXITSTATUS (status) : EXIT_FAILURE;
}
