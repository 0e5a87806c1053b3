#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Read the first 4 KiB of the disk at $socket.  Prints "right" if they are
those of truth.raw, else "wrong", or "error N"."""

import os

from nbdclient import Client, NbdError


def main():
    with open("truth.raw", "rb") as file:
        truth = file.read(4096)
    with Client(os.environ["socket"]) as client:
        try:
            print("right" if client.read(0, 4096) == truth else "wrong")
        except NbdError as e:
            print("error", e.errno)


if __name__ == "__main__":
    main()
