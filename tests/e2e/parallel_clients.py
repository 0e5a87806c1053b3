#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Eight clients of one server at the same time, each reading and asking
for block status at random, with many requests in flight.

  parallel_clients.py FORMAT IMAGE [PARAM...]
"""

import os
import random
import sys
import threading

import expect
import qemu
import servers
from verify import FAILURES, Mismatch, count_check, starts_like

CLIENTS = 8
ROUNDS = 40
SEED = os.environ.get("VDISK_SEED", "1")


def work(client, wanted, content, rng):
    size = client.size
    for _ in range(ROUNDS):
        ranges = []
        for _ in range(rng.randrange(1, 24)):
            offset = rng.randrange(size)
            ranges.append((offset, min(rng.choice([1, 512, 4096, 70000,
                                                   300000]), size - offset)))
        for offset, data in client.read_many(ranges, in_flight=12):
            if data != os.pread(content, len(data), offset):
                raise Mismatch("bytes of %d+%d differ" % (offset, len(data)))
        offset = rng.randrange(size)
        length = rng.randrange(1, size - offset + 1)
        reply = client.status(offset, length)
        if not starts_like(reply, expect.clip_range(wanted, offset, length)):
            raise Mismatch("block status of %d+%d: %s"
                           % (offset, length, reply[:8]))


def main():
    image_format, path, *params = sys.argv[1:]
    layers = qemu.chain(path, image_format)
    expect.settle_chain(layers)
    wanted, _ = expect.expected_map(path, layers, layers[0].size)
    qemu.img("convert", "-f", image_format, "-O", "raw", path, "content")
    content = os.open("content", os.O_RDONLY)
    failures = []

    with servers.vdisk(path, *params) as server:

        def run(number):
            rng = random.Random("%s %d" % (SEED, number))
            try:
                work(server.connect(), wanted, content, rng)
            except FAILURES as e:
                failures.append("client %d: %s" % (number, e))

        threads = [threading.Thread(target=run, args=(number,))
                   for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        peak = server.vm_hwm()
    print("%s: peak memory %d MiB" % (path, peak >> 20))
    os.close(content)
    os.unlink("content")
    for failure in failures:
        print(failure)
    count_check(1, CLIENTS * ROUNDS)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
