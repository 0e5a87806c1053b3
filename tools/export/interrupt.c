/* SPDX-License-Identifier: BSD-3-Clause */
/* Remembering signals.
 *
 * A signal may come just before a system call that then waits forever, for
 * a pipe that nobody reads.  So after the first one a timer goes on sending
 * another, which does nothing but interrupt; until it has done so for long:
 * then something waits that cannot be interrupted, as in the library for a
 * server, and the program is ended.
 *
 * All of these signals are the main thread's.  A second one may follow in
 * no time: timeout(1) signals its child, and then its process group.
 */

#include "export/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"
#include "tool.h"

/* How often calls are interrupted once there was a signal, and how many
 * times: for a second. */
#define NUDGE_NS 50000000
#define NUDGES_MAX 20

static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };

static volatile sig_atomic_t caught, nudged;
static timer_t nudges;
static int descriptor = -1;
static const char *volatile partial;

/* Called by a handler. */
static void
end_at_once (void)
{
  static const char text[] = "vdisk: interrupted\n";

  if (partial)
    unlink (partial);
  if (write (STDERR_FILENO, text, sizeof text - 1) == -1) {
    /* Nobody reads it. */
  }
  _exit (STATUS_ERROR);
}

static void
nudge (int number)
{
  (void) number;
  if (++nudged >= NUDGES_MAX)
    end_at_once ();
}

static void
remember (int number)
{
  static const struct itimerspec often = {
    .it_value = { .tv_nsec = NUDGE_NS },
    .it_interval = { .tv_nsec = NUDGE_NS },
  };
  const int saved = errno;

  if (caught)
    end_at_once ();
  caught = number;
  eventfd_write (descriptor, 1);
  timer_settime (nudges, 0, &often, NULL);
  errno = saved;
}

/* Not one of the first three, which may have been closed. */
static int
make_descriptor (void)
{
  const int fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  const int higher = fcntl (fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

  close (fd);
  return higher;
}

void
interrupt_catch (void)
{
  struct sigaction action = { .sa_handler = remember };
  struct sigaction nudging = { .sa_handler = nudge };
  struct sigevent alarm = {
    .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM,
  };
  struct sigaction before;
  size_t i;

  /* Without it signals end the program, and leave what there is. */
  if (timer_create (CLOCK_MONOTONIC, &alarm, &nudges) == -1)
    return;
  descriptor = make_descriptor ();
  sigfillset (&nudging.sa_mask);
  sigaction (SIGALRM, &nudging, NULL);
  sigfillset (&action.sa_mask);
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
interrupt_descriptor (void)
{
  return descriptor;
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

static void
block_signals (sigset_t *before)
{
  sigset_t ours;
  size_t i;

  sigemptyset (&ours);
  sigaddset (&ours, SIGALRM);
  for (i = 0; i < sizeof numbers / sizeof numbers[0]; ++i)
    sigaddset (&ours, numbers[i]);
  pthread_sigmask (SIG_BLOCK, &ours, before);
}

void
interrupt_no_more (void)
{
  block_signals (NULL);
}

int
interrupt_create (const char *path)
{
  static char created[PATH_MAX];
  sigset_t before;
  int fd, saved;

  block_signals (&before);
  fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  saved = errno;
  if (fd != -1) {
    snprintf (created, sizeof created, "%s", path);
    partial = created;
  }
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  errno = saved;
  return fd;
}
