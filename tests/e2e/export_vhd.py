#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""vdisk export -O vhd: dynamic and fixed disks of all sizes, whose geometry
and sector bitmaps are exact."""

import random
import uuid

import vhd_image
from export_check import Checker, Chunked, Disk, GIB, MIB, Qcow2, Raw, TIB, Vhd
from export_images import SEED, everything, make, raw, vhd


def options(check):
    disk = everything("disk.qcow2")
    one = str(uuid.uuid4())
    check.exports(disk, Vhd(), Vhd(detect=True), Vhd(fixed=True),
                  Vhd(uuid=one, time=946684800 + 77),
                  Vhd(uuid=one.upper(), time=1700000000))
    check.exports(disk, Vhd(), Vhd(fixed=True),
                  Vhd(uuid=one, time=1700000000), pipe=True)
    for block in 4096, "64k", "256k", "1M", "16M":
        check.exports(disk, Vhd(block), Vhd(block, detect=True))
    check.exports(make("zeros.qcow2", "8M", "write -P 0 0 2M",
                       "write -P 1 3M 1", "write -P 0 7M 1M"),
                  Vhd(), Vhd(detect=True), Vhd("64k", detect=True))


def sizes(check):
    """Sizes that the geometry gives, and those it does not: of each range of
    the computation, with and without a rest."""
    for size in (512, 17 * 4 * 512, 17 * 4 * 512 * 100, 17 * 4 * 512 + 512,
                 MIB, 10 * MIB, 17 * 16 * 1023 * 512, 504 * MIB,
                 31 * 16 * 512 * 999, 31 * 16 * 1024 * 512, 4 * GIB,
                 63 * 16 * 512 * 65534, 63 * 16 * 512 * 65535,
                 127 * GIB, 255 * 16 * 65535 * 512,
                 255 * 16 * 65535 * 512 + 512, 1 * TIB):
        sized = raw("size.raw", size, (0, 1), (size - 1, 1))
        check.exports(sized, Vhd())
        if size < 20 * MIB:
            check.exports(sized, Vhd(fixed=True))
    for size in 1, 511, 513, 2 * MIB - 1, 2 * MIB + 1, 5 * MIB + 300:
        check.exports(raw("odd.raw", size, (size - 1, 1)), Vhd(),
                      Vhd(fixed=True), Vhd(4096))


def rounded(check):
    """Whole MiB, as Azure wants them, and other units."""
    for size in 1, 5 * MIB + 300, 10 * MIB, 3 * GIB - 512:
        sized = raw("round.raw", size, (0, 1), (size - 1, 1))
        check.exports(sized, Vhd(rounded="1M"), Vhd(rounded="512"),
                      Vhd("64k", rounded="4M", detect=True))
        check.exports(sized, Vhd(rounded="1M"), pipe=True)
    check.exports(raw("round.raw", 5 * MIB + 300, (0, 4096)),
                  Vhd(fixed=True, rounded="1M"),
                  Vhd(fixed=True, rounded="1G"))


def geometry(check):
    """The geometry of a source that gives its size is kept: of one with the
    specification's, of one by Virtual PC, which shows no more than that, and
    of some other.  One that gives another size is not."""
    for creator, size, chs in ((b"win ", 17 * 4 * 512 * 100, (100, 4, 17)),
                               (b"vpc ", 10 * MIB, (301, 4, 17)),
                               (b"win ", 10 * MIB, (20, 16, 64)),
                               (b"win ", 10 * MIB, (301, 4, 17)),
                               (b"d2v ", 10 * MIB, vhd_image.MAX_CHS)):
        vhd("geometry.vhd", size, (512, 4096), creator=creator, chs=chs,
            stale=False)
        check.exports(Disk.by_reader("geometry.vhd"), Vhd(),
                      Vhd(fixed=True), Vhd(rounded="1M"))


def empty_and_full(check):
    for size in 512, 10 * MIB, 600 * GIB:
        check.exports(raw("empty.raw", size), Vhd())
        check.exports(raw("empty.raw", size), Vhd(), pipe=True)
    check.exports(raw("full.raw", 5 * MIB, (0, 5 * MIB)), Vhd(), Vhd(4096),
                  Vhd(fixed=True))


def largest(check):
    """The largest there are."""
    disk = make("largest.qcow2", 2040 * GIB, "write -P 1 0 1",
                "write -P 2 1T 3M", f"write -P 3 {2040 * GIB - 1} 1")
    check.exports(disk, Vhd(), Vhd("16M"))


def single_sectors(check):
    """Single sectors, as a VHD has them."""
    vhd("sectors.vhd", 6 * MIB + 512, (512, 512), (4096, 1024),
        (2 * MIB - 512, 1024), (6 * MIB, 512), (5 * MIB, 512))
    sectors = Disk.by_reader("sectors.vhd")
    check.exports(sectors, Vhd(), Vhd(4096), Vhd("1M"), Vhd(fixed=True),
                  Qcow2(), Raw(), Chunked())
    check.exports(sectors, Vhd(), pipe=True)


def block_sizes(check):
    """From block sizes to others, with holes and chains."""
    rng = random.Random(SEED)
    ranges = [(rng.randrange(12000) * 512, rng.randrange(1, 40) * 512)
              for _ in range(60)]
    base = vhd("small.vhd", 7 * MIB, *ranges, block_size=8192)
    vhd("child.vhd", 8 * MIB, (0, 512), (7 * MIB, 4096), *ranges[::7],
        kind=vhd_image.DIFFERENCING, parent_uuid=base.uuid,
        parent_time=base.time, locators=vhd_image.libvhd_locators(
            "small.vhd"))
    for path in "small.vhd", "child.vhd":
        check.exports(Disk.by_reader(path), Vhd(), Vhd(4096), Qcow2("4k"))


def main():
    with Checker() as check:
        options(check)
        sizes(check)
        rounded(check)
        geometry(check)
        empty_and_full(check)
        largest(check)
        single_sectors(check)
        block_sizes(check)


if __name__ == "__main__":
    main()
