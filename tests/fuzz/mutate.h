/* SPDX-License-Identifier: BSD-3-Clause */
/* Mutating images by what they mean.  Random bytes do not get past a
 * checksum, and an offset that is not cluster-aligned gets no further than
 * the rule that says so.  So a mutator for each format changes a field, a
 * table entry or the layout, and mostly to something that may be right.
 */

#ifndef FUZZ_MUTATE_H
#define FUZZ_MUTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "random.h"

/* libFuzzer's. */
size_t LLVMFuzzerMutate (uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator (uint8_t *data, size_t size,
                                size_t max_size, unsigned int seed);

/* Bytes that are being mutated: an image, of at least MUTATE_SIZE_MIN. */
#define MUTATE_SIZE_MIN 64

struct mutation {
  uint8_t *bytes;
  size_t size, max;             /* the size may grow up to 'max' */
  struct random *random;
};

/* Change one thing. */
typedef void mutator (struct mutation *m);

mutator mutate_qcow2, mutate_vhd, mutate_qed;

/* As mutate_qcow2, and what the lists of snapshots and bitmaps lead to. */
mutator mutate_views;

/* The one for whatever format the bytes have by their magic. */
mutator mutate_by_magic;

/* For LLVMFuzzerCustomMutator of targets that take one image: change the
 * control, or the image. */
size_t mutate_image_input (uint8_t *data, size_t size, size_t max,
                           unsigned seed, mutator *mutate);

/* One of n, as often as not. */
static inline bool
one_in (struct mutation *m, uint64_t n)
{
  return random_below (m->random, n) == 0;
}

/* Numbers of 1 to 8 bytes.  What lies beyond the end reads as 0, and is
 * not written. */
uint64_t mutate_get (const struct mutation *m, uint64_t offset,
                     unsigned width, bool big_endian);
void mutate_put (struct mutation *m, uint64_t offset, unsigned width,
                 bool big_endian, uint64_t value);

/* A number that may be of interest where 'old' was. */
uint64_t mutate_number (struct mutation *m, uint64_t old);

/* A place in the file that is a multiple of 'unit', or just not in it. */
uint64_t mutate_place (struct mutation *m, uint64_t unit);

/* Let libFuzzer mutate some bytes, in place. */
void mutate_bytes (struct mutation *m, uint64_t offset, uint64_t size);

/* Let there be up to 'count' bytes more at 'offset', zeros or a copy of
 * others. */
void mutate_insert (struct mutation *m, size_t offset, size_t count);

/* Remove bytes, or some of the last, but leave MUTATE_SIZE_MIN. */
void mutate_remove (struct mutation *m, size_t offset, size_t count);
void mutate_truncate (struct mutation *m, size_t count);

#endif /* FUZZ_MUTATE_H */
