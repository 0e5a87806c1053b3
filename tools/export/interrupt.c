/* SPDX-License-Identifier: BSD-3-Clause */
/* Remembering signals.
 *
 * A signal may come just before a system call that then waits forever, for
 * a pipe that nobody reads.  So after the first one a timer goes on sending
 * another, which does nothing but interrupt.
 */

#include "export/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "tool.h"

/* How often calls are interrupted once there was a signal. */
#define NUDGE_NS 50000000

static volatile sig_atomic_t caught;
static timer_t nudges;
static const char *partial;

static void
nudge (int number)
{
  (void) number;
}

static void
remember (int number)
{
  static const struct itimerspec often = {
    .it_value = { .tv_nsec = NUDGE_NS },
    .it_interval = { .tv_nsec = NUDGE_NS },
  };

  caught = number;
  timer_settime (nudges, 0, &often, NULL);
}

void
interrupt_catch (void)
{
  static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
  struct sigaction action = {
    .sa_handler = remember, .sa_flags = SA_RESETHAND,
  };
  const struct sigaction nudged = { .sa_handler = nudge };
  struct sigevent alarm = {
    .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM,
  };
  struct sigaction before;
  size_t i;

  /* Without it signals end the program, and leave what there is. */
  if (timer_create (CLOCK_MONOTONIC, &alarm, &nudges) == -1)
    return;
  sigaction (SIGALRM, &nudged, NULL);
  sigemptyset (&action.sa_mask);
  for (i = 0; i < sizeof numbers / sizeof numbers[0]; ++i)
    /* What nohup and shells have set to be ignored stays so. */
    if (sigaction (numbers[i], NULL, &before) == 0 &&
        before.sa_handler != SIG_IGN)
      sigaction (numbers[i], &action, NULL);
}

bool
interrupted (void)
{
  return caught != 0;
}

int
interrupt_check (struct vdisk_error *error)
{
  return interrupted () ? error_set (error, EINTR, "interrupted") : 0;
}

void
interrupt_set_partial (const char *path)
{
  partial = path;
}

void
interrupt_exit (void)
{
  if (partial)
    unlink (partial);
  complain ("interrupted");
  _exit (STATUS_ERROR);
}
