/* SPDX-License-Identifier: BSD-3-Clause */
/* Values of command line options. */

#ifndef VDISK_PARSE_H
#define VDISK_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/* Parse a number of bytes: digits, and perhaps one of k, M, G, T.  False
 * if it is none, or too large. */
bool parse_bytes (const char *text, uint64_t *bytes);

#endif /* VDISK_PARSE_H */
