#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Xen's batmap says which blocks are complete, so that their bitmaps need not
be read; but only as far as its checksum covers it.  Bitmaps that say something
else show which of the two is believed."""

from vhd_check import Checker
from vhd_image import (Batmap, DIFFERENCING, DYNAMIC, FIXED, GIB, KIB, MIB,
                       SECTOR, Vhd, complement_sum, libvhd_locators)

BITS = [1, 4]
UNIT = 2 * MIB


def image(check, name, believed, batmap, kind=DYNAMIC, **options):
    """Block 1 is complete, its bitmap is empty and its bit in the batmap
    is set.  Block 2 is half there, its bit is clear.  Block 4 is not
    there, its bit is set.  Block 5 is complete by its bitmap alone."""
    vhd = Vhd(kind, 32 * MIB, block_size=UNIT, batmap=batmap, seed=name,
              bitmaps={1: bytes(512)}, **options)
    vhd.fill_random(1 * UNIT, UNIT)
    vhd.fill_random(2 * UNIT + 4096, MIB)
    vhd.fill_random(5 * UNIT, UNIT)
    vhd.write(check.path(name))
    if not believed:
        vhd.blocks[1].present = bytearray(UNIT // SECTOR)
    return vhd


def believed_or_not(check):
    good = [
        Batmap(BITS),
        Batmap(BITS, version=0x00010001),
        Batmap(BITS, offset=64 * KIB),
        Batmap(BITS, sectors=2),
    ]
    bad = [
        Batmap(BITS, checksum=0),
        Batmap(BITS, checksum=0xffffffff),
        Batmap(BITS, cookie=b"tdbatmaq"),
        Batmap(BITS, cookie=bytes(8)),
        Batmap(BITS, sectors=0),
        Batmap(BITS, checksum=complement_sum(b"\x48")),     # one too small
    ]
    bad[-1].checksum -= 1
    for n, batmap in enumerate(good):
        check.reads([image(check, f"good-{n}.vhd", True, batmap)])
    for n, batmap in enumerate(bad):
        check.reads([image(check, f"bad-{n}.vhd", False, batmap)])


def in_a_chain(check):
    """In a chain the same decides between a layer and its parent."""
    base = Vhd(FIXED, 32 * MIB)
    base.fill_random(0, 32 * MIB)
    base.write(check.path("base.vhd"))
    options = dict(kind=DIFFERENCING, locators=libvhd_locators("base.vhd"),
                   parent_uuid=base.uuid, parent_time=base.time)
    check.reads([image(check, "child-good.vhd", True, Batmap(BITS),
                       **options), base])
    check.reads([image(check, "child-bad.vhd", False,
                       Batmap(BITS, checksum=7), **options), base])


def covered_by_the_checksum(check):
    """The checksum of a disk of 16 MiB covers one sector of 4096 bits, also if
    blocks are small and the map has more: no lie behind it counts."""
    vhd = Vhd(DYNAMIC, 17 * MIB, block_size=512,
              batmap=Batmap([100, 4095, 4096, 20000]),
              bitmaps={n: bytes(512) for n in (4096, 20000)})
    for n in 100, 4095, 4096, 20000, 30000:
        vhd.fill_random(n * 512, 512)
    vhd.write(check.path("covered.vhd"))
    for n in 4096, 20000:
        vhd.blocks[n].present[0] = 0
    check.reads([vhd])


def two_sectors(check):
    """More than one sector is covered, but the map is said to be shorter."""
    vhd = Vhd(DYNAMIC, 16 * GIB, block_size=UNIT, bitmaps={9: bytes(512)},
              batmap=Batmap([9], sectors=1))
    vhd.fill_random(9 * UNIT, UNIT)
    vhd.write(check.path("short.vhd"))
    vhd.blocks[9].present = bytearray(UNIT // SECTOR)
    check.reads([vhd], big=True)
    vhd.blocks[9].present = bytearray(b"\1" * (UNIT // SECTOR))
    vhd.batmap = Batmap([9])
    check.reads([vhd.write(vhd.path)], big=True)
    # The second sector of the map counts too.
    vhd.batmap = Batmap([9, 5000])
    vhd.bitmaps[5000] = bytes(512)
    vhd.fill_random(5000 * UNIT, UNIT)
    check.reads([vhd.write(vhd.path)], big=True)


def main():
    with Checker() as check:
        believed_or_not(check)
        in_a_chain(check)
        covered_by_the_checksum(check)
        two_sectors(check)


if __name__ == "__main__":
    main()
