/* SPDX-License-Identifier: BSD-3-Clause */
/* What the command line of a command asks for that reports on one image,
 * as text or as JSON: 'vdisk info', 'vdisk check', 'vdisk
 * views'.
 */

#ifndef VDISK_REPORT_REQUEST_H
#define VDISK_REPORT_REQUEST_H

#include <stdbool.h>

#include "vdisk.h"

enum output { OUTPUT_HUMAN, OUTPUT_JSON };

struct report_request {
  const char *path;             /* of the image */
  enum output output;
  bool flag;                    /* the command's own option was given */
  const char *view;             /* NULL: active */
  struct vdisk_options *options;
};

/* The part of a command's --help that is the same for all of them, but
 * for its last line. */
#define REPORT_OPTIONS_HELP                                             \
"  --output=human|json     as text (default), or as JSON with the keys of\n"

/* Take the command line of a command with '--output', '--help' (which
 * prints 'help') and one option of its own called 'flag' (NULL: none), carry the
 * request out with 'run', and return the status to exit with, which is
 * 'usage_status' if the command line is wrong.  'no_view' is why it takes no
 * '--view'; NULL: it does. */
int report_request_run (int argc, char **argv, const char *flag,
                        const char *help, int usage_status,
                        const char *no_view,
                        int (*run) (const struct report_request *request));

#endif /* VDISK_REPORT_REQUEST_H */
