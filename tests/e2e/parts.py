#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Read parts of what an NBD server serves, in random order, and compare them
with those of a file.

  parts.py SOCKET FILE
"""

import os
import random
import sys

from nbdclient import Client

ROUNDS = 200


def main():
    rng = random.Random(os.environ.get("VDISK_SEED", "1"))
    with open(sys.argv[2], "rb") as file, Client(sys.argv[1]) as client:
        wanted = file.read()
        if client.size != len(wanted):
            sys.exit("%d bytes, expected %d" % (client.size, len(wanted)))
        for _ in range(ROUNDS):
            offset = rng.randrange(client.size)
            count = min(rng.choice([1, 511, 4096, 70001, 1 << 20]),
                        client.size - offset)
            if client.read(offset, count) != wanted[offset:offset + count]:
                sys.exit("%d bytes at %d differ" % (count, offset))
        offset = 0
        while offset < client.size:
            for length, state in client.status(offset, client.size - offset):
                if state and wanted[offset:offset + length].strip(b"\0"):
                    sys.exit("%d bytes at %d are no hole" % (length, offset))
                offset += length


if __name__ == "__main__":
    main()
