#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Edit the header and tables of a QCOW2 image, as damage does, or as
features QEMU cannot be told to make.

  qcow2_edit.py IMAGE size BYTES
  qcow2_edit.py IMAGE incompatible BITS     (set, besides those there)
  qcow2_edit.py IMAGE l1 GUEST-OFFSET VALUE
  qcow2_edit.py IMAGE l2 GUEST-OFFSET VALUE (the first 8 bytes)
  qcow2_edit.py IMAGE show-l2 GUEST-OFFSET
  qcow2_edit.py IMAGE forget-backing-format
  qcow2_edit.py IMAGE autoclear BITS
  qcow2_edit.py IMAGE backing-size BYTES    (those added are NULs)
"""

import struct
import sys

OFFSET_MASK = 0x00fffffffffffe00
BACKING_AT, SIZE_AT, L1_AT = 8, 24, 40
INCOMPATIBLE_AT, AUTOCLEAR_AT = 72, 88
EXTENDED_L2 = 1 << 4
BACKING_FORMAT = 0xe2792aca


def get(f, at, layout=">Q"):
    f.seek(at)
    return struct.unpack(layout, f.read(struct.calcsize(layout)))[0]


def put(f, at, value):
    f.seek(at)
    f.write(struct.pack(">Q", value))


def set_size(path, size):
    with open(path, "r+b") as f:
        put(f, SIZE_AT, size)


def set_incompatible(path, bits):
    with open(path, "r+b") as f:
        put(f, INCOMPATIBLE_AT, get(f, INCOMPATIBLE_AT) | bits)


def set_autoclear(path, bits):
    with open(path, "r+b") as f:
        put(f, AUTOCLEAR_AT, bits)


def set_backing_size(path, size):
    with open(path, "r+b") as f:
        offset, old = get(f, BACKING_AT), get(f, BACKING_AT + 8, ">I")
        f.seek(BACKING_AT + 8)
        f.write(struct.pack(">I", size))
        f.seek(offset + old)
        f.write(bytes(max(size - old, 0)))


def forget_backing_format(path):
    """Make of the extension that records it one that nobody knows."""
    with open(path, "r+b") as f:
        at = 72 if get(f, 4, ">I") == 2 else get(f, 100, ">I")
        while True:
            kind, length = get(f, at, ">I"), get(f, at + 4, ">I")
            if kind == BACKING_FORMAT:
                f.seek(at)
                f.write(b"none")
                return
            if kind == 0:
                raise SystemExit("no backing format is recorded")
            at += 8 + -(-length // 8) * 8


class Position:
    """Where the table entries of a guest offset are."""

    def __init__(self, f, guest):
        cluster_bits = get(f, 20, ">I")
        extended = (get(f, 4, ">I") >= 3
                    and get(f, INCOMPATIBLE_AT) & EXTENDED_L2)
        entry_size = 16 if extended else 8
        entries = (1 << cluster_bits) // entry_size
        cluster = guest >> cluster_bits
        self.l1 = get(f, L1_AT) + cluster // entries * 8
        self._l2 = get(f, self.l1) & OFFSET_MASK
        self._index = cluster % entries * entry_size

    @property
    def l2(self):
        if self._l2 == 0:
            raise SystemExit("there is no L2 table")
        return self._l2 + self._index


def main():
    path, what, *values = sys.argv[1:]
    values = [int(value, 0) % (1 << 64) for value in values]
    if what == "size":
        set_size(path, *values)
    elif what == "incompatible":
        set_incompatible(path, *values)
    elif what == "autoclear":
        set_autoclear(path, *values)
    elif what == "backing-size":
        set_backing_size(path, *values)
    elif what in ("l1", "l2"):
        with open(path, "r+b") as f:
            put(f, getattr(Position(f, values[0]), what), values[1])
    elif what == "show-l2":
        with open(path, "rb") as f:
            print("%#x" % get(f, Position(f, values[0]).l2))
    elif what == "forget-backing-format":
        forget_backing_format(path)
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
