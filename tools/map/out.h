/* SPDX-License-Identifier: BSD-3-Clause */
/* Standard output for many small pieces of text: a buffer, and numbers
 * formatted by hand, since a map can have millions of them.
 */

#ifndef VDISK_MAP_OUT_H
#define VDISK_MAP_OUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The longest 64 bit number has this many digits. */
#define OUT_NUMBER_MAX 20

struct out {
  size_t used;
  int error;                    /* errno of the write that failed, or 0:
                                   then what is put here is dropped */
  char bytes[64 << 10];
};

/* Hand everything to stdio.  A failure is remembered in out->error, and
 * told to the user by finish_output. */
void out_flush (struct out *out);

/* Put a printf format.  For what is not put millions of times; at most
 * 4 KiB of text. */
void out_format (struct out *out, const char *format, ...)
  __attribute__ ((format (printf, 2, 3)));

/* Put a name, of any length, escaped as util/escape.h says. */
void out_name (struct out *out, const char *name);

/* How many digits a number has. */
unsigned out_digits (uint64_t number);

/* Put spaces: at most a buffer full, none if 'count' is negative. */
void out_spaces (struct out *out, int count);

/* Put a number, with spaces before it to fill 'width'. */
void out_padded (struct out *out, uint64_t number, unsigned width);

/* Make room for 'size' bytes, at most a buffer full. */
static inline void
out_reserve (struct out *out, size_t size)
{
  if (sizeof out->bytes - out->used < size)
    out_flush (out);
}

/* Put 'size' bytes, at most a buffer full. */
static inline void
out_bytes (struct out *out, const char *bytes, size_t size)
{
  out_reserve (out, size);
  memcpy (out->bytes + out->used, bytes, size);
  out->used += size;
}

/* Put a string, at most a buffer full of it. */
#define out_text(out, text) out_bytes ((out), (text), strlen (text))

/* Write the digits of a number, 'digits' of them, to 'to'. */
static inline void
out_write_digits (char *to, uint64_t number, unsigned digits)
{
  static const char pairs[] =
    "00010203040506070809" "10111213141516171819"
    "20212223242526272829" "30313233343536373839"
    "40414243444546474849" "50515253545556575859"
    "60616263646566676869" "70717273747576777879"
    "80818283848586878889" "90919293949596979899";

  while (digits >= 2) {
    digits -= 2;
    memcpy (to + digits, &pairs[number % 100 * 2], 2);
    number /= 100;
  }
  if (digits)
    *to = '0' + number;
}

static inline void
out_number (struct out *out, uint64_t number)
{
  const unsigned digits = out_digits (number);

  out_reserve (out, OUT_NUMBER_MAX);
  out_write_digits (out->bytes + out->used, number, digits);
  out->used += digits;
}

#endif /* VDISK_MAP_OUT_H */
