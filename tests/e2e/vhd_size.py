#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Which size of the footer counts depends on the creator, unless what the file
has says otherwise, or the user does with size=."""

import os

from vhd_check import Checker
from vhd_image import (DIFFERENCING, DYNAMIC, FIXED, KIB, MAX_CHS, MIB, SECTOR,
                       Vhd, chs_size, round_up, w2ru)

SMALL, LARGE = (100, 4, 17), (150, 4, 17)       # around 4 MiB
CURRENT = [b"win ", b"qem2", b"d2v ", b"tap\0", b"CTXS", b"caml", b"vbox",
           b"vs  ", b"wa\0\0", b"\0\0\0\0", b"what"]
CHS = [b"vpc ", b"qemu"]
CUT = chs_size(SMALL)                           # in the middle of block 13


def image(check, name, kind, creator, chs, virtual_size):
    vhd = Vhd(kind, 4 * MIB, creator=creator, chs=chs, block_size=256 * KIB,
              virtual_size=virtual_size, stale=False,
              bat_entries=round_up(8 * MIB, 256 * KIB) // (256 * KIB))
    vhd.fill_random(0, SECTOR)
    vhd.fill_random(3 * MIB, 256 * KIB)
    # Blocks beyond both sizes say nothing.
    if kind != FIXED:
        vhd.fill_random(4 * MIB, 512 * KIB)
    return vhd.write(check.path(name))


def vpc(check, name, kind=DYNAMIC, creator=b"vpc ", **options):
    """A disk whose geometry ends in the middle of block 13."""
    vhd = Vhd(kind, 4 * MIB, creator=creator, chs=SMALL, stale=False,
              block_size=256 * KIB, **options)
    vhd.fill_random(MIB, 5000)
    vhd.path = check.path(name)
    return vhd


def sees(check, vhd, size, told=None, params=(), oracle=()):
    vhd.write(vhd.path)
    assert vhd.virtual_size == size, vhd.path
    if told:
        told = (f"geometry 100/4/17, {CUT} bytes, but .*{told}.*: taking "
                f"the current size, {4 * MIB} bytes")
    check.reads([vhd], *params, warns=told, silent=told is None,
                oracle=oracle)


def by_creator(check):
    for creator in CURRENT + CHS:
        name = creator.hex()
        for kind in FIXED, DYNAMIC:
            for chs in SMALL, LARGE, MAX_CHS:
                if kind == FIXED and chs == LARGE:
                    continue
                rule = 4 * MIB
                if creator in CHS and chs != MAX_CHS:
                    rule = chs_size(chs)
                vhd = image(check, f"{name}.vhd", kind, creator, chs, rule)
                check.reads([vhd], what=f"{creator} {chs}", silent=True)
                vhd.virtual_size = 4 * MIB
                check.reads([vhd], "size=current", oracle=["current"],
                            what=f"{creator} {chs} size=current")
                if chs == MAX_CHS:
                    continue
                vhd.virtual_size = chs_size(chs)
                check.reads([vhd], "size=chs", oracle=["chs"],
                            what=f"{creator} {chs} size=chs")
    check.refuses(check.path("77696e20.vhd"), "size=.*auto.*current.*chs",
                  "size=small")


def beyond_the_geometry(check):
    """What lies beyond the geometry speaks for the current size."""
    for creator in CHS:
        sees(check, vpc(check, "nothing.vhd", creator=creator), CUT)
        vhd = vpc(check, "last-bit.vhd", creator=creator)
        vhd.fill_random(CUT, SECTOR)
        sees(check, vhd, 4 * MIB, f"block 13 has a sector at offset {CUT} ")
        vhd = vpc(check, "block.vhd", creator=creator)
        vhd.allocate(15)
        sees(check, vhd, 4 * MIB, "BAT entry 15 has a block there")
        vhd = vpc(check, "fixed.vhd", FIXED, creator=creator)
        sees(check, vhd, CUT)
        vhd.fill(4 * MIB - SECTOR, bytes(500) + b"1" + bytes(11))
        sees(check, vhd, 4 * MIB, f"there is data at offset {4 * MIB - 12} of")


def nothing_beyond(check):
    """Up to the geometry, in sectors that are absent, or beyond both sizes."""
    vhd = vpc(check, "before.vhd")
    vhd.fill_random(CUT - SECTOR, SECTOR)
    sees(check, vhd, CUT)
    vhd = vpc(check, "allocated.vhd")
    vhd.allocate(13)
    sees(check, vhd, CUT)
    vhd = vpc(check, "beyond.vhd", bat_entries=17)
    vhd.allocate(16, full=True)
    sees(check, vhd, CUT)
    # Entries that lead to where no block can be.
    for sector in 0, 1, 3, 1 << 30:
        sees(check, vpc(check, "nowhere.vhd", bat_extra={14: sector}), CUT)
    # A BAT with no room for the current size.
    vhd = vpc(check, "small-bat.vhd", bat_entries=15)
    vhd.fill_random(CUT, 1024)
    vhd.virtual_size = CUT
    sees(check, vhd, CUT)


def without_bitmaps(check):
    """Where bitmaps do not count, bytes do."""
    vhd = vpc(check, "ignored.vhd")
    for number in vhd.blocks:
        vhd.allocate(number, full=True)
    vhd.allocate(13, full=True)
    vhd.virtual_size = CUT
    sees(check, vhd, CUT, params=["sector-bitmaps=ignore"], oracle=None)
    vhd.blocks[13].data[-1] = 1
    vhd.virtual_size = 4 * MIB
    sees(check, vhd, 4 * MIB,
         f"there is data at offset {14 * 256 * KIB - 1} of",
         params=["sector-bitmaps=ignore"], oracle=None)


def rounded_geometry(check):
    """As the specification's geometry rounds down."""
    vhd = Vhd(DYNAMIC, 40 * MIB + 512 * KIB, creator=b"vpc ")
    assert vhd.chs == (975, 5, 17)
    vhd.fill_random(vhd.size - SECTOR, SECTOR)
    vhd.write(check.path("backup.vhd"))
    check.reads([vhd], warns="taking the current size, 42467328 bytes")


