/* SPDX-License-Identifier: BSD-3-Clause */
/* How libFuzzer is to mutate inputs of fuzz-options: with the words that
 * its parsers know.
 */

#include <string.h>

#include "mutate.h"
#include "util/minmax.h"

static const char *const words[] = {
  "format", "backing-dir", "size", "sector-bitmaps", "host-holes",
  "cache-size", "force-share", "layer", "layer-format", "ignore-parent-id",
  "parent-case", "none", "exact", "1:", "=", "auto", "current", "chs", "honour",
  "ignore", "off", "true", "false", "qcow2", "vhd", "vpc", "qed", "raw",
  "65536", "64k", "99999999999999999999", "18446744073709551615", "M", "G",
  "\n--", "\n--output=", "\n--start=", "\n--length=", "\n--totals",
  "\n--cluster-size=", "\n--qemu-version=", "7.2", "10.0", "qemu",
  "\n--measure", "\n--threads=", "\n--progress=", "\n--compression=",
  "\n--refcount-bits=", "\n--diff=", "\n--backing=", "\n--parent=",
  "\n--uuid=", "\n--prefix=", "\n--checksum=", "\n--block-size=",
  "\n-Ovhd", "\n-Oxva", "=Ref:7", "\n--data-file=", "\n-c", "zstd",
  "intervals", "clusters", "nbdinfo", "svg", "\nimage", ".", "/",
  "\xfe\xff", "\xff\xfe", "\xd8\x3d", "\xde\x00", "\xc3\xa4", "\xed\xa0",
};

/* Put a word over what is there, or between it. */
static size_t
put_word (uint8_t *data, size_t size, size_t max, struct random *random)
{
  const char *word = words[random_below (random, sizeof words /
                                         sizeof words[0])];
  const size_t at = 1 + random_below (random, size);
  const size_t length = min_u64 (strlen (word), max - min_u64 (at, max));

  if (random_below (random, 2) == 0 && size + length <= max) {
    memmove (data + at + length, data + at, size - min_u64 (at, size));
    size += length;
  }
  memcpy (data + at, word, length);
  return min_u64 (max, size > at + length ? size : at + length);
}

size_t
LLVMFuzzerCustomMutator (uint8_t *data, size_t size, size_t max_size,
                         unsigned int seed)
{
  struct random random = { .state = seed };

  if (size < 2 || random_below (&random, 2) == 0)
    return LLVMFuzzerMutate (data, size, max_size);
  return put_word (data, size, max_size, &random);
}
