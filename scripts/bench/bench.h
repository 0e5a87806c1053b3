/* SPDX-License-Identifier: BSD-3-Clause */
/* What the programs of the benchmark share: a clock, a way to give up, and
 * how results are told.  Each prints lines "NAME VALUE" for bench.py, times
 * in seconds.
 */

#ifndef BENCH_H
#define BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double
now (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static inline double
cpu_seconds (void)
{
  struct timespec t;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static inline void __attribute__ ((noreturn))
give_up (const char *what, const char *why)
{
  fprintf (stderr, "%s: %s\n", what, why ? why : "failed");
  exit (EXIT_FAILURE);
}

#endif /* BENCH_H */
