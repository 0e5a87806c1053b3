/* SPDX-License-Identifier: BSD-3-Clause */
/* Drawing a progress bar. */

#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define DELAY_MS 1000           /* before the bar comes up */
#define INTERVAL_MS 100         /* between two drawings */
#define COLUMNS_DEFAULT 80
#define BAR_MAX 60              /* characters */

static uint64_t
now_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How many characters the terminal has room for in a line. */
static int
terminal_columns (void)
{
  struct winsize size;

  if (ioctl (STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return size.ws_col;
  return COLUMNS_DEFAULT;
}

static void
draw (int permille)
{
  char bar[BAR_MAX + 1];
  int width = terminal_columns () - 10;         /* "[" "] 100.0%" */
  int filled;

  if (width > BAR_MAX)
    width = BAR_MAX;
  if (width < 0)
    width = 0;
  filled = width * permille / 1000;
  memset (bar, '#', filled);
  memset (bar + filled, '-', width - filled);
  bar[width] = '\0';
  fprintf (stderr, "\r[%s] %3d.%d%%", bar, permille / 10, permille % 10);
  fflush (stderr);
}

void
progress_start (struct progress *progress)
{
  *progress = (struct progress) {
    .enabled = isatty (STDERR_FILENO), .start = now_ms (),
  };
}

void
progress_update (struct progress *progress, uint64_t done, uint64_t total)
{
  const double part = total > 0 ? (double) done / total : 1;
  const int permille = part >= 1 ? 1000 : part * 1000;
  uint64_t now;

  if (!progress->enabled)
    return;
  now = now_ms ();
  if (now - progress->start < DELAY_MS ||
      (progress->visible && (permille == progress->permille ||
                             now - progress->drawn < INTERVAL_MS)))
    return;
  fflush (stdout);
  draw (permille);
  progress->visible = true;
  progress->permille = permille;
  progress->drawn = now;
}

void
progress_hide (struct progress *progress)
{
  if (!progress->visible)
    return;
  /* Back to the start of the line, and erase what is after. */
  fputs ("\r\033[K", stderr);
  fflush (stderr);
  progress->visible = false;
}
