#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Extents of a JSON map on standard input, one a line: offset, length, and
what they are.  Neighbours that are the same are one.

  nbdinfo --map --json URI | extents.py type     flags of nbdinfo
  nbdinfo --map --json URI | extents.py zero     1 (a hole that may be
                                                 anything) is data
  qemu-img map --output=json IMAGE | extents.py data
"""

import json
import sys

import expect

KINDS = {"type": lambda e: e["type"],
         "zero": lambda e: e["type"] if e["type"] & 2 else 0,
         "data": lambda e: e["data"]}


def main():
    kind = KINDS[sys.argv[1]]
    extents = []
    for e in json.load(sys.stdin):
        expect.append(extents, e["length"], kind(e))
    for extent in extents:
        print(*extent)


if __name__ == "__main__":
    main()
