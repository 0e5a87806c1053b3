#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A block whose bitmap lies in another block, or over a table, cannot be read:
what lies there says nothing of its sectors.  All others can."""

import nbdclient
import servers
import vhd_reader
from vhd_check import Checker, Wrong
from vhd_image import DYNAMIC, KIB, MAX_CHS, SECTOR, Vhd

UNIT = 64 * KIB
LENGTH = UNIT // SECTOR + 1             # of a block in the file


def image(check, name, extra, size=8 * UNIT):
    """Blocks 0 to 5, one after the other; 'extra' makes of the first one's
    place what is put into the BAT instead."""
    vhd = Vhd(DYNAMIC, size, block_size=UNIT, creator=b"win ", chs=MAX_CHS,
              stale=False)
    vhd.fill_random(0, 6 * UNIT)
    vhd.write(check.path(name))
    vhd.bat_extra = extra(vhd.placement[0] // SECTOR)
    return vhd.write(vhd.path)


def readable(vhd):
    """The numbers of the blocks that the reader of VHDs can map."""
    layer = vhd_reader.VhdLayer(vhd.path)
    for number in range(-(-layer.size // UNIT)):
        try:
            start = number * UNIT
            list(layer.pieces(start, min(start + UNIT, layer.size)))
            yield number
        except vhd_reader.VhdError:
            pass


def fails(check, vhd, first, count=1):
    """These blocks do, and no others."""
    assert set(range(8)) - set(readable(vhd)) == set(range(first,
                                                           first + count))
    check.fails_to_read(vhd, first * UNIT, count * UNIT)


def can_map(vhd, wanted):
    """The plugin can, of all blocks, just these."""
    found = set()
    with servers.vdisk(vhd.path) as server:
        for number in range(6):
            try:
                server.client.status(number * UNIT, 512)
                found.add(number)
            except nbdclient.NbdError:
                pass
    if found != wanted:
        raise Wrong(f"blocks {found}, expected {wanted}")


def overlaps(check):
    """A bitmap in each place where none can be."""
    # The last sector of the block before.
    fails(check, image(check, "last.vhd", lambda at: {3: at + 3 * LENGTH - 1}),
          3)
    # By a writer that counts a sector too few: from the second block on.
    fails(check, image(check, "short.vhd", lambda at: {
        n: at + n * (LENGTH - 1) for n in range(6)}), 1, 5)
    # Two in one place.
    fails(check, image(check, "same.vhd", lambda at: {4: at + 3 * LENGTH}),
          3, 2)
    # In the middle of one that is far away.
    fails(check, image(check, "within.vhd", lambda at: {
        1: at + 5 * LENGTH + 50}), 1)
    # Data over the bitmap of another.
    vhd = image(check, "across.vhd", lambda at: {2: at + 3 * LENGTH - 50})
    assert set(range(6)) - set(readable(vhd)) == {3}
    check.attempt("across", can_map, vhd, {0, 1, 2, 4, 5})
    # Over the footers, the header, and the BAT.
    for sector in 0, 1, 2, 3:
        fails(check, image(check, "table.vhd", lambda at: {2: sector}), 2)
    fails(check, image(check, "footer.vhd", lambda at: {5: at + 6 * LENGTH}),
          5)


def short_last_block(check):
    """The last block may have no more than there is of the disk: others may
    begin right behind that."""
    for behind, wanted in (4, {0, 1, 2, 3, 4, 5}), (3, {0, 1, 2, 3, 5}):
        vhd = image(check, "part.vhd", lambda at: {
            5: at + 4 * LENGTH, 4: at + 4 * LENGTH + behind},
            size=5 * UNIT + 3 * SECTOR)
        assert set(readable(vhd)) == wanted
        check.attempt(f"{behind} sectors on", can_map, vhd, wanted)


def side_by_side(check):
    """Blocks side by side, and gaps, are as they should be."""
    for gaps, align in (0, 512), (1, 512), (9, 4096):
        vhd = Vhd(DYNAMIC, 40 * UNIT, block_size=UNIT, gaps=gaps,
                  align=align, order="shuffled", stale=False)
        vhd.fill_random(0, 40 * UNIT)
        check.reads([vhd.write(check.path("good.vhd"))], silent=True)


def main():
    with Checker() as check:
        overlaps(check)
        short_last_block(check)
        side_by_side(check)


if __name__ == "__main__":
    main()
