/* SPDX-License-Identifier: BSD-3-Clause */
/* Files of a fuzz input, in memory.  Their bytes end where a page begins
 * that cannot be touched, so that reading beyond them is noticed with and
 * without a sanitizer; and reads are counted, so that an input that makes
 * the library read out of all proportion is noticed too.
 */

#ifndef FUZZ_FILES_H
#define FUZZ_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/source.h"

#define FUZZ_FILES_MAX 8
#define FUZZ_FILE_SIZE_MAX ((size_t) 256 << 10)

/* Forget all files, and put one at 'bytes' that is called by its number
 * ("a", "b", ...).  The bytes are copied.  False if there is no room. */
void fuzz_files_clear (void);
bool fuzz_files_add (const uint8_t *bytes, size_t size);

/* Open a file by its number, or by its name: NULL if there is none.  A
 * sparse one has holes where there are blocks of zeros.  An anonymous one
 * has no identity by which a loop could be noticed. */
struct source *fuzz_files_open (unsigned number, bool sparse,
                                bool anonymous);
int fuzz_files_find (const char *name);

/* The bytes of a file. */
const uint8_t *fuzz_files_bytes (unsigned number, size_t *size);

/* How many bytes all files have together. */
size_t fuzz_files_total (void);

/* How many are open. */
unsigned fuzz_files_opened (void);

/* Start counting reads, and abort if there were more since than 'limit':
 * a read of any size counts as one, and one more for each 512 bytes. */
void fuzz_meter_start (void);
void fuzz_meter_check (const char *what, uint64_t limit);

#endif /* FUZZ_FILES_H */
