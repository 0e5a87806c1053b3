/* SPDX-License-Identifier: BSD-3-Clause */
/* What the subcommands of vdisk share. */

#ifndef VDISK_TOOL_H
#define VDISK_TOOL_H

#include <stdbool.h>

#include "vdisk.h"

/* Exit statuses: see vdisk(1). */
enum {
  STATUS_OK = 0,
  STATUS_ERROR = 1,
  STATUS_USAGE = 2,             /* but of 'vdisk check': STATUS_ERROR */
  STATUS_CHECK_ERRORS = 2,      /* this and those below: of 'vdisk check',
                                   as 'qemu-img check' has them */
  STATUS_CHECK_LEAKS = 3,
  STATUS_CHECK_UNSUPPORTED = 63,
};

struct command {
  const char *name;
  const char *summary;          /* one line of 'vdisk --help' */
  /* argv[0] is the name of the command; getopt starts afresh. */
  int (*run) (int argc, char **argv);
};

extern const struct command command_bitmap;
extern const struct command command_check;
extern const struct command command_export;
extern const struct command command_info;
extern const struct command command_map;
extern const struct command command_read_headers;
extern const struct command command_read_headers_interval;
extern const struct command command_views;

/* 'vdisk views' of bitmaps alone. */
int views_list_bitmaps (int argc, char **argv);

/* Print "vdisk: ..." on standard error, with a newline. */
void complain (const char *format, ...)
  __attribute__ ((format (printf, 1, 2)));

/* The same, and where to find help.  Returns STATUS_USAGE. */
int usage_error (const char *command, const char *format, ...)
  __attribute__ ((format (printf, 2, 3)));

/* Flush standard output.  The status to exit with: 'status', or
 * STATUS_ERROR with a message if something could not be written.  A reader
 * who has gone away (EPIPE) is no error. */
int finish_output (int status);

/* True once writing to standard output has failed: no need to go on. */
bool output_failed (void);

#endif /* VDISK_TOOL_H */
