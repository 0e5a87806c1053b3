#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Read a range of the disk at $socket: it is what nbd_server.py serves
there, pieces of 64 KiB that are data and zeros in turn.

  nbd_source_connections.py OFFSET COUNT
"""

import os
import sys

from nbd_server import content
from nbdclient import Client

PIECE = 65536


def main():
    offset, count = map(int, sys.argv[1:])
    with Client(os.environ["socket"]) as client:
        got = client.read(offset, count)
    first = offset // PIECE * PIECE
    wanted = b"".join(bytes(PIECE) if n // PIECE % 2 else content(n, PIECE)
                      for n in range(first, offset + count, PIECE))
    assert got == wanted[offset - first:][:count], (offset, count)


if __name__ == "__main__":
    main()
