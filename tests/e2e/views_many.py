#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Many exports of one server.

  views_many.py many      a thousand snapshots open at once: their bytes, and
                          the memory it takes
  views_many.py clients   eight clients at the same time, each of an export of
                          its own, that come and go

The snapshots are written by hand, which takes no time: each has L1 and L2
tables and a cluster of its own.
"""

import os
import random
import resource
import struct
import sys
import threading

import qemu
import servers
from verify import FAILURES, Mismatch, count_check

CLUSTER = 4096
DISK = CLUSTER * CLUSTER // 8     # one L2 table
MEMORY = 64 << 20
ROUNDS = 60
SEED = os.environ.get("VDISK_SEED", "1")


def byte_of(number):
    return number % 251 + 1


def place_of(number):
    return number * 7 % (DISK // CLUSTER) * CLUSTER


def make(path, count):
    """An image with so many snapshots, and a bitmap."""
    qemu.create(path, "qcow2", DISK, ["cluster_size=%d" % CLUSTER])
    qemu.img("bitmap", "--add", "-g", "4096", path, "b")
    qemu.io(path, "qcow2", ["write -P 255 0 %d" % DISK])
    table = b""
    with open(path, "r+b") as f:
        end = -(-f.seek(0, os.SEEK_END) // CLUSTER) * CLUSTER
        for number in range(count):
            l2 = bytearray(CLUSTER)
            struct.pack_into(">Q", l2, place_of(number) // CLUSTER * 8,
                             end + 2 * CLUSTER)
            f.seek(end)
            f.write(struct.pack(">Q", end + CLUSTER).ljust(CLUSTER, b"\0"))
            f.write(l2)
            f.write(bytes([byte_of(number)]) * CLUSTER)
            name = b"s%d" % number
            entry = struct.pack(">QIHHIIQIIQQ", end, 1, 4, len(name), 1, 0, 0,
                                0, 16, 0, DISK) + b"%4d" % number + name
            table += entry.ljust(-(-len(entry) // 8) * 8, b"\0")
            end += 3 * CLUSTER
        f.seek(end)
        f.write(table)
        f.seek(60)
        f.write(struct.pack(">IQ", count, end))


def check(client, number):
    """Something of a snapshot."""
    place, byte = place_of(number), byte_of(number)
    if client.read(place, 10) != bytes([byte]) * 10:
        raise Mismatch("snapshot %d has other bytes" % number)
    wanted = [(size, state) for size, state in
              ((place, 3), (CLUSTER, 0), (DISK - place - CLUSTER, 3)) if size]
    if client.status(0, DISK) != wanted:
        raise Mismatch("snapshot %d has another map" % number)


def many(count=1000):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 3 * count:
        resource.setrlimit(resource.RLIMIT_NOFILE,
                           (min(3 * count, hard), hard))
    make("many.qcow2", count)
    with servers.vdisk("many.qcow2", "--threads=1") as server:
        clients = []
        for number in range(count):
            clients.append(servers.Client(server.socket,
                                          "snapshot/s%d" % number))
            check(clients[-1], number)
        for number in range(0, count, 7):
            check(clients[number], number)
        peak = server.vm_hwm()
        for client in clients:
            client.close()
    print("%d exports: %d MiB" % (count, peak >> 20))
    if peak > MEMORY:
        raise Mismatch("%d exports took %d bytes" % (count, peak))
    count_check(1, count)


def come_and_go(server, number, rng):
    names = ["active", "bitmap/b", "layer/0", "diff/snapshot/s1..active"]
    for _ in range(ROUNDS):
        if rng.random() < 0.3:
            with servers.Client(server.socket, rng.choice(names)) as client:
                if client.read(0, 5) != b"\xff" * 5:
                    raise Mismatch("other bytes")
        with servers.Client(server.socket, "snapshot/s%d" % number) as client:
            check(client, number)


def clients():
    make("clients.qcow2", 8)
    failures = []
    for params in [], ["cache-size=64k"]:
        with servers.vdisk("clients.qcow2", *params) as server:

            def run(number):
                try:
                    come_and_go(server, number,
                                random.Random("%s %d" % (SEED, number)))
                except FAILURES as e:
                    failures.append("client %d: %s" % (number, e))

            threads = [threading.Thread(target=run, args=(number,))
                       for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    if failures:
        raise Mismatch("; ".join(failures))
    count_check(1, 2 * 8 * ROUNDS)


def main():
    try:
        {"many": many, "clients": clients}[sys.argv[1]]()
    except FAILURES as e:
        print("%s: %s" % (type(e).__name__, e))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
