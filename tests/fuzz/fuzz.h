/* SPDX-License-Identifier: BSD-3-Clause */
/* What the fuzz targets share.  A target is one function that takes bytes
 * and must survive them; a broken promise of the library is told and ends
 * the program, so that whoever runs the target (libFuzzer, or replay.c)
 * keeps the input.
 *
 * An input starts with FUZZ_CONTROL_SIZE bytes that say how the image after
 * them is to be explored, so that they are found and kept like any other
 * part of an input.
 */

#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"
#include "random.h"
#include "vdisk.h"

struct format;
struct resolver;

#define FUZZ_CONTROL_SIZE 8

struct fuzz_control {
  bool ignore_bitmaps;
  enum vhd_size_rule size;
  bool sparse;                  /* blocks of zeros are holes of the file */
  bool anonymous;               /* files cannot be told to be the same */
  bool large;                   /* much of zeros follows the bytes */
  bool faulty;                  /* now and then a read fails */
  bool ahead;                   /* files are read ahead */
  struct random random;         /* where to look */
};

/* The target: see libFuzzer's documentation.  Always 0. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* Tell what is wrong, and abort. */
void fuzz_fail (const char *format, ...)
  __attribute__ ((noreturn, format (printf, 1, 2)));

/* Abort unless a promise is kept. */
#define fuzz_assert(promise, ...)               \
  do {                                          \
    if (!(promise))                             \
      fuzz_fail (__VA_ARGS__);                  \
  } while (0)

/* Abort unless 'text' is what a message has to be: one line, not empty,
 * with nothing in it that a terminal would act on. */
void fuzz_check_message (const char *what, const char *text);

/* Abort unless the error has an errno value and a message. */
void fuzz_check_error (const char *what, const struct vdisk_error *error);

/* Without memcmp, which libFuzzer would look into. */
bool fuzz_is_zeros (const uint8_t *bytes, size_t count);

/* Take the control off the start of the input: false if it is too short. */
bool fuzz_take_control (const uint8_t **data, size_t *size,
                        struct fuzz_control *control);

/* image_open of the first file, with a resolver or without; if the control
 * says so a read fails meanwhile, and then it is opened again.  NULL, with
 * the error checked, if it cannot be opened; more than 'reads' are too
 * many. */
struct vdisk *fuzz_open (const struct format *format,
                         struct fuzz_control *control,
                         const struct resolver *resolver, uint64_t reads);

#endif /* FUZZ_FUZZ_H */
