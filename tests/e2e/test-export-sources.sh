#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export of every kind of source to every output.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

python3 - <<'END'
from export_check import *
from export_images import *
import qcow2_edit
import random
import shutil
import vhd_image
from vhd_image import cut_511, libvhd_locators, missing, zeroes


def all_of(check, disk, *but, **options):
    check.exports(disk, *(way() for way in ALL if way not in but), **options)


with Checker() as check:
    # --- Formats
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

    # --- Chains, of formats and sizes
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

    # --- What others failed at
    # The end of the disk is in the middle of a cluster, and of a sector.
    disk = make("odd.qcow2", 3 * MIB + 512, f"write -P 5 {3 * MIB} 512")
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
    # A footer that is missing, short, or behind nothing.
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

    # --- Disks of terabytes
    far = make("far.qcow2", "5T", "write -P 1 0 1", "write -P 2 700G 200k",
               "write -P 3 4397509640192 300k", "write -P 4 5497558138368 512")
    all_of(check, far, Vhd)
    check.exports(raw("far.raw", 3 * TIB + 512, (0, 1), (2 * TIB, MIB),
                      (3 * TIB, 512)), Qcow2(), Xva(), Chunked())
END

# --- How the source is opened

error 'raw is never guessed' disk.raw out
mkdir sub
qemu-img create -q -f qcow2 -b "$tmp/disk0.qcow2" -F qcow2 sub/over.qcow2
error 'backing-dir' -O qcow2 sub/over.qcow2 out
"$VDISK" export -O qcow2 --backing-dir="$tmp" sub/over.qcow2 out
assert_same_content qcow2 disk0.qcow2 qcow2 out
# What is a QCOW2 inside is a raw disk if told so.
"$VDISK" export --format=raw disk0.qcow2 out
cmp disk0.qcow2 out
checked "--format=raw"
"$VDISK" export -O qcow2 --cache-size=64k --host-holes=off disk0.qcow2 out
assert_same_content qcow2 disk0.qcow2 qcow2 out

rm out

# Somebody writes it.
start_writer disk0.qcow2 qcow2
error 'disk0.qcow2: another program' disk0.qcow2 out
"$VDISK" export -O qcow2 --force-share disk0.qcow2 busy
checked "--force-share"
stop_server

# An image that ends before its data does: what is not there is not zeros.
cp disk0.qcow2 short.qcow2
truncate -s -65536 short.qcow2
for output in "${outputs[@]}"; do
    error 'short.qcow2: ' -O "$output" short.qcow2 out
done
