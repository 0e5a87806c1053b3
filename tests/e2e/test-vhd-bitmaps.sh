#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Sector bitmaps count: a clear bit is a hole in a dynamic disk and the
# parent's sector in a differencing one, whatever bytes lie there.  With
# sector-bitmaps=ignore those of dynamic disks do not count.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

python3 - <<'END' || exit 1
from vhd_check import Checker
from vhd_image import *

IGNORE = "sector-bitmaps=ignore"


def patterns(vhd):
    """A block each: every other sector, single ones, all but one, none."""
    sectors = vhd.block_size // SECTOR
    for n in range(0, sectors, 2):
        vhd.fill_random(n * SECTOR, SECTOR)
    for n in 0, 7, 8, 9, sectors // 2, sectors - 1:
        vhd.fill_random((sectors + n) * SECTOR, SECTOR)
    vhd.fill_random(2 * vhd.block_size, vhd.block_size)
    vhd.blocks[2].present[sectors // 2 + 1] = 0
    vhd.allocate(3)
    vhd.fill_random(4 * vhd.block_size, vhd.block_size)
    # A sector that is there and zero is data.
    vhd.fill(6 * vhd.block_size, bytes(vhd.block_size))


def whole_blocks(vhd):
    """The same file to those who do not look at the bitmaps."""
    for block in vhd.blocks.values():
        block.present = bytearray(b"\1" * len(block.present))
    return vhd


with Checker() as check:
    for unit in 8 * KIB, 64 * KIB, 2 * MIB, 4 * MIB:
        name = f"{unit}.vhd"
        vhd = Vhd(DYNAMIC, 8 * unit, block_size=unit)
        patterns(vhd)
        vhd.write(check.path(name))
        check.reads([vhd])
        check.reads([vhd], "sector-bitmaps=honour")

        # Zeros there, to know what must come.
        vhd = Vhd(DYNAMIC, 8 * unit, block_size=unit, stale=False)
        patterns(vhd)
        for n in vhd.blocks[2].present, vhd.blocks[3].present:
            assert not all(n)
        vhd.blocks[2].data[unit // 2 + SECTOR:unit // 2 + 2 * SECTOR] = (
            bytes(SECTOR))
        vhd.write(check.path(name))
        check.reads([vhd])
        check.reads([whole_blocks(vhd)], IGNORE, oracle=["auto", True])

    # Data under bitmaps that were never set: all of it, or nothing.
    vhd = Vhd(DYNAMIC, MIB, block_size=64 * KIB,
              bitmaps={n: bytes(512) for n in range(16)})
    vhd.fill_random(64 * KIB, 300 * KIB)
    whole_blocks(vhd).write(check.path("unset.vhd"))
    check.reads([vhd], IGNORE, oracle=["auto", True])
    empty = Vhd(DYNAMIC, MIB)
    empty.path = vhd.path
    check.reads([empty])

    # Differencing disks cannot do without, also over such a parent.
    child = Vhd(DIFFERENCING, MIB, block_size=64 * KIB,
                locators=libvhd_locators("unset.vhd"),
                parent_uuid=vhd.uuid, parent_time=vhd.time)
    patterns(child)
    child.write(check.path("child.vhd"))
    check.reads([child, vhd], IGNORE, oracle=["auto", True])
    empty.uuid = vhd.uuid
    check.reads([child, empty])

    # Bits past the end of the disk and of the bitmap mean nothing.
    vhd = Vhd(DYNAMIC, 40 * KIB + SECTOR, block_size=32 * KIB,
              bitmaps={1: b"\xff" * 512})
    vhd.fill_random(32 * KIB, 32 * KIB)
    check.reads([vhd.write(check.path("past-end.vhd"))])
    check.refuses(vhd.path, "sector-bitmaps=.*honour.*ignore",
                  "sector-bitmaps=maybe")
END
