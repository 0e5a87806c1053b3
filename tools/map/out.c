/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffered text and fast numbers. */

#include "map/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/escape.h"

#define FORMAT_MAX 4096

void
out_flush (struct out *out)
{
  if (out->error == 0 &&
      fwrite (out->bytes, 1, out->used, stdout) < out->used)
    out->error = errno;
  out->used = 0;
}

void
out_format (struct out *out, const char *format, ...)
{
  va_list args;
  int size;

  out_reserve (out, FORMAT_MAX);
  va_start (args, format);
  size = vsnprintf (out->bytes + out->used, FORMAT_MAX, format, args);
  va_end (args);
  if (size >= FORMAT_MAX)
    size = FORMAT_MAX - 1;
  if (size > 0)
    out->used += size;
}

void
out_name (struct out *out, const char *name)
{
  size_t left = strlen (name), used, put;
  char one[4];

  for (; left > 0; name += used, left -= used) {
    put = escape_first (one, name, left, &used);
    out_bytes (out, one, put);
  }
}

unsigned
out_digits (uint64_t number)
{
  static const uint64_t powers[OUT_NUMBER_MAX] = {
    0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
    1000000000, 10000000000, 100000000000, 1000000000000, 10000000000000,
    100000000000000, 1000000000000000, 10000000000000000,
    100000000000000000, 1000000000000000000, 10000000000000000000u,
  };
  const unsigned bits = 64 - __builtin_clzll (number | 1);
  /* log10 (2) is a little more than 1233/4096. */
  const unsigned guess = bits * 1233 >> 12;

  return guess + (number >= powers[guess]);
}

void
out_spaces (struct out *out, int count)
{
  if (count <= 0)
    return;
  out_reserve (out, count);
  memset (out->bytes + out->used, ' ', count);
  out->used += count;
}

void
out_padded (struct out *out, uint64_t number, unsigned width)
{
  out_spaces (out, (int) width - (int) out_digits (number));
  out_number (out, number);
}
