/* SPDX-License-Identifier: BSD-3-Clause */
/* Remembering signals. */

#include "export/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "error.h"
#include "tool.h"

static volatile sig_atomic_t caught;
static const char *partial;

static void
remember (int number)
{
  caught = number;
}

void
interrupt_catch (void)
{
  static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
  struct sigaction action = {
    .sa_handler = remember, .sa_flags = SA_RESETHAND,
  };
  struct sigaction before;
  size_t i;

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
