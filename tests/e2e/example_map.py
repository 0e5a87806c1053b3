#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Is what the example program map has printed what 'qemu-img map' says?

  example_map.py PRINTED QEMU-JSON
"""

import json
import sys


def merged(pieces):
    """Neighbours that are alike as one."""
    result = []
    for start, length, is_data in pieces:
        if result and result[-1][2] == is_data and sum(result[-1][:2]) == start:
            result[-1][1] += length
        else:
            result.append([start, length, is_data])
    return result


def main():
    with open(sys.argv[1]) as file:
        *lines, total = file.read().splitlines()
    ours = merged((int(start), int(length), kind in ("data", "packed"))
                  for start, length, kind in map(str.split, lines))
    with open(sys.argv[2]) as file:
        theirs = merged((piece["start"], piece["length"], piece["data"])
                        for piece in json.load(file))
    if ours != theirs:
        sys.exit(f"ours: {ours}, QEMU's: {theirs}")
    data = sum(length for _, length, is_data in theirs if is_data)
    size = sum(theirs[-1][:2])
    if total != f"{data} of {size} bytes are data":
        sys.exit(f"the last line: {total}")
    kinds = {line.split()[2] for line in lines}
    if kinds != {"data", "packed", "zero", "hole"}:
        sys.exit(f"not all kinds are there: {kinds}")


main()