def child(check, name, parent, creator):
    locator = w2ru(".\\" + os.path.basename(parent.path))
    vhd = vpc(check, name, DIFFERENCING, creator, locators=[locator],
              parent_uuid=parent.uuid, parent_time=parent.time)
    vhd.uuid = os.urandom(16)
    return vhd.write(vhd.path)


def parents(check):
    """A parent is as large as its current size: a child only cuts."""
    base = vpc(check, "base.vhd")
    base.fill_random(CUT, SECTOR)
    base.fill_random(4 * MIB - SECTOR, SECTOR)
    base.write(base.path)
    plain = vpc(check, "plain.vhd").write(check.path("plain.vhd"))
    fixed = vpc(check, "fixed-base.vhd", FIXED)
    fixed.fill_random(4 * MIB - SECTOR, SECTOR)
    fixed.write(fixed.path)
    for parent in base, fixed:
        top = child(check, "top.vhd", parent, b"win ")
        check.reads([top, parent], silent=True)
        check.reads([top, parent], "size=current", silent=True)
        # What a parent has there speaks for the child's current size.
        middle = child(check, "middle.vhd", parent, b"vpc ")
        check.reads([middle, parent], warns="there is data at .* taking the")
        top = child(check, "top.vhd", middle, b"qemu")
        check.reads([top, middle, parent], warns="taking the current size")
        top.virtual_size = CUT
        check.reads([top, middle, parent], "size=chs", oracle=["chs"])
    check.reads([child(check, "top.vhd", plain, b"vpc "), plain], silent=True)


def original_size(check):
    """original_size says nothing."""
    vhd = Vhd(DYNAMIC, 4 * MIB, original_size=2 * MIB)
    check.reads([vhd.write(check.path("resized.vhd"))])


def main():
    with Checker() as check:
        by_creator(check)
        beyond_the_geometry(check)
        nothing_beyond(check)
        without_bitmaps(check)
        rounded_geometry(check)
        parents(check)
        original_size(check)


if __name__ == "__main__":
    main()
