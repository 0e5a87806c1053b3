#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Images made to keep a check busy: tables that are shared, or overlap,
thousands of times.  'vdisk check' must find fault with each, soon and in
little memory.
"""

import os
import resource
import struct
import subprocess
import sys

from usage import cpu_seconds
from verify import Mismatch, count_check

KIB, MIB = 1 << 10, 1 << 20
COPIED = 1 << 63
BITMAPS = 0x23852875

SECONDS = 60                    # of the processor: machines are busy
MEMORY_KIB = 160 * KIB


class Maker:
    """An image whose header says what a test wants."""

    def __init__(self, name, cluster_bits, disk_size, l1_size):
        self.path = name + ".qcow2"
        self.cluster = 1 << cluster_bits
        self.file = open(self.path, "wb")
        self.fields = dict(cluster_bits=cluster_bits, size=disk_size,
                           l1_size=l1_size, l1_offset=self.cluster,
                           reftable=0, reftable_clusters=0, snapshots=0,
                           snapshots_offset=0, autoclear=0)
        self.incompatible = 0
        self.extensions = b""

    def write(self, at, data):
        self.file.seek(at)
        self.file.write(data)

    def repeat(self, at, value, count):
        """A table of the same number."""
        chunk = struct.pack(">Q", value) * min(count, 65536)
        for done in range(0, count * 8, len(chunk)):
            self.write(at + done, chunk[:count * 8 - done])

    def finish(self, size):
        f = self.fields
        self.write(0, struct.pack(
            ">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3, 0, 0, f["cluster_bits"],
            f["size"], 0, f["l1_size"], f["l1_offset"], f["reftable"],
            f["reftable_clusters"], f["snapshots"], f["snapshots_offset"],
            self.incompatible, 0, f["autoclear"], 4, 104) + self.extensions)
        self.file.truncate(size)
        self.file.close()
        return self.path


def l1_entries_to_one_table():
    """4 million L1 entries, one L2 table of 2 MiB."""
    make = Maker("one-table", 21, 1 << 60, 32 * MIB // 8)
    table = 64 * MIB
    make.repeat(make.cluster, table | COPIED, 32 * MIB // 8)
    make.repeat(table, 128 * MIB | COPIED, 2 * MIB // 8)
    return make.finish(256 * MIB)


def l1_entries_to_shifted_tables():
    """L2 tables that start at every sector."""
    make = Maker("shifted", 21, 1 << 60, 32 * MIB // 8)
    for start in range(0, 32 * MIB // 8, 4096):
        make.write(make.cluster + start * 8, b"".join(
            struct.pack(">Q", 64 * MIB + (start + i) % 131072 * 512)
            for i in range(4096)))
    make.repeat(64 * MIB, 128 * MIB | COPIED, 2 * MIB // 8)
    return make.finish(256 * MIB)


def snapshots_with_one_table():
    """65536 snapshots that share an L1 table of 32 MiB."""
    return snapshots("same-l1", lambda number: 0)


def snapshots_with_shifted_tables():
    """65536 snapshots, whose L1 tables overlap."""
    return snapshots("shifted-l1", lambda number: number * 512)


def snapshots(name, shift):
    make = Maker(name, 9, 32 * KIB, 1)
    entries = 32 * MIB // 8
    table = 64 * MIB
    make.repeat(table, 1 * MIB, 2 * entries)
    make.fields.update(snapshots=65536, snapshots_offset=8 * MIB)
    make.write(8 * MIB, b"".join(
        struct.pack(">QIHHIIQII", table + shift(number), entries, 0, 0, 0, 0,
                    0, 0, 16) + bytes(16) for number in range(65536)))
    return make.finish(512 * MIB)


def bitmaps():
    """65535 bitmaps with tables of 64 KiB, all overlapping."""
    make = Maker("bitmaps", 9, 32 * KIB, 1)
    make.repeat(64 * MIB, 1 * MIB, 34 * MIB // 8)
    make.extensions = struct.pack(">IIIIQQII", BITMAPS, 24, 65535, 0,
                                  65535 * 32, 4 * MIB, 0, 0)
    make.fields.update(autoclear=1)
    make.write(4 * MIB, b"".join(
        struct.pack(">QIIBBHI", 64 * MIB + number * 512, 8192, 0, 1,
                    16, 1, 0) + b"n".ljust(8, b"\0")
        for number in range(65535)))
    return make.finish(128 * MIB)


def one_refcount_block():
    """A refcount table of 8 MiB, all for one block; and a huge file."""
    make = Maker("one-block", 16, 1 * MIB, 1)
    make.fields.update(reftable=4 * MIB, reftable_clusters=128)
    make.repeat(4 * MIB, 1 * MIB, 8 * MIB // 8)
    make.write(1 * MIB, b"\0\1" * 32768)
    return make.finish(2 << 40)


def huge_file():
    """More clusters than can be counted."""
    make = Maker("huge", 9, 1 * MIB, 256)
    return make.finish((1 << 42) - 512)


def entries_everywhere():
    """L2 tables whose entries are spread over the whole of a huge file."""
    make = Maker("everywhere", 16, 1 << 40, 2048)
    for index in range(256):
        table = 16 * MIB + index * 65536
        make.write(65536 + index * 8, struct.pack(">Q", table | COPIED))
        make.write(table, b"".join(
            struct.pack(">Q", (i * 1021 + index) * 65536 * 37 | COPIED)
            for i in range(1, 8192)))
    return make.finish(15 << 40)


MAKERS = [l1_entries_to_one_table, l1_entries_to_shifted_tables,
          snapshots_with_one_table, snapshots_with_shifted_tables, bitmaps,
          one_refcount_block, entries_everywhere, huge_file]


def check(make):
    path = make()
    before = cpu_seconds()
    done = subprocess.run([os.environ["VDISK"], "check", path],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=10 * SECONDS, check=False)
    seconds = cpu_seconds() - before
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    lines = done.stdout.decode().splitlines()
    print("%s: status %d, %.1f s, %d KiB so far: %s" % (
        make.__name__, done.returncode, seconds, memory, lines[0][:150]))
    os.unlink(path)
    wanted = 63 if make is huge_file else 2
    if done.returncode != wanted or seconds > SECONDS:
        raise Mismatch("\n".join(lines[:10] + lines[-5:]))
    if memory > MEMORY_KIB and "asan" not in os.environ["VDISK"]:
        raise Mismatch("%d KiB of memory" % memory)


def main():
    failed = 0
    for make in MAKERS:
        if sys.argv[1:] and make.__name__ not in sys.argv[1:]:
            continue
        try:
            check(make)
            count_check(1)
        except (Mismatch, subprocess.TimeoutExpired) as e:
            print("%s: %s" % (make.__name__, e))
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
