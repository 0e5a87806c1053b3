#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Read in 900 places all over the disk of 64 GiB at $socket, each below
another L2 table or entry: zeros."""

import os

from nbdclient import Client


def main():
    with Client(os.environ["socket"]) as client:
        for n in range(900):
            data = client.read(n * (70 << 20) + 4096 * n, 4096)
            if data != bytes(4096):
                raise SystemExit("not zeros")


if __name__ == "__main__":
    main()
