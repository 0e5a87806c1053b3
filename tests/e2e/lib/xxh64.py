# SPDX-License-Identifier: BSD-3-Clause
"""XXH64 in Python, from its specification ("xxHash fast digest algorithm",
version 0.1.1), to check the checksums of an XVA with something that did
not make them.
"""

import struct

MASK = (1 << 64) - 1
P1 = 0x9e3779b185ebca87
P2 = 0xc2b2ae3d27d4eb4f
P3 = 0x165667b19e3779f9
P4 = 0x85ebca77c2b2ae63
P5 = 0x27d4eb2f165667c5


def rotate(x, bits):
    return (x << bits | x >> 64 - bits) & MASK


def mix(accumulator, lane):
    """One round."""
    accumulator = (accumulator + lane * P2) & MASK
    return (accumulator << 31 | accumulator >> 33) * P1 & MASK


def stripes(data, seed):
    """Four accumulators over all stripes of 32 bytes."""
    a, b = (seed + P1 + P2) & MASK, (seed + P2) & MASK
    c, d = seed, (seed - P1) & MASK
    for w, x, y, z in struct.iter_unpack("<4Q", data):
        # As mix(), but a call for each lane takes twice the time.
        a = (a + w * P2) & MASK
        a = (a << 31 | a >> 33) * P1 & MASK
        b = (b + x * P2) & MASK
        b = (b << 31 | b >> 33) * P1 & MASK
        c = (c + y * P2) & MASK
        c = (c << 31 | c >> 33) * P1 & MASK
        d = (d + z * P2) & MASK
        d = (d << 31 | d >> 33) * P1 & MASK
    h = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)
    for accumulator in (a, b, c, d):
        h = ((h ^ mix(0, accumulator)) * P1 + P4) & MASK
    return h


def tail(h, data):
    """What does not fill a stripe."""
    at = 0
    while len(data) - at >= 8:
        h ^= mix(0, struct.unpack_from("<Q", data, at)[0])
        h = (rotate(h, 27) * P1 + P4) & MASK
        at += 8
    if len(data) - at >= 4:
        h ^= struct.unpack_from("<I", data, at)[0] * P1 & MASK
        h = (rotate(h, 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        h ^= byte * P5 & MASK
        h = rotate(h, 11) * P1 & MASK
    return h


def xxh64(data, seed=0):
    """The hash of some bytes, as a number."""
    view = memoryview(data)
    whole = len(view) // 32 * 32
    h = stripes(view[:whole], seed) if whole else (seed + P5) & MASK
    h = tail((h + len(view)) & MASK, view[whole:])
    h = (h ^ h >> 33) * P2 & MASK
    h = (h ^ h >> 29) * P3 & MASK
    return h ^ h >> 32
