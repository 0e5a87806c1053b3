/* SPDX-License-Identifier: BSD-3-Clause */
/* The one form in which text from outside (names of files, and what images
 * say) is shown: in messages, in JSON, on terminals.  A byte that is no part
 * of a printable character of UTF-8 is written as \xHH, and a backslash as
 * two, so that all of it is printable, and the bytes can be had again.
 */

#ifndef VDISK_ESCAPE_H
#define VDISK_ESCAPE_H

#include <stddef.h>

/* Room for what 'length' bytes become, with a NUL. */
#define ESCAPED_SIZE(length) (4 * (length) + 1)

/* Escape the first of 'length' bytes.  Sets *used to how many that were:
 * one, or the character they start.  Returns the length of what is put in
 * 'to', which has room for 4 bytes, without a NUL. */
size_t escape_first (char *to, const char *bytes, size_t length,
                     size_t *used);

/* Escape 'length' bytes, or as many of them as fit in the 'size' bytes (at
 * least 1) at 'to' with a NUL.  Returns the length without that. */
size_t escape_text (char *to, size_t size, const char *bytes, size_t length);

/* The bytes, with a NUL, of text as escape_text has made it; in place or
 * into another buffer that is as large.  Returns 'to'. */
char *escape_undo (char *to, const char *text);

#endif /* VDISK_ESCAPE_H */
