#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Xen's batmap says which blocks are complete, so that their bitmaps need
# not be read; but only as far as its checksum covers it.
#
# A good image has bitmaps that say the same.  The images here do not, to
# see which of the two is believed.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

python3 - <<'END' || exit 1
from vhd_check import Checker
from vhd_image import *

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


with Checker() as check:
    bits = [1, 4]
    good = [
        Batmap(bits),
        Batmap(bits, version=0x00010001),
        Batmap(bits, offset=64 * KIB),
        Batmap(bits, sectors=2),
    ]
    bad = [
        Batmap(bits, checksum=0),
        Batmap(bits, checksum=0xffffffff),
        Batmap(bits, cookie=b"tdbatmaq"),
        Batmap(bits, cookie=bytes(8)),
        Batmap(bits, sectors=0),
        Batmap(bits, checksum=complement_sum(b"\x48")),     # one too small
    ]
    bad[-1].checksum -= 1
    for n, batmap in enumerate(good):
        check.reads([image(check, f"good-{n}.vhd", True, batmap)])
    for n, batmap in enumerate(bad):
        check.reads([image(check, f"bad-{n}.vhd", False, batmap)])

    # In a chain the same decides between a layer and its parent.
    base = Vhd(FIXED, 32 * MIB)
    base.fill_random(0, 32 * MIB)
    base.write(check.path("base.vhd"))
    options = dict(kind=DIFFERENCING, locators=libvhd_locators("base.vhd"),
                   parent_uuid=base.uuid, parent_time=base.time)
    check.reads([image(check, "child-good.vhd", True, Batmap(bits),
                       **options), base])
    check.reads([image(check, "child-bad.vhd", False,
                       Batmap(bits, checksum=7), **options), base])

    # The checksum of a disk of 16 MiB covers one sector of 4096 bits, also
    # if blocks are small and the map has more: no lie behind it counts.
    vhd = Vhd(DYNAMIC, 17 * MIB, block_size=512,
              batmap=Batmap([100, 4095, 4096, 20000]),
              bitmaps={n: bytes(512) for n in (4096, 20000)})
    for n in 100, 4095, 4096, 20000, 30000:
        vhd.fill_random(n * 512, 512)
    vhd.write(check.path("covered.vhd"))
    for n in 4096, 20000:
        vhd.blocks[n].present[0] = 0
    check.reads([vhd])

    # More than one sector is covered, but the map is said to be shorter.
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
END
