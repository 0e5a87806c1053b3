#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The oracle of the other VHD tests is right: what writes the images, what
reads them, and QEMU where it can, agree on size, bytes and places of blocks.
The plugin is not asked."""

from vhd_check import Checker


def main():
    with Checker() as check:
        check.oracles("plain-fixed", 100)
        check.oracles("plain-dynamic", 200)
        check.oracles("chain", 100)


if __name__ == "__main__":
    main()
