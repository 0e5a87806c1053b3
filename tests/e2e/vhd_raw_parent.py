#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Xen's chains may end in a raw disk, and nothing says so but a parent UUID of
zeros.  Its holes are holes."""

import random

from vhd_check import Checker
from vhd_image import (DIFFERENCING, DYNAMIC, FIXED, KIB, MIB, Raw, SECTOR,
                       Vhd, libvhd_locators, punch_hole)

noise = random.Random(1).randbytes


def child_of(name, path, size=2 * MIB, **options):
    vhd = Vhd(DIFFERENCING, size, block_size=64 * KIB,
              locators=libvhd_locators(name), **options)
    vhd.fill_random(200 * KIB, 300 * KIB)
    vhd.fill_random(size // SECTOR * SECTOR - 4096, 4096)
    vhd.allocate(1)
    return vhd.write(path)


def sizes(check, top):
    for size in (0, 512, 1000, 4096 + 7, MIB, 2 * MIB - 1, 2 * MIB,
                 2 * MIB + 1, 3 * MIB):
        base = Raw(noise(size)).write(check.path("base.img"))
        check.reads([child_of("base.img", top), base],
                    what=f"raw of {size}", silent=True)
        check.reads([child_of("base.img", top), base], "format=vhd",
                    what=f"raw of {size}")


def holes(check, top):
    """Holes at the start, in the middle, at the end, and nothing else."""
    for holes in ([(0, 64)], [(512, 128), (1024, 512)], [(1536, 512)],
                  [(0, 2048)]):
        data = bytearray(noise(2 * MIB))
        for start, length in holes:
            data[start * KIB:(start + length) * KIB] = bytes(length * KIB)
        base = Raw(bytes(data)).write(check.path("base.img"))
        for start, length in holes:
            punch_hole(base.path, start * KIB, length * KIB)
        check.reads([child_of("base.img", top), base], what=f"{holes}")


def formats(check, top):
    """Nobody looks for a format: the guest could have written it."""
    inner = Vhd(FIXED, MIB)
    inner.fill_random(0, MIB)
    with open(inner.write(check.path("inner.vhd")).path, "rb") as file:
        fixed = file.read()
    dynamic = Vhd(DYNAMIC, MIB).footer().ljust(MIB, b"\0")
    for what, data in (
            ("qcow2", (b"QFI\xfb" + noise(100)).ljust(MIB, b"\1")),
            ("qed", b"QED\0".ljust(MIB, b"\1")),
            ("a fixed VHD", fixed),
            ("a dynamic VHD", dynamic)):
        base = Raw(data).write(check.path("base.img"))
        check.reads([child_of("base.img", top), base], what=what)


def two_children(check, top):
    """Two children, and a child of another size."""
    base = Raw(noise(MIB)).write(check.path("base.img"))
    middle = child_of("base.img", check.path("middle.vhd"), size=512 * KIB)
    child = child_of("middle.vhd", top, parent_uuid=middle.uuid,
                     parent_time=middle.time)
    check.reads([child, middle, base], what="two children")


def with_a_uuid(check, top):
    """With a UUID the parent must be a VHD."""
    child_of("base.img", top, parent_uuid=bytes(range(16)))
    check.refuses(top, r"base\.img")
    child_of("gone.img", top)
    check.refuses(top, r"gone\.img")


def main():
    with Checker() as check:
        top = check.path("top.vhd")
        sizes(check, top)
        holes(check, top)
        formats(check, top)
        two_children(check, top)
        with_a_uuid(check, top)


if __name__ == "__main__":
    main()
