#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Demand the layout of a streamed QCOW2, to the byte.

  qcow2_layout.py [--loose] [--size N] [--cluster-size N]
      [--refcount-bits N] [--backing NAME] [--backing-format NAME]
      [--data-file NAME] [--raw-data] [--compression zlib|zstd] IMAGE

A streamed image is version 3 with a header of 112 bytes and nothing but:
header, refcount table, refcount blocks, L1 table, the L2 tables that have
entries, data clusters in guest order, each right behind the one before it.
Each of its clusters has a refcount of 1 and is used once, no refcount says
anything of clusters beyond its end, all entries have the COPIED flag, and
what fills up a cluster is zeros.

--loose (which --compression implies) demands no order, and lets
compressed clusters share host clusters: every cluster still has the
refcount that is the number of its uses, and none has no use.

Prints the numbers of the guest's clusters, as ranges: "data 0-2,13",
"zero -", "compressed -".
"""

import argparse
import array
import os
import struct
import sys

COPIED, PACKED, ZERO = 1 << 63, 1 << 62, 1
OFFSET = 0x00fffffffffffe00
DATA_FILE, COMPRESSION, RAW_DATA = 1 << 2, 1 << 3, 1 << 1
EXT_END, EXT_BACKING, EXT_NAMES, EXT_DATA_FILE = (
    0, 0xe2792aca, 0x6803f857, 0x44415441)
KINDS = {0: "incompatible", 1: "compatible", 2: "autoclear"}
HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQIIB7s")
FIELDS = ("magic", "version", "backing_offset", "backing_size",
          "cluster_bits", "size", "crypt_method", "l1_size", "l1_offset",
          "refcount_table_offset", "refcount_table_clusters", "snapshots",
          "snapshots_offset", "incompatible", "compatible", "autoclear",
          "refcount_order", "header_length", "compression_type", "padding")


class LayoutError(Exception):
    pass


def demand(what, found, wanted):
    if found != wanted:
        if isinstance(found, int) and isinstance(wanted, int):
            found = f"{found} ({found:#x})"
            wanted = f"{wanted} ({wanted:#x})"
        raise LayoutError(f"{what} is {found}, expected {wanted}")


def ceil(a, b):
    return -(-a // b)


class Layout:
    """An image, read and found to be laid out as it should be.

    'data', 'zero' and 'compressed' are the sorted numbers of the guest
    clusters that are so; 'places' are (number, offset) of those whose data
    is in the image as it is."""

    def __init__(self, path, *, size=None, cluster_size=65536,
                 refcount_bits=16, backing=None, backing_format=None,
                 data_file=None, raw_data=False, compression=None,
                 loose=False):
        self.path = path
        self.wanted_size = size
        self.cluster = cluster_size
        self.refcount_bits = refcount_bits
        self.backing = backing
        self.backing_format = backing_format
        self.data_file = data_file
        self.raw_data = raw_data
        self.compression = compression
        self.loose = loose or compression is not None
        with open(path, "rb") as self.file:
            self.length = os.fstat(self.file.fileno()).st_size
            self.clusters = ceil(self.length, self.cluster)
            self.uses = array.array("I", bytes(4 * self.clusters))
            self.read_header()
            self.read_extensions()
            self.place_tables()
            self.read_tables()
            self.check_uses()

    def read(self, offset, count):
        self.file.seek(offset)
        data = self.file.read(count)
        if len(data) != count:
            raise LayoutError(f"{count} bytes at {offset} reach beyond the "
                              f"end of the file at {self.length}")
        return data

    def words(self, offset, count):
        return struct.unpack(f">{count}Q", self.read(offset, count * 8))

    def use(self, offset, count, what):
        """Count one use of the clusters under these bytes."""
        if offset + count > self.clusters * self.cluster:
            raise LayoutError(f"{what} at {offset} reaches beyond the end "
                              f"of the file at {self.length}")
        for n in range(offset // self.cluster,
                       ceil(offset + count, self.cluster)):
            self.uses[n] += 1

    # --- The header ------------------------------------------------------

    def read_header(self):
        values = HEADER.unpack(self.read(0, HEADER.size))
        self.header = dict(zip(FIELDS, values))
        incompatible = 0
        if self.data_file:
            incompatible |= DATA_FILE
        if self.compression == "zstd":
            incompatible |= COMPRESSION
        wanted = {
            "magic": b"QFI\xfb", "version": 3, "crypt_method": 0,
            "cluster_bits": self.cluster.bit_length() - 1,
            "snapshots": 0, "snapshots_offset": 0,
            "incompatible": incompatible, "compatible": 0,
            "autoclear": RAW_DATA if self.raw_data else 0,
            "refcount_order": self.refcount_bits.bit_length() - 1,
            "header_length": 112, "padding": bytes(7),
            "compression_type": 1 if self.compression == "zstd" else 0,
        }
        for name, value in wanted.items():
            demand(f"header: {name}", self.header[name], value)
        self.size = self.header["size"]
        demand("header: size % 512", self.size % 512, 0)
        if self.wanted_size is not None:
            demand("header: size", self.size,
                   ceil(self.wanted_size, 512) * 512)
        self.guest_clusters = ceil(self.size, self.cluster)

    def read_extensions(self):
        """All header extensions, and the backing file's name, in the first
        cluster; then zeros."""
        at, found = 112, []
        limit = self.header["backing_offset"] or self.cluster
        while True:
            if at + 8 > limit:
                raise LayoutError("the header extensions have no end")
            kind, length = struct.unpack(">II", self.read(at, 8))
            at += 8
            if kind == EXT_END:
                demand("length of the last extension", length, 0)
                break
            room = ceil(length, 8) * 8
            if at + room > limit:
                raise LayoutError(f"extension {kind:#x} is too long")
            data = self.read(at, room)
            if any(data[length:]):
                raise LayoutError(f"extension {kind:#x}: padding")
            found.append((kind, data[:length]))
            at += room
        self.check_extensions(found)
        at = self.check_backing(at)
        rest = self.read(at, self.cluster - at)
        if any(rest):
            raise LayoutError(f"something follows the header at {at}")
        self.use(0, self.cluster, "header")

    def check_extensions(self, found):
        kinds = [kind for kind, _ in found]
        if len(set(kinds)) != len(kinds):
            raise LayoutError(f"an extension comes twice: {kinds}")
        texts = dict(found)
        demand("data file", texts.get(EXT_DATA_FILE),
               self.data_file and self.data_file.encode())
        if self.data_file:
            demand("the first extension", kinds[0], EXT_DATA_FILE)
        demand("backing format", texts.get(EXT_BACKING),
               self.backing_format and self.backing_format.encode())
        unknown = set(kinds) - {EXT_DATA_FILE, EXT_BACKING, EXT_NAMES}
        demand("unknown extensions", unknown, set())
        # In the smallest clusters there may be no room for it.
        if EXT_NAMES in texts:
            self.check_names(texts[EXT_NAMES])
        elif self.cluster >= 2048:
            raise LayoutError("there is no feature name table")

    def check_names(self, table):
        demand("length of the feature name table % 48", len(table) % 48, 0)
        named = {}
        for at in range(0, len(table), 48):
            kind, bit, name = struct.unpack_from("BB46s", table, at)
            text = name.rstrip(b"\0")
            if kind not in KINDS or bit > 63 or not text or b"\0" in text:
                raise LayoutError(f"feature name {at // 48}: {kind}, {bit}, "
                                  f"{name}")
            if (kind, bit) in named:
                raise LayoutError(f"feature {kind}, {bit} has two names")
            named[kind, bit] = text.decode("ascii")
        for kind, name in KINDS.items():
            for bit in range(64):
                if self.header[name] >> bit & 1 and (kind, bit) not in named:
                    raise LayoutError(f"{name} feature {bit} has no name")
        demand("name of incompatible feature 0", named.get((0, 0)),
               "dirty bit")

    def check_backing(self, at):
        """The name, behind the extensions; where the header ends."""
        offset = self.header["backing_offset"]
        length = self.header["backing_size"]
        if self.backing is None:
            demand("header: backing file", (offset, length), (0, 0))
            return at
        if offset < at or offset + length > self.cluster:
            raise LayoutError(f"backing file name of {length} at {offset}")
        if any(self.read(at, offset - at)):
            raise LayoutError("something precedes the backing file name")
        demand("backing file name", self.read(offset, length),
               self.backing.encode())
        return offset + length

    # --- The tables ------------------------------------------------------

    def place_tables(self):
        """Where the tables are, which follow one another."""
        self.entries = self.cluster // 8
        self.cursor = self.cluster
        self.place_refcounts(self.header["refcount_table_offset"],
                             self.header["refcount_table_clusters"])
        self.place_l1(self.header["l1_offset"])

    def place_refcounts(self, table, table_clusters):
        blocks = ceil(self.clusters * self.refcount_bits, self.cluster * 8)
        if not self.loose:
            demand("refcount table offset", table, self.cursor)
            demand("refcount table clusters", table_clusters,
                   ceil(blocks, self.entries))
        self.blocks = self.words(table, table_clusters * self.entries)
        self.use(table, table_clusters * self.cluster, "refcount table")
        self.cursor += table_clusters * self.cluster
        used = len([entry for entry in self.blocks if entry])
        if any(self.blocks[used:]):
            raise LayoutError("the refcount table has gaps")
        if not self.loose:
            demand("refcount blocks", used, blocks)
        for n, entry in enumerate(self.blocks[:used]):
            self.next(entry, f"refcount block {n}")

    def place_l1(self, offset):
        l1_size = ceil(self.guest_clusters, self.entries)
        demand("header: l1_size", self.header["l1_size"], l1_size)
        room = ceil(l1_size, self.entries) * self.entries
        if room == 0:
            demand("header: l1_offset of no L1", offset, 0)
        elif not self.loose:
            demand("l1_offset", offset, self.cursor)
        self.l1 = self.words(offset, room)
        if any(self.l1[l1_size:]):
            raise LayoutError("L1 is not padded with zeros")
        self.use(offset, room * 8, "L1")
        self.cursor += room * 8

    def next(self, offset, what):
        """A cluster that has to be the next of the file, or any if the
        order does not matter."""
        if not self.loose:
            demand(what, offset, self.cursor)
            self.cursor += self.cluster
        if offset % self.cluster:
            raise LayoutError(f"{what} is {offset}, not aligned")
        self.use(offset, self.cluster, what)

    def read_tables(self):
        """L1 and all L2 tables, and then the data they lead to."""
        self.data, self.zero, self.compressed = [], [], []
        self.places = []
        for n, entry in enumerate(self.l1):
            if entry == 0:
                continue
            demand(f"flags of L1 entry {n}", entry & ~OFFSET, COPIED)
            self.next(entry & OFFSET, f"L1 entry {n}")
            table = self.words(entry & OFFSET, self.entries)
            if not any(table) and not self.loose:
                raise LayoutError(f"L2 table {n} has no entries")
            for i, value in enumerate(table):
                if value:
                    place = self.take_entry(n * self.entries + i, value)
                    if place is not None:
                        self.places.append(place)
        if self.raw_data:
            demand("clusters with entries", len(self.data),
                   self.guest_clusters)
        for guest, offset in self.places:
            self.next(offset, f"cluster {guest} of the guest")
        if not self.loose:
            demand("length of the file", self.length, self.cursor)
        offsets = [offset for _, offset in self.places]
        if offsets != sorted(offsets):
            raise LayoutError("data clusters are not in guest order")
        if self.places and self.places[-1][0] == self.guest_clusters - 1:
            self.check_tail(self.places[-1][1])

    def take_entry(self, guest, value):
        """One L2 entry: (guest cluster, offset) if it leads to data in
        this file."""
        what = f"L2 entry of cluster {guest}"
        if guest >= self.guest_clusters:
            raise LayoutError(f"{what} is {value:#x}, beyond the disk")
        if value & PACKED and self.compression:
            demand(f"{what}: COPIED", value & COPIED, 0)
            self.take_compressed(value)
            self.compressed.append(guest)
            return None
        if value == ZERO:
            self.zero.append(guest)
            return None
        demand(f"{what}: flags", value & ~OFFSET, COPIED)
        self.data.append(guest)
        if self.data_file:
            demand(what, value & OFFSET, guest * self.cluster)
            return None
        return guest, value & OFFSET

    def take_compressed(self, value):
        """Which host clusters a compressed one uses, by the sectors that
        its entry counts."""
        x = 62 - (self.cluster.bit_length() - 1 - 8)
        offset = value & (1 << x) - 1
        sectors = (value >> x & (1 << 62 - x) - 1) + 1
        end = (offset // 512 + sectors) * 512
        if offset < self.cluster or offset >= self.length:
            raise LayoutError(f"compressed cluster at {offset}")
        self.use(offset, min(end, self.length) - offset, "compressed")

    def check_tail(self, offset):
        """What the last cluster has beyond the end of the disk."""
        inside = self.size % self.cluster or self.cluster
        if any(self.read(offset + inside, self.cluster - inside)):
            raise LayoutError("the last cluster is not padded with zeros")

    # --- Refcounts -------------------------------------------------------

    def refcounts(self, block):
        """The counts of one block."""
        bits = self.refcount_bits
        data = self.read(block, self.cluster)
        if bits >= 8:
            code = {8: "B", 16: "H", 32: "I", 64: "Q"}[bits]
            return struct.unpack(f">{len(data) * 8 // bits}{code}", data)
        mask = (1 << bits) - 1
        return [byte >> shift & mask for byte in data
                for shift in range(0, 8, bits)]

    def check_uses(self):
        if 0 in self.uses:
            raise LayoutError(f"cluster {self.uses.index(0)} of the file is "
                              f"unused")
        if not self.loose and self.uses.count(1) != self.clusters:
            raise LayoutError("a cluster of the file is used twice")
        base = 0
        for block in self.blocks:
            if block == 0:
                break
            counts = self.refcounts(block)
            uses = self.uses[base:base + len(counts)]
            wanted = list(uses) + [0] * (len(counts) - len(uses))
            for n, (count, use) in enumerate(zip(counts, wanted)):
                demand(f"refcount of cluster {base + n}", count, use)
            base += len(counts)
        if base < self.clusters:
            raise LayoutError(f"refcounts end at cluster {base}")


def ranges(numbers):
    """'0-2,13' of sorted numbers, '-' of none."""
    runs = []
    for n in numbers:
        if runs and runs[-1][1] == n - 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ",".join(f"{a}-{b}" if b > a else f"{a}"
                    for a, b in runs) or "-"


def main():
    parser = argparse.ArgumentParser(
        description="demand the layout of a streamed QCOW2")
    parser.add_argument("--size", type=int)
    parser.add_argument("--cluster-size", type=int, default=65536)
    parser.add_argument("--refcount-bits", type=int, default=16)
    parser.add_argument("--backing")
    parser.add_argument("--backing-format")
    parser.add_argument("--data-file")
    parser.add_argument("--raw-data", action="store_true")
    parser.add_argument("--compression", choices=["zlib", "zstd"])
    parser.add_argument("--loose", action="store_true")
    parser.add_argument("image")
    args = vars(parser.parse_args())
    try:
        layout = Layout(args.pop("image"), **args)
    except LayoutError as error:
        sys.exit(f"qcow2_layout: {error}")
    for kind in ("data", "zero", "compressed"):
        print(kind, ranges(getattr(layout, kind)))


if __name__ == "__main__":
    main()
