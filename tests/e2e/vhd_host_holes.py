#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Allocated sectors that lie in a hole of the host's file are zeros by the
image's word: no data, but no hole that shows a parent either."""

from vhd_check import Checker, Wrong
from vhd_image import (DIFFERENCING, DYNAMIC, FIXED, KIB, MIB, Vhd,
                       libvhd_locators)


def has_zeros(vhd):
    """The file system must have made the holes."""
    with open(vhd.path, "rb") as file:
        end = file.seek(0, 2)
        if file.seek(0, 4) == end:      # SEEK_HOLE
            raise Wrong(f"{vhd.path}: no holes")
    return vhd


def holes(check):
    """Some of a block, all of one, and what is not there to begin with."""
    for unit in 4 * KIB, 64 * KIB, 2 * MIB:
        for kind in FIXED, DYNAMIC:
            vhd = Vhd(kind, 32 * unit, block_size=unit, align=4096)
            vhd.fill_random(0, 24 * unit)
            holes = [(n * unit, unit) for n in range(2, 20, 2)]
            holes.append((unit + 4096, 4096) if unit > 8 * KIB else
                         (unit, 4096))
            for start, length in holes:
                vhd.fill(start, bytes(length))
            for n in 4, 6:
                vhd.blocks[n].present[3:5] = b"\0\0"
            vhd.write(check.path(f"{kind}-{unit}.vhd"))
            for start, length in holes:
                vhd.punch(start, length)
            check.reads([has_zeros(vhd)])
            check.reads([vhd], "host-holes=auto")

            # They hide the parent.
            if kind == FIXED:
                parent = vhd
                continue
            child = Vhd(DIFFERENCING, 32 * unit, block_size=unit,
                        align=4096, parent_uuid=parent.uuid,
                        parent_time=parent.time,
                        locators=libvhd_locators(f"{FIXED}-{unit}.vhd"))
            for start in 3 * unit, 10 * unit:
                child.fill(start, bytes(2 * unit))
            child.fill_random(20 * unit, unit)
            child.write(check.path(f"child-{unit}.vhd"))
            for n in 3, 4, 10, 11:
                child.punch(n * unit, unit)
            check.reads([has_zeros(child), parent])
    return vhd


def not_looked_for(check, vhd):
    """Without looking all of it is data."""
    check.all_data(vhd, "host-holes=off")
    check.refuses(vhd.path, "host-holes=.*auto.*off", "host-holes=on")


def main():
    with Checker() as check:
        vhd = holes(check)
        not_looked_for(check, vhd)


if __name__ == "__main__":
    main()
