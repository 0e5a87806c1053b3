#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Mark the first bitmap of a QCOW2 image as in use, as a program leaves it
that is killed.

  bitmap_in_use.py IMAGE
"""

import struct
import sys

BITMAPS = 0x23852875
IN_USE = 1


def directory_offset(f):
    """Where the entries of bitmaps are, by the header extension."""
    f.seek(100)
    at, = struct.unpack(">I", f.read(4))
    while True:
        f.seek(at)
        kind, length = struct.unpack(">II", f.read(8))
        if kind == 0:
            raise SystemExit("no bitmaps")
        if kind == BITMAPS:
            return struct.unpack(">IIQQ", f.read(24))[3]
        at += 8 + (length + 7) // 8 * 8


with open(sys.argv[1], "r+b") as image:
    flags = directory_offset(image) + 12
    image.seek(flags)
    old, = struct.unpack(">I", image.read(4))
    image.seek(flags)
    image.write(struct.pack(">I", old | IN_USE))
