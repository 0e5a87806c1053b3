/* SPDX-License-Identifier: BSD-3-Clause */
/* UUIDs, 16 bytes in the order in which they are written as text. */

#ifndef VDISK_UUID_H
#define VDISK_UUID_H

#include <stdbool.h>
#include <stdint.h>

/* Parse a UUID as it is shown: "00112233-4455-6677-8899-aabbccddeeff".
 * False if it is none. */
bool uuid_parse (const char *text, uint8_t uuid[16]);

#endif /* VDISK_UUID_H */
