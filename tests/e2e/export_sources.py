#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""vdisk export of every kind of source to every output."""

import random
import shutil

import qcow2_edit
import qemu
import vhd_image
from export_check import (ALL, Checker, Chunked, Disk, MIB, Qcow2, Raw, TIB,
                          Vhd, Xva)
from export_images import disk_of, everything, make, raw, vhd
from vhd_image import cut_511, libvhd_locators, missing, zeroes


def all_of(check, disk, *but, **options):
    check.exports(disk, *(way() for way in ALL if way not in but), **options)


def formats(check):
    for n, options in enumerate((
            [], ["compat=0.10"], ["cluster_size=512"], ["cluster_size=2M"],
            ["extended_l2=on"], ["extended_l2=on", "cluster_size=16k"],
            ["data_file=data.raw"],
            ["data_file=data.raw", "data_file_raw=on"],
            ["preallocation=metadata"])):
        all_of(check, everything(f"disk{n}.qcow2", options=options))
    all_of(check, everything("disk.qed", image_format="qed"))
    all_of(check, everything("disk.vpc", image_format="vpc"))
    all_of(check, everything("fixed.vpc", image_format="vpc",
                             options=["subformat=fixed"]))
    all_of(check, everything("disk.raw", image_format="raw"))
    for compression in "zlib", "zstd":
        qemu.img("convert", "-c", "-f", "raw", "-O", "qcow2", "-o",
                 f"compression_type={compression}", "disk.raw",
                 "packed.qcow2")
        all_of(check, Disk.by_qemu("packed.qcow2"))
    all_of(check, disk_of("disk0.qcow2", "qcow2"), pipe=True)
    all_of(check, disk_of("disk.vpc", "vpc"), pipe=True)


def chains(check):
    """Chains, of formats and sizes."""
    for backing, image_format in (("disk.raw", "raw"), ("disk.vpc", "vpc"),
                                  ("disk.qed", "qed"),
                                  ("packed.qcow2", "qcow2")):
        for size, but in ((5 * MIB + 512, [Raw]), (11 * MIB, [Xva, Vhd])):
            all_of(check, make("over.qcow2", size, "write -P 9 0 1",
                               "write -P 8 3M 70k", "write -z 2M 64k",
                               "discard 2500k 64k",
                               f"write -P 7 {size - 1} 1",
                               backing=(backing, image_format)), *but)
    make("over2.qed", 7 * MIB, "write -P 5 4M 1M", image_format="qed",
         backing=("over.qcow2", "qcow2"))
    all_of(check, make("over3.qcow2", 9 * MIB, "write -P 6 4500k 4k",
                       options=["cluster_size=4k"],
                       backing=("over2.qed", "qed")))


def vhd_chains(check):
    base = vhd("base.vhd", 4 * MIB, (0, MIB), (2 * MIB + 512, 1024))
    vhd("child.vhd", 5 * MIB, (4096, 512), (4 * MIB, MIB),
        kind=vhd_image.DIFFERENCING, parent_uuid=base.uuid,
        parent_time=base.time, locators=libvhd_locators("base.vhd"))
    all_of(check, Disk.by_reader("child.vhd"))
    # A raw parent, and one that is larger than its child.
    vhd_image.Raw(random.Random(1).randbytes(3 * MIB)).write("parent.raw")
    vhd("over-raw.vhd", 2 * MIB + 512, (0, 512),
        kind=vhd_image.DIFFERENCING, locators=libvhd_locators("parent.raw"))
    all_of(check, Disk.by_reader("over-raw.vhd"))


def odd_disks(check):
    """What others failed at."""
    make("odd.qcow2", 3 * MIB + 512, f"write -P 5 {3 * MIB} 512")
    shutil.copy("odd.qcow2", "odd.whole")
    qcow2_edit.set_size("odd.qcow2", 3 * MIB + 77)
    all_of(check, Disk.by_qemu("odd.qcow2", size=3 * MIB + 77,
                               oracle="odd.whole"))
    # Holes of 4 KiB in a raw backing file; one subcluster of 2 KiB.
    raw("holes.raw", MIB, *((n * 12288, 4096) for n in range(80)))
    all_of(check, make("over-holes.qcow2", MIB,
                       backing=("holes.raw", "raw")))
    all_of(check, make("sub.qcow2", MIB, "write -P 1 514k 2k",
                       options=["extended_l2=on"]))
    # A zero cluster that has space of its own, over data.
    make("below.qcow2", MIB, "write -P 3 0 1M")
    all_of(check, make("zero.qcow2", MIB, "write -P 4 64k 64k",
                       "write -z 64k 64k", "write -z -u 256k 64k",
                       backing=("below.qcow2", "qcow2")))
    # Nothing at all, or all of it.
    for size in 512, 5 * MIB:
        all_of(check, make("nothing.qcow2", size))
        all_of(check, raw("full.raw", size, (0, size)))


def odd_vhds(check):
    """A footer that is missing, short, or behind nothing; stale bytes."""
    for warning, options in (
            ("footer", dict(end_footer=missing)),
            (None, dict(end_footer=cut_511)),
            ("footer copy", dict(footer_copy=zeroes)),
            ("footer", dict(padding=bytes(4096))),
            (None, dict(bat_entries=1000)), (None, dict(creator=b"caml")),
            ("sector-bitmaps=ignore", dict(creator=b"vpc ",
                                           chs=(100, 4, 17)))):
        vhd("odd.vhd", 4 * MIB, (0, 512), (3 * MIB, 4096), **options)
        disk = Disk.by_reader("odd.vhd")
        disk.warning = warning
        check.exports(disk, Raw(), Vhd())
    # Stale bytes of sectors that are not there do not come out.
    vhd("stale.vhd", 4 * MIB, (512, 512), stale=True)
    all_of(check, Disk.by_reader("stale.vhd"))
    all_of(check, Disk.by_reader("stale.vhd", "--sector-bitmaps=ignore",
                                 ignore_bitmaps=True))
    vhd("chs.vhd", 4 * MIB, (0, 512), chs=(50, 4, 17))
    all_of(check, Disk.by_reader("chs.vhd", "--size=chs", size="chs"))


def large(check):
    """Disks of terabytes."""
    far = make("far.qcow2", "5T", "write -P 1 0 1", "write -P 2 700G 200k",
               "write -P 3 4397509640192 300k", "write -P 4 5497558138368 512")
    all_of(check, far, Vhd)
    check.exports(raw("far.raw", 3 * TIB + 512, (0, 1), (2 * TIB, MIB),
                      (3 * TIB, 512)), Qcow2(), Xva(), Chunked())


def main():
    with Checker() as check:
        formats(check)
        chains(check)
        vhd_chains(check)
        odd_disks(check)
        odd_vhds(check)
        large(check)


if __name__ == "__main__":
    main()
