/* SPDX-License-Identifier: BSD-3-Clause */
/* Command lines of the commands that report on one image. */

#include "report-request.h"

#include <stdio.h>
#include <string.h>

#include "image-options.h"
#include "tool.h"
#include "util/suggestion.h"

enum {
  OPTION_OUTPUT = OPTION_COMMAND,
  OPTION_FLAG,
  OPTION_VIEW,
  OPTION_HELP,
};

static bool
take_output (struct report_request *request, const char *command)
{
  static const char *const words[] = { "human", "json", NULL };
  struct suggestion suggestion;

  if (strcmp (optarg, "human") == 0)
    request->output = OUTPUT_HUMAN;
  else if (strcmp (optarg, "json") == 0)
    request->output = OUTPUT_JSON;
  else {
    usage_error (command, "--output=%s: must be human or json%s", optarg,
                 suggestion_among (&suggestion, optarg, words));
    return false;
  }
  return true;
}

/* Take all options.  False, with a message printed, if one is wrong. */
static bool
take_options (struct report_request *request, int argc, char **argv,
              const char *flag, bool *wants_help)
{
  const struct option longopts[] = {
    { "output", required_argument, NULL, OPTION_OUTPUT },
    { "view", required_argument, NULL, OPTION_VIEW },
    { "help", no_argument, NULL, OPTION_HELP },
    IMAGE_OPTIONS,
    /* It may be NULL, and so the end. */
    { flag, no_argument, NULL, OPTION_FLAG },
    { NULL, 0, NULL, 0 },
  };
  int opt, index = 0;
  bool right = true;

  while (right &&
         (opt = next_option (argc, argv, IMAGE_SHORT_OPTIONS, longopts,
                             &index)) != -1)
    switch (opt) {
    case OPTION_OUTPUT:
      right = take_output (request, argv[0]);
      break;
    case OPTION_FLAG:
      request->flag = true;
      break;
    case OPTION_VIEW:
      request->view = optarg;
      break;
    case OPTION_HELP:
      *wants_help = true;
      return true;
    case OPTION_IMAGE:
    case OPTION_FORCE_SHARE:
    case OPTION_VERBOSE:
      right = image_options_take (request->options, argv[0], opt, longopts,
                                  index);
      break;
    default:
      right = false;
    }
  return right;
}

int
report_request_run (int argc, char **argv, const char *flag,
                    const char *help, int usage_status,
                    const char *no_view,
                    int (*run) (const struct report_request *request))
{
  struct report_request request = { .options = image_options_new () };
  int status = usage_status;
  bool wants_help = false;

  if (take_options (&request, argc, argv, flag, &wants_help)) {
    if (wants_help) {
      fputs (help, stdout);
      status = STATUS_OK;
    }
    else if (request.view && no_view)
      usage_error (argv[0], "--view: %s", no_view);
    else if (argc - optind != 1)
      usage_error (argv[0], argc == optind ? "an image is missing"
                   : "there can be only one image");
    else {
      request.path = argv[optind];
      status = run (&request);
    }
  }
  vdisk_options_free (request.options);
  return status;
}
