/* SPDX-License-Identifier: BSD-3-Clause */
/* UTF-16, in which VHDs record names, to UTF-8. */

#ifndef VDISK_UTF16_H
#define VDISK_UTF16_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Convert the 'size' bytes at 'from', or what comes before the first NUL
 * in them, to NUL-terminated UTF-8 in the 'to_size' bytes (at least 1) at
 * 'to'.  A byte order mark overrides 'big_endian', and is left out.
 * 3 bytes for every 2 and one more are always enough.  Returns the length
 * without the NUL, or -1 if this is not UTF-16 (half a surrogate pair,
 * half a unit) or does not fit. */
ssize_t utf16_to_utf8 (const void *from, size_t size, bool big_endian,
                       char *to, size_t to_size);

#endif /* VDISK_UTF16_H */
