/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of 'vdisk export', each of which is a row of one table. */

#ifndef VDISK_EXPORT_OPTIONS_H
#define VDISK_EXPORT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/request-names.h"
#include "export/request.h"

struct export_option;

/* The most rows of the table. */
#define EXPORT_OPTIONS_MAX 64

/* Parsing under way. */
struct parsing {
  struct export_request *request;
  bool given[EXPORT_OPTIONS_MAX];       /* by the number of the row */
  struct export_prefixes prefixes;
};

/* Take a value (NULL: it has none).  False, with a message printed, if it is
 * wrong. */
typedef bool export_option_take (struct parsing *parsing,
                                 const struct export_option *option,
                                 const char *value);

struct export_option {
  const char *name;             /* NULL: there is only a letter */
  char letter;                  /* 0: there is none */
  const char *argument;         /* as the help has it; NULL: there is none */
  const struct exporter *exporter;      /* whose it is alone; NULL: all */
  const char *help;             /* may have several lines */

  export_option_take *take;
  size_t at;                    /* the member of struct export_request */
  uint64_t min, max;            /* of a number */
  const char *const *words;     /* NULL-terminated */
  bool is_output;               /* the output has the same option */
};

/* Ends with a row of zeros. */
extern const struct export_option export_option_table[];

/* The number of the row of an option that there is. */
size_t export_option_number (const char *name);

/* Take the options from the command line.  False, with a message printed, if
 * one is wrong. */
bool export_options_take (struct parsing *parsing, int argc, char **argv);

/* Call 'add' for the options of outputs that have a value. */
void export_options_of_output (const struct export_options *options,
                               const struct exporter *exporter,
                               void (*add) (void *opaque, const char *name,
                                            const char *value),
                               void *opaque);

#endif /* VDISK_EXPORT_OPTIONS_H */
