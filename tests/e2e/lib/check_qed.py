# SPDX-License-Identifier: BSD-3-Clause
"""The tables of a QED image, to be damaged."""

import struct


class Image:
    def __init__(self, path):
        self.file = open(path, "r+b")
        self.cluster = self.get(4, "<I")
        self.table_size = self.get(8, "<I") * self.cluster
        self.l1_offset = self.get(40)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.file.close()

    def get(self, at, layout="<Q"):
        self.file.seek(at)
        return struct.unpack(layout, self.file.read(
            struct.calcsize(layout)))[0]

    def put(self, at, value, layout="<Q"):
        self.file.seek(at)
        self.file.write(struct.pack(layout, value))

    def size(self):
        return self.file.seek(0, 2)

    def truncate(self, size):
        self.file.truncate(size)

    def l1(self, number=0):
        """Where the n-th L1 entry is that is not 0."""
        return self.used(self.l1_offset, number)

    def l2(self, table=0, number=0):
        """Where the n-th entry of the n-th L2 table is that is a data
        cluster."""
        return self.used(self.get(self.l1(table)), number)

    def used(self, table, number):
        for at in range(table, table + self.table_size, 8):
            if self.get(at) > 1:
                if number == 0:
                    return at
                number -= 1
        raise KeyError("no such entry")
