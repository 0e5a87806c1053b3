/* SPDX-License-Identifier: BSD-3-Clause */
/* Drawing a progress bar, and marking progress for programs. */

#include "progress.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "human.h"

#define DELAY_MS 1000           /* before the bar comes up */
#define INTERVAL_MS 100         /* between two drawings */
#define COLUMNS_DEFAULT 80
#define BAR_MAX 60              /* characters */
#define BAR_MIN 4               /* or none at all */

static uint64_t
now_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How many characters the terminal has room for in a line. */
static int
terminal_columns (FILE *stream)
{
  struct winsize size;

  if (ioctl (fileno (stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return size.ws_col;
  return COLUMNS_DEFAULT;
}

/* "  1.2 GiB of 4 GiB, 812 MiB/s, 0:03 left" */
static void
describe_bytes (char *text, size_t size, uint64_t done, uint64_t total,
                uint64_t elapsed_ms)
{
  char done_text[HUMAN_SIZE_MAX], total_text[HUMAN_SIZE_MAX];
  char rate_text[HUMAN_SIZE_MAX];
  const double rate = done * 1000.0 / (elapsed_ms ? elapsed_ms : 1);
  const uint64_t left = rate > 0 ? (total - done) / rate : 0;

  snprintf (text, size, "  %s of %s, %s/s, %" PRIu64 ":%02u left",
            human_size (done, done_text), human_size (total, total_text),
            human_size (rate, rate_text), left / 60, (unsigned) (left % 60));
}

/* On a narrow terminal what does not fit is left out. */
static void
draw (const struct progress *progress, int permille, const char *tail)
{
  const int columns = terminal_columns (progress->stream) - 1;
  char bar[BAR_MAX + 1], percent[16];
  int width, filled;

  snprintf (percent, sizeof percent, "%3d.%d%%", permille / 10,
            permille % 10);
  width = columns - (int) (strlen (percent) + strlen (tail) + 3);
  if (width > BAR_MAX)
    width = BAR_MAX;
  if (width < BAR_MIN) {
    fprintf (progress->stream, "\r%s%.*s\033[K", percent,
             columns - (int) strlen (percent), tail);
    return;
  }
  filled = width * permille / 1000;
  memset (bar, '#', filled);
  memset (bar + filled, '-', width - filled);
  bar[width] = '\0';
  fprintf (progress->stream, "\r[%s] %s%s\033[K", bar, percent, tail);
}

void
progress_start (struct progress *progress)
{
  *progress = (struct progress) {
    .style = isatty (STDERR_FILENO) ? PROGRESS_BAR : PROGRESS_NONE,
    .stream = stderr, .permille = -1, .percent = -1, .start = now_ms (),
  };
}

void
progress_start_bytes (struct progress *progress, enum progress_style style,
                      FILE *stream)
{
  *progress = (struct progress) {
    .style = style, .stream = stream, .counts_bytes = true,
    .permille = -1, .percent = -1, .start = now_ms (),
  };
}

static void
update_bar (struct progress *progress, uint64_t done, uint64_t total,
            int permille)
{
  const uint64_t now = now_ms ();
  char tail[4 * HUMAN_SIZE_MAX] = "";

  if (now - progress->start < DELAY_MS ||
      (progress->visible && (permille == progress->permille ||
                             now - progress->drawn < INTERVAL_MS)))
    return;
  fflush (stdout);
  if (progress->counts_bytes)
    describe_bytes (tail, sizeof tail, done, total, now - progress->start);
  draw (progress, permille, tail);
  fflush (progress->stream);
  progress->visible = true;
  progress->permille = permille;
  progress->drawn = now;
}

static void
update_marks (struct progress *progress, uint64_t done, uint64_t total,
              int percent)
{
  if (percent == progress->percent)
    return;
  /* Where there is nothing to do it still starts at 0. */
  if (progress->percent == -1 && percent > 0)
    update_marks (progress, 0, total, 0);
  progress->percent = percent;
  if (progress->style == PROGRESS_MACHINE)
    fprintf (progress->stream, "%03d", percent);
  else
    fprintf (progress->stream, "{\"done\": %" PRIu64 ", \"total\": %" PRIu64
             "}\n", done, total);
  fflush (progress->stream);
}

void
progress_update (struct progress *progress, uint64_t done, uint64_t total)
{
  const double part = total > 0 ? (double) done / total : 1;
  const int permille = part >= 1 ? 1000 : part * 1000;

  switch (progress->style) {
  case PROGRESS_NONE:
    break;
  case PROGRESS_BAR:
    update_bar (progress, done, total, permille);
    break;
  case PROGRESS_MACHINE:
  case PROGRESS_JSON:
    update_marks (progress, done, total, permille / 10);
    break;
  }
}

void
progress_hide (struct progress *progress)
{
  if (!progress->visible)
    return;
  /* Back to the start of the line, and erase what is after. */
  fputs ("\r\033[K", progress->stream);
  fflush (progress->stream);
  progress->visible = false;
}
