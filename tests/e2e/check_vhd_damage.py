#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Damage VHDs in many ways, one at a time: 'vdisk check' finds exactly the
damage, and nothing in what only looks like it."""

import os

from vhd_image import (Batmap, DIFFERENCING, DYNAMIC, FIXED, KIB, MAX_CHS, MIB,
                       SECTOR, UNUSED, Vhd, altered, bad_checksum, bad_cookie,
                       bad_reserved, cut_511, garbage, header_with,
                       libvhd_locators, missing, zeroes)
from vhd_verdict import Verdicts, space_of

UNIT = 64 * KIB
BLOCK = 2 * MIB
ENTRY = "BAT: entry 3: block at sector 0x%x "


def image(name, kind=DYNAMIC, size=MIB, **options):
    """16 blocks of 64 KiB, of which 1, 3, 4 and 8 are there: 1 and 3 one
    after the other, then 4 and 8."""
    options.setdefault("block_size", UNIT)
    vhd = Vhd(kind, size, **options)
    for n in 1, 3, 4, 8:
        vhd.allocate(n, full=True)
    return vhd.write(name + ".vhd")


def places(good):
    """The sectors of the blocks of a disk of image()."""
    return {n: at // SECTOR for n, at in good.placement.items()}


def leak_of_block_3(good):
    return ("leak", f"{space_of(good)} bytes at offset "
            f"{places(good)[3] * SECTOR}: nothing uses them \\(room for "
            "blocks: 1\\)")


def footers(verdicts, good):
    """Each that is damaged, at the end and at the start."""
    end = os.path.getsize(good.path)
    for change, text in (
            (bad_cookie, 'no cookie "conectix"'),
            (missing, 'no cookie "conectix"'),
            (zeroes, 'no cookie "conectix"'),
            (garbage, 'no cookie "conectix"'),
            (bad_checksum, "checksum 0x.*, expected 0x.*"),
            (bad_reserved, "checksum 0x.*, expected 0x.*"),
            (altered(12, bytes([0, 2, 0, 0])), "version 2.0, must be 1.x"),
            (altered(60, bytes([0, 0, 0, 9])), "type 9, must be .*")):
        verdicts.finds(image("end", end_footer=change).path,
                       "error", "footer: " + text)
        if change is not missing:
            verdicts.finds(image("copy", footer_copy=change).path,
                           "error", "footer copy: " + text)
    verdicts.finds(image("short", end_footer=cut_511).path,
                   "warning", "footer: only 511 bytes long, .*")
    verdicts.finds(image("padded", padding=bytes(4096)).path, "warning",
                   f"footer: at offset {end - 512}, followed by 4096 "
                   "bytes: .*")


def differing_footers(verdicts):
    """A good copy of another disk's footer."""
    differs = "footer copy: differs from the footer at the end of the file: "
    for offset, value, text in ((24, b"\0\0\0\1", "time stamp"),
                                (36, b"XXXX", "creator host OS"),
                                (40, b"\1", "original size"),
                                (48, b"\0\0\0\0\0\x08", "current size"),
                                (56, b"\0\1\2\3", "cylinders, heads, "
                                                  "sectors"),
                                (60, b"\0\0\0\4", "type"),
                                (68, b"\0\0\0\0\0", "UUID"),
                                (85, b"\1", "hidden flag"),
                                (511, b"\1", "reserved bytes")):
        vhd = image("differs", footer_copy=altered(offset, value))
        verdicts.finds(vhd.path, "error", differs + text, what=text)


def sizes(verdicts):
    """Sizes that do not fit, and those that do."""
    verdicts.finds(image("stale", chs=(20, 4, 17)).path, "warning",
                   "footer: geometry 20/4/17 gives 696320 bytes, but the "
                   "current size is 1048576: .*")
    verdicts.clean(image("no-geometry", chs=(0, 0, 0)).path)
    verdicts.clean(image("too-large-for-one", chs=MAX_CHS).path)
    verdicts.finds(image("odd", size=MIB - 1, chs=MAX_CHS).path, "warning",
                   "footer: current size 1048575, not a multiple of 512")
    vhd = image("vpc", creator=b"vpc ", chs=(15, 4, 17), bat_entries=15)
    verdicts.finds(vhd.path, "warning", "footer: geometry .*", "error",
                   "header: 15 BAT entries for blocks of 65536 bytes do not "
                   "cover the current size \\(1048576 bytes\\)")
    vhd = Vhd(FIXED, MIB).write(verdicts.path("fixed.vhd"))
    verdicts.clean(vhd.path)
    for size, kind, text in ((MIB - 512, "warning", "there are "),
                             (MIB + 512, "error", "there are only ")):
        vhd = Vhd(FIXED, MIB, creator=b"vpc ", chs=(128, 1, 16),
                  end_footer=altered(48, size.to_bytes(8, "big")))
        vhd.write(verdicts.path("fixed.vhd"))
        # Of the geometry's bytes all are there.
        verdicts.finds(vhd.path, kind, f"footer: current size {size}, but "
                       f"{text}1048576 bytes before the footer")


