#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients that come and go for a long time, all at once: random reads, block
status and prefetching, compared with a raw copy; the memory of the servers
at the end is what it was when they had warmed up.

  soak.py SECONDS FORMAT:IMAGE[,PARAM...]...

There are CLIENTS for each image, in processes of their own.
"""

import collections
import multiprocessing
import os
import random
import sys
import time
import traceback

import expect
import qemu
import servers
from nbdclient import Client
from verify import FAILURES, Mismatch, count_check, starts_like

CLIENTS = 3
SEED = os.environ.get("VDISK_SEED", "1")

# What a server's memory, which goes up and down with the requests under
# way by 10 MiB, may be more in the last quarter than in the second, as the
# median of samples.  There are few of them in a short run.
GROWTH, GROWTH_SHORT = 4 << 20, 10 << 20
SHORT = 60

Counts = collections.namedtuple(
    "Counts", "connects hangups reads statuses caches bytes")


class Disk:
    """An image, and what it holds."""

    def __init__(self, argument):
        where, *self.params = argument.split(",")
        image_format, self.path = where.split(":")
        if image_format == "raw":
            self.params.append("format=raw")
        layers = qemu.chain(self.path, image_format)
        expect.settle_chain(layers)
        self.size = layers[0].size
        self.wanted, _ = expect.expected_map(self.path, layers, self.size)
        copy = self.path + ".content"
        qemu.img("convert", "-f", image_format, "-O", "raw", self.path, copy)
        self.content = os.open(copy, os.O_RDONLY)
        os.unlink(copy)


class Worker:
    """One client after the other."""

    def __init__(self, disk, socket, seed):
        self.disk, self.socket = disk, socket
        self.rng = random.Random(seed)
        self.counts = dict.fromkeys(Counts._fields, 0)

    def read(self, client):
        rng, disk = self.rng, self.disk
        ranges = []
        for _ in range(rng.randrange(1, 12)):
            offset = rng.randrange(disk.size)
            length = rng.choice([1, 512, 4096, 65536, 300000, 1 << 20])
            ranges.append((offset, min(length, disk.size - offset)))
        for offset, data in client.read_many(ranges, in_flight=8):
            if data != os.pread(disk.content, len(data), offset):
                raise Mismatch("%s: bytes of %d+%d differ"
                               % (disk.path, offset, len(data)))
            self.counts["bytes"] += len(data)
        self.counts["reads"] += len(ranges)

    def status(self, client):
        disk = self.disk
        offset = self.rng.randrange(disk.size)
        length = self.rng.randrange(1, disk.size - offset + 1)
        reply = client.status(offset, length)
        if not starts_like(reply, expect.clip_range(disk.wanted, offset,
                                                    length)):
            raise Mismatch("%s: block status of %d+%d: %s"
                           % (disk.path, offset, length, reply[:8]))
        self.counts["statuses"] += 1

    def cache(self, client):
        offset = self.rng.randrange(self.disk.size)
        client.cache(offset, min(1 << 20, self.disk.size - offset))
        self.counts["caches"] += 1

    def connection(self, deadline):
        client = Client(self.socket)
        self.counts["connects"] += 1
        for _ in range(self.rng.randrange(40)):
            if time.monotonic() > deadline:
                break
            self.rng.choice([self.read, self.read, self.read, self.status,
                             self.status, self.cache])(client)
        # A client that is gone without a word.  (With requests under way
        # nbdkit 1.32 would abort.)
        if self.rng.random() < 0.3:
            client.sock.close()
            self.counts["hangups"] += 1
        else:
            client.close()

    def run(self, deadline):
        while time.monotonic() < deadline:
            self.connection(deadline)
        return Counts(**self.counts)


def work(disk, socket, seed, deadline, results):
    try:
        results.put(Worker(disk, socket, seed).run(deadline))
    except BaseException:       # pylint: disable=broad-except
        results.put(traceback.format_exc())


def check_memory(disk, samples, allowed):
    """Compare the last quarter with the one after the first, in which the
    caches fill: the least of each, since requests that are under way take
    more of it the busier the machine is, and what leaks stays."""
    quarter = len(samples) // 4
    early = min(samples[quarter:2 * quarter])
    late = min(samples[-quarter:])
    print("soak: %s: memory %.1f MiB in the second quarter, %.1f MiB in the "
          "last, %.1f MiB at most" % (disk.path, early / (1 << 20),
                                      late / (1 << 20),
                                      max(samples) / (1 << 20)))
    if late > early + allowed and not servers.PRELOAD and not servers.WRAPPER:
        raise Mismatch("%s: memory grew by %d bytes" % (disk.path,
                                                        late - early))


def soak(seconds, disks, started):
    results = multiprocessing.Queue()
    deadline = time.monotonic() + seconds
    processes = []
    for n in range(CLIENTS * len(disks)):
        disk, server = disks[n % len(disks)], started[n % len(disks)]
        processes.append(multiprocessing.Process(
            target=work, args=(disk, server.socket, "%s %d" % (SEED, n),
                               deadline, results)))
    for process in processes:
        process.start()

    samples = [[] for _ in disks]
    while time.monotonic() < deadline:
        time.sleep(0.1)
        for server, memory in zip(started, samples):
            memory.append(server.vm_rss())
    found = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    for result in found:
        if not isinstance(result, Counts):
            raise Mismatch(result)
    for disk, memory in zip(disks, samples):
        check_memory(disk, memory, GROWTH_SHORT if seconds < SHORT else GROWTH)
    return Counts(*map(sum, zip(*found)))


def main():
    seconds, *arguments = sys.argv[1:]
    disks = [Disk(argument) for argument in arguments]
    started = [servers.vdisk(disk.path, *disk.params) for disk in disks]
    try:
        for server in started:
            server.__enter__()
            server.client.close()
        total = soak(float(seconds), disks, started)
        for server in started:
            server.__exit__(None, None, None)
            if server.errors:
                raise Mismatch(server.errors)
    except FAILURES as e:
        print(e)
        return 1
    print("soak: %s s, %d clients of %d servers at a time: %d connections "
          "(%d without goodbye), %d reads of %.1f GiB, %d block statuses, "
          "%d prefetches" % (seconds, CLIENTS * len(disks), len(disks),
                             total.connects, total.hangups, total.reads,
                             total.bytes / (1 << 30), total.statuses,
                             total.caches))
    count_check(len(disks), total.reads + total.statuses)
    return 0


if __name__ == "__main__":
    sys.exit(main())
