/* SPDX-License-Identifier: BSD-3-Clause */
/* Text from outside as a JSON string. */

#ifndef VDISK_ESCAPE_JSON_H
#define VDISK_ESCAPE_JSON_H

#include <stddef.h>

#include <jansson.h>

/* Bytes as a string of UTF-8, escaped as util/escape.h says.  NULL if there
 * is no memory. */
json_t *escape_json (const char *bytes, size_t length);

#endif /* VDISK_ESCAPE_JSON_H */
