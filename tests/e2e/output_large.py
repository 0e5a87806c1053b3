#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Outputs of disks of 64 TiB, with little data and with much: how soon their
first byte is there, what memory they take, and whether any range of them is
right.

  output_large.py SERVE KIB FACTOR

SERVE is output_serve.c, KIB how much memory may grow.  Where bytes have to
be is computed here from what is known of the disks, or followed from table
to table as a reader does.  Limits of time are multiplied by FACTOR.
"""

import random
import struct
import subprocess
import sys

from verify import count_check

TIB = 1 << 40
MIB = 1 << 20
SIZE = 64 * TIB
CLUSTER = 2 * MIB               # of the images
ENTRIES = CLUSTER // 8
COPIED = 1 << 63
FILL = 0x5a
READS = 300


class Disk:
    """All L2 tables of the image are one, and all of its entries lead to one
    cluster of data: 'stored' are its numbers in each table."""

    def __init__(self, path, stored):
        self.path = path
        self.stored = stored
        self.members = set(stored)
        self.tables = SIZE // (CLUSTER * ENTRIES)
        self.count = self.tables * len(stored)

    def make(self):
        l2, data = 2 * CLUSTER, 3 * CLUSTER
        table = bytearray(CLUSTER)
        for cluster in self.stored:
            struct.pack_into(">Q", table, 8 * cluster, data | COPIED)
        with open(self.path, "wb") as file:
            file.write(struct.pack(
                ">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3, 0, 0, 21, SIZE, 0,
                self.tables, CLUSTER, 0, 0, 0, 0, 0, 0, 0, 4, 104))
            file.seek(CLUSTER)
            file.write(struct.pack(">Q", l2 | COPIED) * self.tables)
            file.seek(l2)
            file.write(table)
            file.write(bytes([FILL]) * CLUSTER)
            # No image has more tables than its file has room for.
            file.truncate(1 << 30)

    def cluster(self, rank):
        """The cluster that is stored as number 'rank'."""
        return (rank // len(self.stored) * ENTRIES +
                self.stored[rank % len(self.stored)])

    def byte(self, offset):
        return FILL if offset // CLUSTER % ENTRIES in self.members else 0


class Output:
    """An output that is open in another process."""

    def __init__(self, serve, disk, *options):
        self.process = subprocess.Popen(
            [serve, disk.path, *options], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        told = self.process.stdout.readline().split()
        self.size, self.memory = int(told[0]), int(told[3])
        self.wall, self.cpu = float(told[1]), float(told[2])

    def ask(self, offset, length):
        self.process.stdin.write(b"%d %d\n" % (offset, length))
        self.process.stdin.flush()

    def read(self, offset, length):
        self.ask(offset, length)
        return self.process.stdout.read(length)

    def number(self, offset):
        return int.from_bytes(self.read(offset, 8), "big")

    def usage(self):
        """Seconds of CPU time and KiB of memory until now."""
        self.ask(0, 0)
        cpu, memory = self.process.stdout.readline().split()
        return float(cpu), int(memory)

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise SystemExit("it has ended badly")


def same(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: {got}, expected {wanted}")


def check_raw(output, disk, rng):
    same("size", output.size, SIZE)
    for _ in range(READS):
        at = rng.randrange(disk.count) * CLUSTER % SIZE
        at = max(at + rng.randrange(-50, 50), 0)
        same(f"raw at {at}", output.read(at, 100),
             bytes(disk.byte(at + i) for i in range(100)))


def check_chunked(output, disk, rng):
    """Each cluster is two chunks, as no two follow each other."""
    chunk = 12 + MIB
    same("size", output.size, 2 * disk.count * chunk + 12)
    for _ in range(READS):
        number = rng.randrange(2 * disk.count)
        offset = disk.cluster(number // 2) * CLUSTER + number % 2 * MIB
        wanted = bytes([FILL]) * 20 + struct.pack("<QI", offset, MIB) + \
            bytes([FILL]) * 20
        start = 0 if number > 0 else 20
        same(f"chunk {number}",
             output.read(number * chunk - 20 + start, 52 - start),
             wanted[start:])
    same("end", output.read(output.size - 13, 13),
         bytes([FILL]) + bytes(12))


def check_xva(output, disk, rng):
    """Two blocks of each cluster, and the first and the last."""
    block = 3 * 512 + MIB
    first = disk.stored[0] > 0
    blocks = 2 * disk.count + first + (ENTRIES - 1 not in disk.members)
    same("size", output.size, blocks * block + 1024)
    for _ in range(READS):
        number = rng.randrange(2 * disk.count)
        rank = number + first
        name = b"Ref:0/%08d" % (2 * disk.cluster(number // 2) + number % 2)
        same(f"name of member {rank}", output.read(rank * block, 15),
             name + b"\0")
        same(f"data of member {rank}", output.read(rank * block + 510, 4),
             bytes(2) + bytes([FILL]) * 2)
        same(f"checksum of member {rank}",
             output.read(rank * block + 512 + MIB, 22), name + b".xxhash\0")
    last = output.read((blocks - 1) * block, 15)
    same("the last member", last, b"Ref:0/%08d\0" % (SIZE // MIB - 1))


def check_qcow2(output, disk, rng):
    """As a reader does: from the header over L1 and L2 tables to data."""
    header = output.read(0, 104)
    bits, l1 = (struct.unpack_from(">I", header, 20)[0],
                struct.unpack_from(">Q", header, 40)[0])
    per_table = 1 << (2 * bits - 3)
    mask = COPIED - 1
    for turn in range(READS):
        at = disk.cluster(rng.randrange(disk.count)) * CLUSTER + \
            rng.randrange(CLUSTER) + (turn % 3 == 0) * CLUSTER
        l2 = output.number(l1 + at // per_table * 8) & mask
        entry = output.number(l2 + (at % per_table >> bits) * 8) & mask \
            if l2 else 0
        found = output.read(entry + at % (1 << bits), 1)[0] if entry else 0
        same(f"guest byte {at}, by way of {l2} and {entry}", found,
             disk.byte(at))


CHECKS = {"raw": check_raw, "qcow2": check_qcow2, "xva": check_xva,
          "chunked": check_chunked}


def check(serve, disk, name, options, limits):
    output = Output(serve, disk, name, *options)
    kib, factor = limits
    what = " ".join([name, *options, disk.path])
    if len(disk.stored) < 10 and output.wall > factor:
        raise SystemExit(f"{what}: the first byte after {output.wall:.2f} s")
    CHECKS[name](output, disk, random.Random(what))
    cpu, memory = output.usage()
    reads = cpu - output.cpu
    print(f"{what}: first byte {output.wall:.2f} s ({output.cpu:.2f} s of "
          f"CPU), {READS} places {reads:.2f} s, {memory} KiB")
    if memory > kib:
        raise SystemExit(f"{what}: {memory} KiB of memory")
    # To count again would cost as much as to open it, each time.
    if reads > max(READS / 10 * output.cpu, factor):
        raise SystemExit(f"{what}: reads took {reads:.2f} s")
    output.close()
    count_check()


def main():
    serve, kib, factor = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    disks = [Disk("little.qcow2", [70000]),
             Disk("much.qcow2", list(range(1, ENTRIES, 2)))]
    for disk in disks:
        disk.make()
        for name, *options in (["raw"], ["qcow2", "cluster-size=64k"],
                               ["qcow2", "cluster-size=2M"], ["xva"],
                               ["chunked"]):
            check(serve, disk, name, options, (kib, factor))


main()