def table(verdicts, good):
    """The BAT as a whole."""
    place = places(good)
    verdicts.clean(image("large-bat", bat_entries=1000).path)
    change = header_with(28, 1 << 20)
    vhd = image("bat-too-large", header_change=change)
    verdicts.finds(vhd.path, "error", "header: BAT of 1048576 entries at "
                   "offset 1536 reaches beyond the end of the file .*")
    verdicts.finds(image("stray", bat_entries=64, bat_extra={
        20: place[1], 63: 0}).path, "warning", "BAT: entries beyond the end "
        "of the disk are in use: 2, the first is entry 20")


def entries(verdicts, good):
    """Entries that lead outside, or on something else.  Those of block 3 leave
    a block's space unused."""
    sectors = space_of(good) // SECTOR
    end = os.path.getsize(good.path)
    leak = leak_of_block_3(good)
    for sector in end // SECTOR, 0x7fffffff, 0x80000000, 0xfffffffe:
        verdicts.finds(image("beyond", bat_extra={3: sector}).path,
                       "error", ENTRY % sector + "reaches beyond the end "
                       f"of the file \\({end} bytes\\)", *leak, leaks=1)
    for sector, text in ((0, "footer copy at offset 0"),
                         (1, "header at offset 512"),
                         (3, "BAT at offset 1536"),
                         (end // SECTOR - sectors,
                          f"footer at offset {end - 512}")):
        vhd = image("on-area", bat_extra={3: sector})
        verdicts.finds(vhd.path, "error", ENTRY % sector + "overlaps " +
                       text, *leak)


def overlapping_entries(verdicts, good):
    """Entries that lead to where another block is."""
    place = places(good)
    sectors = space_of(good) // SECTOR
    leak = leak_of_block_3(good)
    empty = ("warning", "bitmaps: those of 1 of 4 .* that of block 3")
    for sector, blamed, other, found in (
            (place[1], 3, 1, leak), (place[8], 8, 3, leak),
            (place[1] + sectors - 1, 3, 1, ())):
        vhd = image("on-block", bat_extra={3: sector}, stale=False)
        at = {**place, 3: sector}
        verdicts.finds(vhd.path, *(() if found else empty),
                       "error", f"BAT: entry {blamed}: block at sector "
                       f"{at[blamed]:#x} overlaps that of entry {other} at "
                       f"sector {at[other]:#x}", *found)
    vhd = image("zeroed", bat_extra={n: 0 for n in range(16)})
    verdicts.finds(vhd.path, "error", "BAT: entries 0 to 15: block at "
                   "sector 0x0 overlaps footer copy at offset 0", "leak",
                   ".* \\(room for blocks: 4\\)", errors=16, leaks=4,
                   allocated=16)


def unused_space(verdicts, good):
    """Space that nothing uses."""
    place = places(good)
    leak = leak_of_block_3(good)
    vhd = image("lost", bat_extra={3: UNUSED})
    verdicts.finds(vhd.path, *leak, leaks=1, errors=0, allocated=3)
    vhd = image("lost-last", bat_extra={8: UNUSED})
    verdicts.finds(vhd.path, "leak", f".* at offset {place[8] * SECTOR}: .*",
                   leaks=1)
    vhd = image("lost-all", bat_extra={n: UNUSED for n in range(16)})
    verdicts.finds(vhd.path, "leak", ".*room for blocks: 4\\)", leaks=4)


