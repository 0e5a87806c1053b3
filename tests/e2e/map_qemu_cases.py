#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Print the document of 'qemu-img map --output=json' that has these objects.

  map_qemu_cases.py "START LENGTH DEPTH FLAGS [OFFSET]"...

Flags are letters: present, zero, data, compressed.
"""

import sys

NAMES = {"p": "present", "z": "zero", "d": "data", "c": "compressed"}


def object_of(line):
    start, length, depth, flags, *offset = line.split()
    text = f'{{ "start": {start}, "length": {length}, "depth": {depth}'
    for letter, name in NAMES.items():
        text += f', "{name}": {str(letter in flags).lower()}'
    return text + "".join(f', "offset": {n}' for n in offset) + "}"


def main():
    print("[" + ",\n".join(map(object_of, sys.argv[1:])) + "]")


if __name__ == "__main__":
    main()
