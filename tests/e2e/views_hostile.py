#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Lists that are as long as they may be: 65,536 snapshots, all with one name,
or IDs, and names that are asked for as badly as can be.  Clients that ask are
answered soon, and in bounded memory; the list that they get is nbdkit's
longest at most.
"""

import struct
import sys
import time

import qemu
import servers
from nbdclient import OPT_GO, ProtocolError
from verify import FAILURES, Mismatch, count_check

COUNT = 65536
SECONDS = 60
MEMORY = 128 << 20


def make(path, text_of):
    """An image whose snapshots have the IDs and names that a function of their
    number gives; all are of the empty disk."""
    qemu.create(path, "qcow2", 1 << 20, ["cluster_size=65536"])
    table = bytearray()
    for number in range(COUNT):
        snapshot_id, name = text_of(number)
        entry = struct.pack(">QIHHIIQIIQQ", 3 << 16, 1, len(snapshot_id),
                            len(name), 1, 0, 0, 0, 16, 0, 1 << 20)
        entry += snapshot_id + name
        table += entry.ljust(-(-len(entry) // 8) * 8, b"\0")
    with open(path, "r+b") as f:
        f.seek(1 << 20)
        f.write(table)
        f.seek(60)
        f.write(struct.pack(">IQ", COUNT, 1 << 20))


def refused(server, name):
    try:
        with servers.Client(server.socket, name):
            raise Mismatch("%s is there" % name[:80])
    except ProtocolError as e:
        if "option %d: " % OPT_GO not in str(e) and "closed" not in str(e):
            raise


def ask(path, good):
    with servers.vdisk(path) as server:
        started = time.monotonic()
        for name in good:
            with servers.Client(server.socket, name) as client:
                if client.size != 1 << 20 or any(client.read(0, 4096)):
                    raise Mismatch("%s is another" % name)
        for name in ("snapshot/none", "diff/" + ".." * 2000,
                     "bitmap/" + "a+" * 2000,
                     "diff/snapshot/" + "..snapshot/" * 300,
                     "diff/" * 700 + "active"):
            refused(server, name)
        took = time.monotonic() - started
        peak = server.vm_hwm()
    print("%s: %.1f s, %d MiB" % (path, took, peak >> 20))
    if took > SECONDS or peak > MEMORY:
        raise Mismatch("%s: %.1f s, %d bytes" % (path, took, peak))
    count_check(1, len(good) + 5)


def main():
    try:
        make("one-name.qcow2", lambda n: (b"%d" % n, b"name"))
        ask("one-name.qcow2", ["snapshot/0", "snapshot/65535",
                               "diff/snapshot/1..snapshot/65535"])
        make("one-id.qcow2", lambda n: (b"id", b"%d" % n))
        ask("one-id.qcow2", ["snapshot/id", "snapshot/65535"])
    except FAILURES as e:
        print("%s: %s" % (type(e).__name__, e))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
