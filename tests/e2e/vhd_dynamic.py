#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Dynamic VHDs: random ones, every block size, blocks in any order, the
largest disk there is."""

import os

from vhd_check import Checker
from vhd_image import DYNAMIC, GIB, KIB, MIB, SECTOR, UNUSED, Vhd


def block_sizes(check):
    """A few sectors of the first, some middle and the last block, which
    reaches past the end of the disk."""
    shift = 9
    while 1 << shift <= 64 * MIB:
        unit = 1 << shift
        vhd = Vhd(DYNAMIC, unit * 3 + unit // 2 // SECTOR * SECTOR + SECTOR,
                  block_size=unit, order="shuffled", seed=shift)
        vhd.fill_random(0, SECTOR)
        vhd.fill_random(unit, min(unit, 100 * KIB))
        vhd.fill_random(3 * unit, SECTOR)
        vhd.fill_random(4 * unit - SECTOR, SECTOR)
        vhd.write(check.path(f"block-{unit}.vhd"))
        check.reads([vhd])
        os.unlink(vhd.path)
        shift += 1


def odd_sizes(check):
    """Disks that are not a multiple of a sector."""
    for size in 1, 511, 513, 100000, 2 * MIB + 1:
        vhd = Vhd(DYNAMIC, size, block_size=64 * KIB)
        vhd.fill_random(size // SECTOR * SECTOR, 100)
        check.reads([vhd.write(check.path(f"size-{size}.vhd"))])


def tables(check):
    """No block at all, all blocks, a BAT longer than needed with entries that
    are no part of the disk."""
    vhd = Vhd(DYNAMIC, 64 * MIB)
    check.reads([vhd.write(check.path("empty.vhd"))])
    vhd = Vhd(DYNAMIC, MIB, block_size=16 * KIB, order="descending")
    vhd.fill_random(0, MIB)
    check.reads([vhd.write(check.path("full.vhd"))])
    vhd = Vhd(DYNAMIC, MIB, block_size=16 * KIB, bat_entries=100000,
              bat_extra={64: 12, 65: 0, 99999: UNUSED - 1})
    vhd.fill_random(MIB - 16 * KIB, 16 * KIB)
    check.reads([vhd.write(check.path("long-bat.vhd"))])
    vhd = Vhd(DYNAMIC, MIB, block_size=16 * KIB, bat_offset=256 * KIB,
              header_offset=64 * KIB)
    vhd.fill_random(0, 32 * KIB)
    check.reads([vhd.write(check.path("far-bat.vhd"))])


def largest(check):
    """2040 GiB, the most that the specification allows."""
    vhd = Vhd(DYNAMIC, 2040 * GIB)
    for offset in 0, 1000 * GIB + 7 * SECTOR, 2040 * GIB - SECTOR:
        vhd.fill_random(offset, SECTOR)
    check.reads([vhd.write(check.path("largest.vhd"))], big=True)


def main():
    with Checker() as check:
        check.random("dynamic", 120)
        block_sizes(check)
        odd_sizes(check)
        tables(check)
        largest(check)


if __name__ == "__main__":
    main()