def bitmaps(verdicts):
    """Bitmaps of nothing."""
    none = {n: bytes(16) for n in (1, 3, 4, 8)}
    vhd = image("one-empty", bitmaps={4: none[4]})
    verdicts.finds(vhd.path, "warning", "bitmaps: those of 1 of 4 allocated "
                   "blocks are empty, the first is that of block 4")
    vhd = image("all-empty", bitmaps=none)
    verdicts.finds(vhd.path, "warning", "bitmaps: those of all 4 allocated "
                   "blocks are empty, .*sector-bitmaps=ignore.*")
    verdicts.clean(vhd.path, "--sector-bitmaps=ignore")


def with_batmap(name, bitmaps=None, bits=None, bat_extra=None, **lie):
    return image(name, size=9 * BLOCK, block_size=BLOCK,
                 bitmaps=bitmaps, bat_extra=bat_extra,
                 batmap=Batmap(bits, **lie))


def batmap(verdicts):
    """The batmap says something else than the bitmaps: its bits are 1, 3, 4
    and 8."""
    verdicts.clean(with_batmap("batmap").path)
    vhd = with_batmap("batmap-lies", {4: b"\x7f" + b"\xff" * 511})
    verdicts.finds(vhd.path, "error", "batmap: block 4 is marked as "
                   "complete, but only 4095 of its 4096 sectors are present "
                   "by its bitmap")
    vhd = with_batmap("batmap-lies", {1: bytes(512), 8: bytes(512)})
    verdicts.finds(vhd.path, "error", "batmap: block 1 .* only 0 of .*",
                   "error", "batmap: block 8 .* only 0 of .*")
    vhd = with_batmap("batmap-absent", bits=[1, 2, 3, 4, 5, 8])
    verdicts.finds(vhd.path, "warning", "batmap: blocks that are not "
                   "allocated are marked as complete: 2, the first is "
                   "block 2")
    for lie, text in (({"checksum": 1}, "checksum 0x00000001, .*"),
                      ({"version": 0x00010003}, "version 1.3, .*"),
                      ({"sectors": 0}, "0 bytes, the disk needs 512")):
        vhd = with_batmap("batmap-bad", **lie)
        verdicts.finds(vhd.path, "error", "batmap: " + text)


def parents(verdicts):
    """What is said of a parent."""
    options = {"kind": DIFFERENCING, "parent_uuid": bytes(range(16)),
               "locators": libvhd_locators("base.vhd")}
    child = image("child", **options)
    verdicts.clean(child.path)
    vhd = image("own-parent", **{**options, "parent_uuid": child.uuid},
                uuid=child.uuid)
    verdicts.finds(vhd.path, "error", "header: parent UUID .* is that of "
                   "the disk itself")
    vhd = image("raw-parent", **{**options, "parent_uuid": bytes(16)})
    verdicts.clean(vhd.path)
    vhd = image("null-parent", **{**options, "parent_uuid": bytes(16)},
                creator=b"win ")
    verdicts.finds(vhd.path, "warning", "header: parent UUID 0.*0, which .*")
    return child, options


def locators(verdicts, child, options):
    """Locators that cannot be read, or lie on something else."""
    change = header_with(576 + 8, 5000)
    vhd = image("bad-locator", **options, header_change=change)
    verdicts.finds(vhd.path, "warning", "parent locator 0 \\(MacX\\): "
                   "length 5000, must be 1 to 512")
    sector = child.locators[1].offset // SECTOR
    vhd = image("on-locator", **options, bat_extra={5: sector})
    verdicts.finds(vhd.path, "error", "BAT: entry 5: block at .* overlaps "
                   "parent locator 1 \\(W2ku\\) at offset .*")
    change = header_with(576 + 16, 1536, 8)
    vhd = image("locator-on-bat", **options, header_change=change,
                parent_name="base.vhd")
    verdicts.finds(vhd.path, "error", "parent locator 0 \\(MacX\\) at "
                   "offset 1536 overlaps BAT at offset 1536|BAT at offset "
                   "1536 overlaps parent locator 0 \\(MacX\\) at offset "
                   "1536")


def main():
    with Verdicts() as verdicts:
        good = image("good")
        verdicts.clean(good.path)
        footers(verdicts, good)
        differing_footers(verdicts)
        sizes(verdicts)
        table(verdicts, good)
        entries(verdicts, good)
        overlapping_entries(verdicts, good)
        unused_space(verdicts, good)
        bitmaps(verdicts)
        batmap(verdicts)
        child, options = parents(verdicts)
        locators(verdicts, child, options)


if __name__ == "__main__":
    main()
