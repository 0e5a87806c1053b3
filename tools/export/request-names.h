/* SPDX-License-Identifier: BSD-3-Clause */
/* What stands after the options of 'vdisk export'. */

#ifndef VDISK_EXPORT_REQUEST_NAMES_H
#define VDISK_EXPORT_REQUEST_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "export/request.h"

/* The values of --prefix, in their order. */
struct export_prefixes {
  char **at;
  size_t count;
};

bool is_export_prefix (const char *text);

/* Take the sources and the destination into a request that has everything
 * else.  False, with a message printed, if something is wrong. */
bool export_take_names (struct export_request *request,
                        const struct export_prefixes *prefixes, size_t count,
                        char **names);

#endif /* VDISK_EXPORT_REQUEST_NAMES_H */
