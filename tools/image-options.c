/* SPDX-License-Identifier: BSD-3-Clause */
/* From command line options to those of libvdisk. */

#include "image-options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"
#include "util/suggestion.h"

/* With --verbose a request that takes so long is told. */
#define SLOW_MILLISECONDS 100

static void
warn (void *opaque, const char *message)
{
  (void) opaque;
  complain ("warning: %s", message);
}

static void
debug (void *opaque, const char *message)
{
  (void) opaque;
  complain ("debug: %s", message);
}

struct vdisk_options *
image_options_new (void)
{
  struct vdisk_options *options = vdisk_options_new ();

  if (options == NULL) {
    complain ("out of memory");
    exit (STATUS_ERROR);
  }
  vdisk_options_set_warning_callback (options, warn, NULL);
  vdisk_options_set_syntax (options, VDISK_SYNTAX_COMMAND_LINE);
  return options;
}

/* Say what is wrong with the long option "--name", or "--name=value". */
static void
wrong_long_option (const char *command, const char *text,
                   const struct option *longopts)
{
  const int length = strcspn (text, "=");
  struct suggestion suggestion;
  unsigned matches = 0;
  char name[64];
  size_t i;

  snprintf (name, sizeof name, "%.*s", length - 2, text + 2);
  suggestion_start (&suggestion, name);
  for (i = 0; longopts[i].name; ++i) {
    suggestion_consider (&suggestion, longopts[i].name);
    matches += strncmp (longopts[i].name, text + 2, length - 2) == 0;
  }
  if (optopt != 0)
    usage_error (command, "option '%.*s' takes no value", length, text);
  else if (matches > 1)
    usage_error (command, "option '%.*s' could be one of several", length,
                 text);
  else
    usage_error (command, "unrecognized option '%.*s'%s%s%s", length, text,
                 suggestion.best ? "; did you mean '--" : "",
                 suggestion.best ? suggestion.best : "",
                 suggestion.best ? "'?" : "");
}

int
next_option (int argc, char **argv, const char *shortopts,
             const struct option *longopts, int *index)
{
  char quiet[16];
  const char *text;
  int opt;

  /* With a colon, a missing value is told from an option not known. */
  snprintf (quiet, sizeof quiet, ":%s", shortopts);
  opt = getopt_long (argc, argv, quiet, longopts, index);
  if (opt != '?' && opt != ':')
    return opt;
  text = argv[optind - 1];
  if (opt == ':')
    usage_error (argv[0], "option '%s' needs a value", text);
  else if (optopt > 0 && optopt < OPTION_IMAGE &&
           strchr (shortopts, optopt) == NULL)
    usage_error (argv[0], "unrecognized option '-%c'", optopt);
  else
    wrong_long_option (argv[0], text, longopts);
  return '?';
}

bool
image_options_take (struct vdisk_options *options, const char *command,
                    int opt, const struct option *longopts, int index)
{
  const char *value = optarg;
  struct vdisk_error error;

  if (opt == OPTION_VERBOSE) {
    vdisk_options_set_debug_callback (options, debug, NULL,
                                      SLOW_MILLISECONDS);
    return true;
  }
  if (opt == OPTION_FORCE_SHARE && value == NULL)
    value = "true";
  if (vdisk_options_set (options, longopts[index].name, value,
                         &error) == -1) {
    usage_error (command, "%s", error.message);
    return false;
  }
  return true;
}
