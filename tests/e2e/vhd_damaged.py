#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Damaged tables are told, never read as zeros: at the start if that needs no
look at the whole image, else by an error for what cannot be read."""

import os

from vhd_check import Checker
from vhd_image import (DIFFERENCING, DYNAMIC, KIB, MIB, SECTOR, Vhd, altered,
                       header_with, libvhd_locators, zeroes)

UNIT = 64 * KIB


def image(check, name, **options):
    vhd = Vhd(DYNAMIC, MIB, block_size=UNIT, **options)
    for n in 1, 3, 4, 8:
        vhd.fill_random(n * UNIT, UNIT)
    return vhd.write(check.path(name))


def single_blocks(check, end):
    """Single blocks that lie past the end of the file."""
    for entry in end, end + 1000, 0x7fffffff, 0x80000000, 0xfffffffe:
        vhd = image(check, f"block-{entry}.vhd", bat_extra={3: entry})
        check.fails_to_read(vhd, 3 * UNIT, UNIT)


def cut(check):
    """The file is cut in the middle of a block, and in its bitmap."""
    vhd = image(check, "cut.vhd")
    os.truncate(vhd.path, vhd.host_offset(8 * UNIT) + UNIT // 2)
    check.fails_to_read(vhd, 8 * UNIT + UNIT // 2, UNIT // 2)
    vhd = image(check, "cut-bitmap.vhd")
    os.truncate(vhd.path, vhd.host_offset(8 * UNIT) - 100)
    check.fails_to_read(vhd, 8 * UNIT, UNIT)


def in_a_parent(check, end):
    """A parent's damage shows where the child has nothing."""
    vhd = image(check, "parent.vhd", bat_extra={3: end + 1000})
    child = Vhd(DIFFERENCING, MIB, block_size=UNIT,
                locators=libvhd_locators("parent.vhd"),
                parent_uuid=vhd.uuid, parent_time=vhd.time)
    child.fill_random(3 * UNIT, UNIT // 2)
    child.fill_random(0, SECTOR)
    child.write(check.path("child.vhd"))
    check.fails_to_read(child, 3 * UNIT + UNIT // 2, UNIT // 2, vhd)


def header(check):
    """What is wrong in it is told at the start."""
    for what, change, pattern in (
            ("cookie", lambda header: b"cxsparsE" + header[8:], "cookie"),
            ("checksum", lambda header: header[:60] + b"\1" + header[61:],
             "checksum"),
            ("zeros", zeroes, "header"),
            ("block of 0", header_with(32, 0), "block size"),
            ("block of 256", header_with(32, 256), "block size"),
            ("odd block", header_with(32, 3 * 64 * KIB), "block size"),
            ("no entries", header_with(28, 0), "entr"),
            ("one entry short", header_with(28, 15), "entr"),
            ("BAT behind", header_with(16, 1 << 40, 8), "BAT|table"),
            ("BAT far", header_with(16, (1 << 64) - 512, 8), "BAT|table")):
        vhd = image(check, "header.vhd", header_change=change)
        check.refuses(vhd.path, pattern, what=what)
    for offset in 1 << 40, (1 << 64) - 1, (1 << 64) - 1024:
        wrong = altered(16, offset.to_bytes(8, "big"))
        vhd = image(check, "offset.vhd", footer_copy=wrong, end_footer=wrong)
        check.refuses(vhd.path, "header|data.offset")


def main():
    with Checker() as check:
        end = os.path.getsize(image(check, "good.vhd").path) // SECTOR
        single_blocks(check, end)
        cut(check)
        in_a_parent(check, end)
        header(check)


if __name__ == "__main__":
    main()
