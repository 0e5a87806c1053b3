#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Read all of a disk in pieces, all of them at a time, and wait for every
answer whatever the others are.

  many_reads.py SOCKET FILE

Prints how many answers were errors; bytes other than FILE's are an error.
A client that hangs up at the first error makes nbdkit 1.32 abort.
"""

import sys

from nbdclient import Client, NbdError

PIECE = 16384


def main():
    path, name = sys.argv[1:]
    with open(name, "rb") as file:
        disk = file.read()
    errors = 0
    with Client(path) as client:
        ranges = [(at, PIECE) for at in range(0, client.size, PIECE)]
        for offset, answer in client.read_many(ranges, len(ranges), True):
            if isinstance(answer, NbdError):
                errors += 1
            elif answer != disk[offset:offset + PIECE]:
                sys.exit("bytes of %d+%d differ" % (offset, PIECE))
    print(errors)


if __name__ == "__main__":
    main()
