#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Images whose host file is in as many pieces as a file system can make.

  fragmented.py make IMAGE SIZE   a QCOW2 image with clusters of 2 MiB that
                                  are all allocated, and 4 KiB of data at
                                  every 8 KiB of them
  fragmented.py read IMAGE        serve it, read 4 KiB in 1000 places, then
                                  ask for all of its block status; prints the
                                  processor time of the reads and the most
                                  memory
"""

import os
import random
import sys

import qemu
import servers

PIECE = 4096
READS = 1000


def make(path, size):
    qemu.create(path, "qcow2", size,
                ["preallocation=metadata", "cluster_size=2M"])
    with open(path, "r+b", buffering=0) as f:
        end = f.seek(0, os.SEEK_END)
        for item in qemu.image_map(path, "qcow2"):
            start = item["offset"]
            for at in range(start, start + item["length"], 2 * PIECE):
                if at + PIECE <= end:
                    os.pwrite(f.fileno(), b"x" * PIECE, at)


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read(path):
    rng = random.Random(1)
    with servers.vdisk(path, "cache-size=256k") as server:
        client = server.client
        places = client.size // PIECE
        for _ in range(READS):
            n = rng.randrange(places)
            wanted = b"\0" * PIECE if n % 2 else b"x" * PIECE
            if client.read(n * PIECE, PIECE) != wanted:
                sys.exit("the bytes at %d are wrong" % (n * PIECE))
        used = cpu_seconds(server.process.pid)
        offset = extents = 0
        while offset < client.size:
            for length, state in client.status(offset, client.size - offset):
                if length != PIECE or state != extents % 2 * 2:
                    sys.exit("%d bytes at %d have the state %d"
                             % (length, offset, state))
                offset += length
                extents += 1
        print("%d reads: %.2f s of processor time; memory: %d KiB"
              % (READS, used, server.vm_hwm() >> 10))
    if used > 2:
        sys.exit("that took long")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]))
    else:
        read(sys.argv[2])
