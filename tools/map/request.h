/* SPDX-License-Identifier: BSD-3-Clause */
/* What the command line of 'vdisk map', or of one of its aliases, asks
 * for.
 */

#ifndef VDISK_MAP_REQUEST_H
#define VDISK_MAP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "map/writer.h"
#include "vdisk.h"
#include "view-options.h"

struct map_request {
  const char *command;          /* as it was called */
  bool is_alias;                /* then its dialect cannot be chosen */
  const struct map_writer *writer;
  uint64_t start, length;
  bool has_length;              /* else to the end of the disk */
  uint64_t cluster_size;        /* 0: the image's */
  const char *qemu_version;     /* NULL: not given */
  const char *bit_order;        /* NULL: not given */
  bool totals;
  struct view_options view;
  bool help;                    /* print that, and nothing else */
  struct vdisk_options *options;
};

/* Take what the options say into a request that has its command, writer
 * and options already.  Returns the image's name.  NULL if there is no
 * image to map: help is asked for, or something is wrong, of which a
 * message was printed. */
const char *map_request_parse (struct map_request *request, int argc,
                               char **argv);

#endif /* VDISK_MAP_REQUEST_H */
