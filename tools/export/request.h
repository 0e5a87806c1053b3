/* SPDX-License-Identifier: BSD-3-Clause */
/* What the command line of 'vdisk export' asks for. */

#ifndef VDISK_EXPORT_REQUEST_H
#define VDISK_EXPORT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "export/export.h"
#include "export/parts.h"
#include "progress.h"
#include "vdisk.h"
#include "view-options.h"

struct export_source {
  char *name;                   /* owned: the path or URI */
  const char *prefix;           /* of xva */
};

struct export_request {
  const struct exporter *exporter;
  struct export_options options;
  struct export_source *sources;        /* sorted by prefix, if of xva */
  size_t source_count;
  const char *destination;      /* NULL if only measured */
  struct export_parts parts;
  struct view_options view;
  bool measure;
  bool help;                    /* print that, and nothing else */
  const char *base;             /* of --diff or --parent; NULL: none */
  const char *base_format;      /* NULL: as it turns out */
  bool has_progress;            /* else a bar, on a terminal */
  unsigned progress;            /* an enum progress_style */
  struct vdisk_options *image_options;
};

/* Take what the command line says into a request of zeros.  False, with a
 * message printed, if something is wrong.  Free it in any case. */
bool export_request_parse (struct export_request *request, int argc,
                           char **argv);

void export_request_free (struct export_request *request);

void export_request_print_help (void);

#endif /* VDISK_EXPORT_REQUEST_H */
