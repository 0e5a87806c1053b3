#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sector bitmaps count: a clear bit is a hole in a dynamic disk and the
parent's sector in a differencing one, whatever bytes lie there.  With
sector-bitmaps=ignore those of dynamic disks do not count."""

from vhd_check import Checker
from vhd_image import (DIFFERENCING, DYNAMIC, KIB, MAX_CHS, MIB, SECTOR, Vhd,
                       libvhd_locators)

IGNORE = "sector-bitmaps=ignore"
WARNING = "block . holds bytes in sectors that are absent.*" + IGNORE


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


def block_sizes(check):
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


def never_set(check):
    """Data under bitmaps that were never set: all of it, or nothing."""
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


def that_cannot_be_true(check):
    """Bitmaps that cannot be true: only the first sector of each 4 KiB, or
    none.  Those who keep them may have stale bytes there."""
    for creator in b"win ", b"vpc ", b"\0\0\0\0", b"tap\0", b"CTXS", b"caml":
        for bits in b"\x80", b"\0":
            vhd = Vhd(DYNAMIC, MIB, block_size=64 * KIB, creator=creator,
                      chs=MAX_CHS, bitmaps={n: bits * 16 for n in range(16)})
            vhd.fill_random(64 * KIB, 300 * KIB)
            whole_blocks(vhd).write(check.path("lies.vhd"))
            check.reads([vhd], IGNORE, oracle=["auto", True], silent=True)
            for n in vhd.blocks:
                vhd.blocks[n].present = bytearray(vhd.present_on_disk(n)[:128])
            keeps = creator in (b"tap\0", b"CTXS", b"caml")
            check.reads([vhd], silent=keeps, warns=None if keeps else WARNING,
                        what=f"{creator} {bits}")


def zeros(check):
    """Zeros in absent sectors are as they should be."""
    vhd = Vhd(DYNAMIC, 16 * MIB, creator=b"win ", stale=False)
    patterns(vhd)
    vhd.blocks[2].data[MIB + SECTOR:MIB + 2 * SECTOR] = bytes(SECTOR)
    check.reads([vhd.write(check.path("zeros.vhd"))], silent=True)


def past_the_end(check):
    """Bits past the end of the disk and of the bitmap mean nothing."""
    vhd = Vhd(DYNAMIC, 40 * KIB + SECTOR, block_size=32 * KIB,
              bitmaps={1: b"\xff" * 512})
    vhd.fill_random(32 * KIB, 32 * KIB)
    check.reads([vhd.write(check.path("past-end.vhd"))])
    check.refuses(vhd.path, "sector-bitmaps=.*honour.*ignore",
                  "sector-bitmaps=maybe")


def for_the_tool(check):
    """An image that the script shows to the tool."""
    vhd = Vhd(DYNAMIC, MIB, block_size=64 * KIB, creator=b"win ",
              bitmaps={n: b"\x80" * 16 for n in range(16)})
    vhd.fill_random(0, MIB)
    vhd.write(check.path("first-bits.vhd"))


def main():
    with Checker() as check:
        block_sizes(check)
        never_set(check)
        that_cannot_be_true(check)
        zeros(check)
        past_the_end(check)
        for_the_tool(check)


if __name__ == "__main__":
    main()
