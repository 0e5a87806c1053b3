#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""vdisk export -O xva: which blocks there are of disks of all sizes, their
checksums, several disks in one archive."""

import os

import qemu
from export_check import (Checker, Disk, MIB, TIB, Wrong, Xva, measure, run,
                          to_pipe)
from export_images import everything, make, raw


def ways(check, disk):
    with open("ova.xml", "w") as file:
        file.write("<value><struct/></value>\n" * 999)
    every = [Xva(), Xva("Ref:12"), Xva(checksum="sha1"), Xva(detect=True),
            Xva(checksum="xxhash", ova_xml="ova.xml", prefix="Ref:3")]
    check.exports(disk, *every)
    check.exports(disk, *every, pipe=True)
    open("empty.xml", "w").close()
    check.exports(disk, Xva(ova_xml="empty.xml"))


def blocks(check):
    """The first and the last are there, whatever is in them; the last is what
    is left of the disk."""
    for size in (1, 511, 512, 513, MIB - 1, MIB, MIB + 1, 2 * MIB,
                 3 * MIB + 4096, 10 * MIB + 77):
        check.exports(raw("empty.raw", size), Xva(), Xva(checksum="sha1"))
        check.exports(raw("ends.raw", size, (0, 1), (size - 1, 1)), Xva(),
                      Xva(detect=True))
    check.exports(raw("full.raw", 3 * MIB + 1, (0, 3 * MIB + 1)), Xva())
    # Written zeros count as data, unless they are looked for.
    check.exports(make("zeros.qcow2", "8M", "write -P 0 2M 2M",
                       "write -P 1 5M 1"), Xva(), Xva(detect=True))
    # Data on both sides of a border, and far apart.
    check.exports(raw("edges.raw", 20 * MIB, (4 * MIB - 1, 2),
                      (9 * MIB, 4096), (13 * MIB - 4096, 4096)), Xva())
    check.exports(make("far.qcow2", "5T", "write -P 1 700G 200k",
                       f"write -P 4 {5 * TIB - 512} 512",
                       options=["cluster_size=256k"]), Xva())


def several_disks(check, disk):
    """Several disks: by repeated options, by their names, in any order."""
    others = {"Ref:7": raw("a.raw", 3 * MIB, (MIB, 10)),
              "Ref:10": everything("b.qcow2"),
              "Ref:8": make("c.vhd", "5M", "write -P 3 3M 4k",
                            image_format="vpc")}

    def several(what, way, *args, path="several.xva", to=None):
        def one():
            if to:
                to_pipe("-O", "xva", *way.options(), *args, path=path)
            else:
                run("-O", "xva", *way.options(), *args, path)
            way.verify_all(others, path)
            size = measure("-O", "xva", *way.options(), *args, path)
            if size != os.path.getsize(path):
                raise Wrong(f"--measure says {size}")
        check.attempt(what, one)

    # The format is the same for all: so the raw one as a QCOW2.
    qemu.img("convert", "-f", "raw", "-O", "qcow2", "a.raw", "a.qcow2")
    others["Ref:7"] = Disk.by_qemu("a.qcow2")
    names = [f"{disk.path}={prefix}" for prefix, disk in others.items()]
    for way in Xva(), Xva(checksum="sha1", ova_xml="ova.xml"):
        several("three disks, named", way, *names)
        several("three disks, named the other way round", way, *names[::-1])
        several("three disks by options", way,
                *(f"--prefix={prefix}" for prefix in others),
                *(disk.path for disk in others.values()))
        several("three disks to a pipe", way, *names, to="pipe")
    # The same image twice.
    others = {"Ref:1": disk, "Ref:2": disk}
    several("a disk twice", Xva(), "disk.qcow2=Ref:2", "disk.qcow2=Ref:1")
    # A name that has the sign itself.
    os.link("disk.qcow2", "x=y.qcow2")
    others = {"Ref:5": disk}
    several("a name with =", Xva(), "x=y.qcow2=Ref:5")


def main():
    with Checker() as check:
        disk = everything("disk.qcow2", "8M")
        ways(check, disk)
        blocks(check)
        several_disks(check, disk)


if __name__ == "__main__":
    main()
