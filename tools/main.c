/* SPDX-License-Identifier: BSD-3-Clause */
/* vdisk: look into virtual disk images.  This knows the subcommands, and
 * what they share.
 */

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"
#include "util/suggestion.h"

static const struct command *const commands[] = {
  &command_bitmap,
  &command_check,
  &command_export,
  &command_info,
  &command_map,
  &command_read_headers,
  &command_read_headers_interval,
  &command_views,
};

#define COMMANDS (sizeof commands / sizeof commands[0])

void
complain (const char *format, ...)
{
  va_list args;

  fflush (stdout);
  /* Warnings and debug messages come from any thread. */
  flockfile (stderr);
  fputs ("vdisk: ", stderr);
  va_start (args, format);
  vfprintf (stderr, format, args);
  va_end (args);
  fputc ('\n', stderr);
  funlockfile (stderr);
}

int
usage_error (const char *command, const char *format, ...)
{
  va_list args;

  fprintf (stderr, "vdisk %s: ", command);
  va_start (args, format);
  vfprintf (stderr, format, args);
  va_end (args);
  fprintf (stderr, "\nTry 'vdisk %s --help'.\n", command);
  return STATUS_USAGE;
}

bool
output_failed (void)
{
  return ferror (stdout);
}

int
finish_output (int status)
{
  if (fflush (stdout) == 0 && !ferror (stdout))
    return status;
  if (errno == EPIPE)
    return status;
  complain ("standard output: %s", strerror (errno));
  return STATUS_ERROR;
}

static void
print_help (void)
{
  size_t i;

  puts ("Usage: vdisk COMMAND [OPTION]... IMAGE\n"
        "Look into virtual disk images: VHD, QCOW2, QED and raw.\n\n"
        "Commands:");
  for (i = 0; i < COMMANDS; ++i)
    printf ("  %-24s %s\n", commands[i]->name, commands[i]->summary);
  printf ("  %-24s %s\n", "help", "this text, or 'help COMMAND' for that of "
          "a command");
  puts ("\n"
        "  --help       this text; 'vdisk COMMAND --help' for a command's\n"
        "  --version    the version, and which libraries this is built with\n\n"
        "The manual is vdisk(1).");
}

/* The version, and what may be missing from a build. */
static void
print_version (void)
{
  const char *const *name = vdisk_compression_libraries ();

  printf ("vdisk %s\nlibraries:", vdisk_version ());
  for (; *name; ++name)
    printf (" %s", *name);
  puts (vdisk_has_nbd () ? " libnbd" : "");
}

/* The command of that name.  NULL, with a message printed, if there is
 * none. */
static const struct command *
find_command (const char *name)
{
  struct suggestion suggestion;
  size_t i;

  suggestion_start (&suggestion, name);
  for (i = 0; i < COMMANDS; ++i) {
    if (strcmp (name, commands[i]->name) == 0)
      return commands[i];
    suggestion_consider (&suggestion, commands[i]->name);
  }
  suggestion_consider (&suggestion, "help");
  fprintf (stderr, "vdisk: there is no command '%s'%s\n"
           "Try 'vdisk --help'.\n", name, suggestion_text (&suggestion));
  return NULL;
}

/* vdisk help [COMMAND] */
static int
run_help (int argc, char **argv)
{
  static char option[] = "--help";
  const struct command *command;

  if (argc == 1 || strcmp (argv[1], "help") == 0) {
    print_help ();
    return STATUS_OK;
  }
  command = find_command (argv[1]);
  if (command == NULL)
    return STATUS_USAGE;
  return command->run (2, (char *[]) { argv[1], option, NULL });
}

int
main (int argc, char **argv)
{
  const struct command *command;

  /* A reader who goes away, and a limit on the size of files, are found
   * out by writing. */
  signal (SIGPIPE, SIG_IGN);
  signal (SIGXFSZ, SIG_IGN);

  if (argc < 2) {
    fputs ("vdisk: a command is missing\nTry 'vdisk --help'.\n", stderr);
    return STATUS_USAGE;
  }
  if (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0) {
    print_help ();
    return finish_output (STATUS_OK);
  }
  if (strcmp (argv[1], "--version") == 0 || strcmp (argv[1], "-V") == 0) {
    print_version ();
    return finish_output (STATUS_OK);
  }
  if (strcmp (argv[1], "help") == 0)
    return finish_output (run_help (argc - 1, argv + 1));
  command = find_command (argv[1]);
  if (command == NULL)
    return STATUS_USAGE;
  return finish_output (command->run (argc - 1, argv + 1));
}
