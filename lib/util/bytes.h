/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers as they lie on disk.  A be32 is not a uint32_t, so the compiler
 * catches a forgotten swap; it has no alignment, so a struct of them has
 * no padding and may lie anywhere.
 */

#ifndef VDISK_BYTES_H
#define VDISK_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

typedef struct { uint8_t b[2]; } be16;
typedef struct { uint8_t b[4]; } be32;
typedef struct { uint8_t b[8]; } be64;
typedef struct { uint8_t b[4]; } le32;
typedef struct { uint8_t b[8]; } le64;

#define DEFINE_GET(type, bits)                  \
  static inline uint##bits##_t                  \
  get_##type (type v)                           \
  {                                             \
    uint##bits##_t n;                           \
    memcpy (&n, v.b, sizeof n);                 \
    return type##toh (n);                       \
  }                                             \
  static inline type                            \
  to_##type (uint##bits##_t n)                  \
  {                                             \
    type v;                                     \
    n = hto##type (n);                          \
    memcpy (v.b, &n, sizeof n);                 \
    return v;                                   \
  }

DEFINE_GET (be16, 16)
DEFINE_GET (be32, 32)
DEFINE_GET (be64, 64)
DEFINE_GET (le32, 32)
DEFINE_GET (le64, 64)

#undef DEFINE_GET

#endif /* VDISK_BYTES_H */
