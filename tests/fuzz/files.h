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

struct fuzz_control;

#define FUZZ_FILES_MAX 8
#define FUZZ_FILE_SIZE_MAX ((size_t) 256 << 10)

/* The zeros that follow in a large file: room for a VHD's block. */
#define FUZZ_FILE_TAIL ((uint64_t) 5 << 20)

/* Forget all files, and put one at 'bytes' that is called by its number
 * ("a", "b", ...).  The bytes are copied.  False if there is no room. */
void fuzz_files_clear (void);
bool fuzz_files_add (const uint8_t *bytes, size_t size);

/* Open a file by its number, as the control has it: NULL if there is none. */
struct source *fuzz_files_open (unsigned number,
                                const struct fuzz_control *control);

/* The number of a file by its name; -1 if there is none. */
int fuzz_files_find (const char *name);

/* Are these the bytes of a file?  The range must lie in it. */
bool fuzz_files_has (unsigned number, uint64_t offset, const uint8_t *bytes,
                     size_t count);

/* Copy bytes of a file; zeros where it has none. */
void fuzz_files_get (unsigned number, uint64_t offset, uint8_t *bytes,
                     size_t count);

/* How large a file is, with what 'large' adds. */
uint64_t fuzz_files_size (unsigned number);

/* How many bytes all files have together. */
uint64_t fuzz_files_total (void);

/* How many are open. */
unsigned fuzz_files_opened (void);

/* Start counting reads, and abort if there were more since than 'limit':
 * a read of any size counts as one, and one more for each 512 bytes. */
void fuzz_meter_start (void);
void fuzz_meter_check (const char *what, uint64_t limit);

/* Let the n-th read from now on fail, once; 0: none.  Has it failed? */
void fuzz_files_arm (unsigned n);
bool fuzz_files_has_failed (void);

#endif /* FUZZ_FILES_H */
