/* SPDX-License-Identifier: BSD-3-Clause */
/* vdisk bitmap: what of 'qemu-img bitmap' is reading.  Without the name of a
 * bitmap it is 'vdisk views' of bitmaps alone, and with names 'vdisk map' of
 * the view that is their union.
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image-options.h"
#include "tool.h"

static const char help[] =
  "Usage: vdisk bitmap [OPTION]... IMAGE\n"
  "       vdisk bitmap [OPTION]... [--merge=BITMAP]... IMAGE BITMAP...\n"
  "List the persistent bitmaps of an image; or print what any of those that\n"
  "are named says has changed, as 'vdisk map' does.  Nothing is changed.\n\n"
  "  --output=human|json     of the list: as 'vdisk views'\n"
  "  --output=DIALECT        of what has changed: see 'vdisk map --help'\n"
  "  --merge=BITMAP          one more bitmap (can be repeated)\n"
  "  --start=N               these as of 'vdisk map'\n"
  "  --length=N\n"
  "  --cluster-size=N\n"
  "  --bit-order=lsb|msb\n"
  "  --totals\n"
  "  --help                  this text\n\n"
  IMAGE_OPTIONS_HELP;

enum { OPTION_MERGE = OPTION_COMMAND, OPTION_HELP, OPTION_PASSED };

static const struct option longopts[] = {
  { "merge",        required_argument, NULL, OPTION_MERGE },
  { "help",         no_argument,       NULL, OPTION_HELP },
  { "output",       required_argument, NULL, OPTION_PASSED },
  { "start",        required_argument, NULL, OPTION_PASSED },
  { "length",       required_argument, NULL, OPTION_PASSED },
  { "cluster-size", required_argument, NULL, OPTION_PASSED },
  { "bit-order",    required_argument, NULL, OPTION_PASSED },
  { "totals",       no_argument,       NULL, OPTION_PASSED },
  IMAGE_OPTIONS,
  { NULL, 0, NULL, 0 }
};

/* The command line of the other command. */
struct words {
  char **argv;                  /* room for all; those after the first are
                                   owned */
  int argc;
  char *view;                   /* bitmap/A+B; NULL: no bitmap was named */
};

static char *
join (const char *a, const char *b, const char *c)
{
  char *text;

  if (asprintf (&text, "%s%s%s", a, b, c) == -1) {
    complain ("out of memory");
    exit (STATUS_ERROR);
  }
  return text;
}

static void
add_word (struct words *words, char *word)
{
  words->argv[words->argc++] = word;
}

static void
add_bitmap (struct words *words, const char *name)
{
  char *view = words->view ? join (words->view, "+", name)
    : join ("bitmap/", name, "");

  free (words->view);
  words->view = view;
}

/* As it was given, so that it is checked there. */
static void
add_option (struct words *words, int opt, int index)
{
  char *name = opt == OPTION_VERBOSE ? join ("-v", "", "")
    : join ("--", longopts[index].name, "");

  if (opt == OPTION_VERBOSE || optarg == NULL)
    add_word (words, name);
  else {
    add_word (words, join (name, "=", optarg));
    free (name);
  }
}

/* The first is the image, and the others are bitmaps. */
static bool
add_arguments (struct words *words, int argc, char **argv)
{
  int i;

  if (optind == argc) {
    usage_error (argv[0], "an image is missing");
    return false;
  }
  for (i = optind + 1; i < argc; ++i)
    add_bitmap (words, argv[i]);
  if (words->view)
    add_word (words, join ("--view=", words->view, ""));
  add_word (words, join ("--", "", ""));
  add_word (words, join (argv[optind], "", ""));
  return true;
}

/* Returns -1 to go on, or a status. */
static int
take_words (struct words *words, int argc, char **argv)
{
  int opt, index = 0;

  add_word (words, argv[0]);
  while ((opt = next_option (argc, argv, IMAGE_SHORT_OPTIONS, longopts,
                             &index)) != -1)
    switch (opt) {
    case '?':
      return STATUS_USAGE;
    case OPTION_HELP:
      fputs (help, stdout);
      return STATUS_OK;
    case OPTION_MERGE:
      add_bitmap (words, optarg);
      break;
    default:
      add_option (words, opt, index);
    }
  return add_arguments (words, argc, argv) ? -1 : STATUS_USAGE;
}

static int
run_bitmap (int argc, char **argv)
{
  /* Its name, the view, "--" and the end besides all that there is. */
  struct words words = { .argv = calloc (argc + 4, sizeof (char *)) };
  int status;

  if (words.argv == NULL) {
    complain ("out of memory");
    return STATUS_ERROR;
  }
  status = take_words (&words, argc, argv);
  /* For glibc and musl: all over again. */
  optind = 0;
  if (status == -1)
    status = words.view ? command_map.run (words.argc, words.argv)
      : views_list_bitmaps (words.argc, words.argv);
  while (words.argc > 1)
    free (words.argv[--words.argc]);
  free (words.argv);
  free (words.view);
  return status;
}

const struct command command_bitmap = {
  .name = "bitmap",
  .summary = "list bitmaps, or print what they say has changed",
  .run = run_bitmap,
};
