/* SPDX-License-Identifier: BSD-3-Clause */
/* UUIDs, 16 bytes in the order in which they are written as text. */

#ifndef VDISK_UUID_H
#define VDISK_UUID_H

#include <stdbool.h>
#include <stdint.h>

/* Parse a UUID as it is shown: "00112233-4455-6677-8899-aabbccddeeff".
 * False if it is none. */
bool uuid_parse (const char *text, uint8_t uuid[16]);

/* Room for a UUID as 8-4-4-4-12 digits. */
#define UUID_TEXT_SIZE 37

/* The text of a UUID, in lower case: returns 'text'. */
const char *uuid_text (const uint8_t uuid[16], char text[UUID_TEXT_SIZE]);

bool uuid_is_null (const uint8_t uuid[16]);

#endif /* VDISK_UUID_H */
