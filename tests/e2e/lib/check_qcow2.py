# SPDX-License-Identifier: BSD-3-Clause
"""The metadata of a QCOW2 image, to be damaged: tables are read and
written as lists of numbers, without any sense of what is right.
"""

import struct

OFFSET_MASK = 0x00fffffffffffe00
COPIED = 1 << 63
COMPRESSED = 1 << 62
ZERO = 1
EXTENDED_L2 = 1 << 4

HEADER = {"size": (24, ">Q"), "crypt_method": (32, ">I"),
          "l1_size": (36, ">I"), "l1_offset": (40, ">Q"),
          "refcount_offset": (48, ">Q"), "refcount_clusters": (56, ">I"),
          "snapshots": (60, ">I"), "snapshots_offset": (64, ">Q"),
          "incompatible": (72, ">Q"), "autoclear": (88, ">Q")}
BITMAPS = 0x23852875
LUKS = 0x0537be77


def is_data(entry):
    return entry & OFFSET_MASK and not entry & (COMPRESSED | ZERO)


class Image:
    def __init__(self, path):
        self.file = open(path, "r+b")
        self.version = self.get(4, ">I")
        self.cluster = 1 << self.get(20, ">I")
        extended = self.version >= 3 and self.header("incompatible") & (
            EXTENDED_L2)
        self.entry_size = 16 if extended else 8
        self.l2_entries = self.cluster // self.entry_size
        self.refcount_order = self.get(96, ">I") if self.version >= 3 else 4

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.file.close()

    def get(self, at, layout=">Q"):
        self.file.seek(at)
        data = self.file.read(struct.calcsize(layout))
        return struct.unpack(layout, data.ljust(struct.calcsize(layout),
                                                b"\0"))[0]

    def put(self, at, value, layout=">Q"):
        self.file.seek(at)
        self.file.write(struct.pack(layout, value))

    def size(self):
        return self.file.seek(0, 2)

    def truncate(self, size):
        self.file.truncate(size)

    def header(self, name, value=None):
        at, layout = HEADER[name]
        if value is not None:
            self.put(at, value, layout)
        return self.get(at, layout)

    def extensions(self):
        """Kinds and places of the header extensions; 0 is the end."""
        at = 72 if self.version == 2 else self.get(100, ">I")
        while True:
            kind = self.get(at, ">I")
            yield kind, at
            if kind == 0:
                return
            at += 8 + -(-self.get(at + 4, ">I") // 8) * 8

    def extension(self, kind):
        """Where the data of a header extension is."""
        return dict(self.extensions())[kind] + 8

    def last_extension(self):
        """Where the header extensions end."""
        return dict(self.extensions())[0]

    # Where entries are.

    def l1(self, index=0):
        return self.header("l1_offset") + index * 8

    def table(self, l1_at):
        """The offset of the L2 table that an L1 entry refers to."""
        return self.get(l1_at) & OFFSET_MASK

    def l2(self, guest_cluster):
        l1 = self.l1(guest_cluster // self.l2_entries)
        table = self.table(l1)
        if table == 0:
            raise KeyError("no L2 table for cluster %d" % guest_cluster)
        return table + guest_cluster % self.l2_entries * self.entry_size

    def refcount_entry(self, index=0):
        return self.header("refcount_offset") + index * 8

    def snapshot(self, number):
        """The entry of the n-th snapshot."""
        at = self.header("snapshots_offset")
        for _ in range(number):
            size = 40 + self.get(at + 36, ">I") + self.get(at + 12, ">H")
            at += -(-(size + self.get(at + 14, ">H")) // 8) * 8
        return at

    def snapshot_l1(self, number, index=0):
        return self.get(self.snapshot(number)) + index * 8

    def bitmap_directory(self):
        return self.get(self.extension(BITMAPS) + 16)

    def bitmap(self, number):
        at = self.bitmap_directory()
        for _ in range(number):
            size = 24 + self.get(at + 20, ">I") + self.get(at + 18, ">H")
            at += -(-size // 8) * 8
        return at

    def bitmap_table(self, number, index=0):
        return self.get(self.bitmap(number)) + index * 8

    # Refcounts.

    def refcount(self, cluster, value=None):
        bits = 1 << self.refcount_order
        per_block = self.cluster * 8 // bits
        block = self.get(self.refcount_entry(cluster // per_block))
        bit = cluster % per_block * bits
        at = block + bit // 8
        if bits >= 8:
            layout = {8: ">B", 16: ">H", 32: ">I", 64: ">Q"}[bits]
            if value is not None:
                self.put(at, value, layout)
            return self.get(at, layout)
        mask = (1 << bits) - 1
        byte = self.get(at, ">B")
        if value is not None:
            byte &= ~(mask << bit % 8) & 0xff
            byte |= (value & mask) << bit % 8
            self.put(at, byte, ">B")
        return byte >> bit % 8 & mask

    # Finding victims.

    def find(self, wanted, number=0):
        """Where the n-th L2 entry is that 'wanted' is true of."""
        for at in self.entries():
            if wanted(self.get(at)):
                if number == 0:
                    return at
                number -= 1
        raise KeyError("no such entry")

    def data(self, number=0):
        return self.find(is_data, number)

    def packed(self, number=0):
        return self.find(lambda entry: entry & COMPRESSED, number)

    def reserved_zero(self):
        """A zero cluster that has a host cluster."""
        return self.find(lambda entry: not entry & COMPRESSED
                         and entry & ZERO and entry & OFFSET_MASK)

    def data_in(self, table):
        """The first data cluster of an L2 table."""
        return next(at for at in range(table, table + self.cluster,
                                       self.entry_size)
                    if is_data(self.get(at)))

    def entries(self):
        for index in range(self.header("l1_size")):
            table = self.table(self.l1(index))
            if table:
                yield from range(table, table + self.cluster,
                                 self.entry_size)

    def host(self, at):
        """The number of the host cluster an entry refers to."""
        return (self.get(at) & OFFSET_MASK) // self.cluster
