#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""vdisk export -O vhd --parent: the differing sectors, and the parent's names.
QEMU does not read them, so vhd_reader does."""

import os

import vhd_image
from export_check import Checker, Disk, KIB, MAYBE, MIB, Vhd, export, run
from export_images import make, raw, raw_disk, vhd

BASE = ["write -P 1 0 1M", "write -P 2 2M 512k", "write -P 3 5M 1000k",
        "write -P 0 7M 128k"]
CHANGES = ["write -P 9 100k 1", "write -P 1 512k 128k", "write -P 9 1200k 90k",
           "write -z 2M 64k", "write -P 0 2176k 128k",
           "write -z 2304k 10k", "write -P 0 5M 3k", "write -P 9 7M 4k",
           "discard 5300k 64k", "write -z 7400k 64k", "write -P 0 7500k 64k"]


def changes(check, base, changed):
    check.exports(changed, Vhd(parent=base), Vhd("4k", parent=base),
                  Vhd(parent=base, detect=True),
                  Vhd(parent=base, time=1700000000,
                      uuid="01234567-89ab-cdef-0123-456789abcdef"))
    check.exports(changed, Vhd(parent=base), Vhd("64k", parent=base),
                  pipe=True)
    # Nothing has changed.
    check.exports(base, Vhd(parent=base))
    # Everything has.
    check.exports(raw("other.raw", 8 * MIB, (0, 8 * MIB)), Vhd(parent=base))
    check.exports(raw("nothing.raw", 8 * MIB), Vhd(parent=base),
                  Vhd("4k", parent=base))


def single_sectors(check):
    """Single sectors: data over holes, the same data again, zeros."""
    image = vhd("sectors.vhd", 4 * MIB, (0, 4096), (MIB, 64 * KIB))
    sectors = Disk.by_reader("sectors.vhd")
    data = bytearray(sectors.bytes_at(0, 4 * MIB))
    data[512:1024] = bytes(512)
    data[1500] ^= 1
    data[MIB + 65535] ^= 1
    data[3 * MIB] = 1
    with open("altered.raw", "wb") as file:
        file.write(data)
    check.exports(raw_disk("altered.raw"), Vhd(parent=sectors),
                  Vhd(4096, parent=sectors))
    return image, sectors


def sizes(check, base, sectors):
    """Larger and smaller than the parent, and of odd size."""
    for size in 512, 3 * MIB + 512, 8 * MIB + 512, 20 * MIB, 8 * MIB + 1:
        check.exports(raw("size.raw", size, (0, 1), (size - 1, 1)),
                      Vhd(parent=base), Vhd("64k", parent=sectors))


def parents(check, changed, image, sectors):
    """The parent is fixed, or has parents of its own."""
    fixed = make("fixed.vhd", "8M", *BASE, image_format="vpc",
                 options=["subformat=fixed"])
    check.exports(changed, Vhd(parent=fixed))
    vhd("middle.vhd", 4 * MIB, (512, 512), (3 * MIB, 4096),
        kind=vhd_image.DIFFERENCING, parent_uuid=image.uuid,
        parent_time=image.time,
        locators=vhd_image.libvhd_locators("sectors.vhd"))
    middle = Disk.by_reader("middle.vhd")
    check.exports(raw_disk("altered.raw"), Vhd(parent=middle))
    check.exports(sectors, Vhd(parent=middle))
    check.exports(middle, Vhd(parent=sectors))


def cut_by_geometry(check):
    """Onto a disk whose geometry cuts its end off, for those who go by that:
    it is compared up to its current size."""
    for creator, chs in (b"vpc ", (100, 4, 17)), (b"win ", (100, 4, 17)):
        vhd("tail.vhd", 4 * MIB, (0, 4096), (4 * MIB - 8192, 8192),
            creator=creator, chs=chs, stale=False)
        tail = Disk.by_reader("tail.vhd")
        tail.warning = MAYBE
        data = bytearray(tail.bytes_at(0, 4 * MIB))
        # The end is the same, is something else, and zeros.
        for n, end in enumerate([data[-512:], b"1" * 512, bytes(512)]):
            data[-512:] = end
            with open("ends.raw", "wb") as file:
                file.write(data)
            check.exports(raw_disk("ends.raw"), Vhd("64k", parent=tail))
            run("-O", "vhd", "--parent=tail.vhd", "--size=chs",
                "--format=raw", "ends.raw", f"ends-{n}.vhd", warning=MAYBE)
            ends = Disk.by_reader(f"ends-{n}.vhd")
            check.equal("the end", ends.bytes_at(0, ends.size), bytes(data))


def exported_chains(check, changed):
    """Chains of what was exported."""
    run("-O", "vhd", "--parent=base.vhd", "changed.qcow2", "one.vhd")
    one = Disk.by_reader("one.vhd")
    check.equal("a chain has the content", one.bytes_at(0, one.size),
                changed.bytes_at(0, changed.size))
    two = make("two.qcow2", "8M", *BASE, *CHANGES, "write -P 7 6M 100k",
               "write -z 0 100k")
    check.exports(two, Vhd(parent=one))
    check.exports(two, Vhd("4k", parent=one))


def names(check, base, changed):
    """Where the parent is, and what it is called."""
    for folder in "sub", "sub/deeper", "sub dir":
        os.makedirs(folder, exist_ok=True)
    for name in ("up.vhd", "sub/down.vhd", "sub dir/a b.vhd", "100%.vhd",
                 "a%20b.vhd", "b\u00e4se.vhd", "\u2603.vhd",
                 "\U0001d6d2.vhd", "x" * 200 + ".vhd"):
        os.link("base.vhd", name)
        parent = base.same(name)
        parent.path = name
        for path in "here.vhd", "sub/there.vhd", "sub/deeper/far.vhd":
            check.attempt(f"{path} on {name}", export, changed,
                          Vhd(parent=parent), path)
        os.unlink(name)


def main():
    with Checker() as check:
        base = make("base.vhd", "8M", *BASE, image_format="vpc")
        changed = make("changed.qcow2", "8M", *BASE, *CHANGES)
        changes(check, base, changed)
        image, sectors = single_sectors(check)
        sizes(check, base, sectors)
        parents(check, changed, image, sectors)
        cut_by_geometry(check)
        exported_chains(check, changed)
        names(check, base, changed)


if __name__ == "__main__":
    main()
