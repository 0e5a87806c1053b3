#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Copy standard input to standard output: slowly at first, and odd numbers
of bytes at a time."""

import sys
import time


def main():
    for _ in range(40):
        sys.stdout.buffer.write(sys.stdin.buffer.read(4999))
        time.sleep(0.005)
    while data := sys.stdin.buffer.read1(77777):
        sys.stdout.buffer.write(data)


if __name__ == "__main__":
    main()
