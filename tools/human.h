/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers as a person reads them. */

#ifndef VDISK_HUMAN_H
#define VDISK_HUMAN_H

#include <stdint.h>

#define HUMAN_SIZE_MAX 32

/* Bytes as "512 B", "1.5 GiB", "64 KiB": three digits at most after
 * rounding down, so that nothing looks larger than it is.  Returns
 * 'text'. */
const char *human_size (uint64_t bytes, char text[HUMAN_SIZE_MAX]);

#endif /* VDISK_HUMAN_H */
