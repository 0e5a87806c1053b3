#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""vdisk export -O qcow2 --diff: exactly the clusters in which two disks
differ, whatever their formats and sizes, and whether or not one is based on
the other."""

import shutil

import qemu
import vhd_image
from export_check import Checker, Disk, MIB, Qcow2
from export_images import disk_of, make, raw, vhd

# A base in several formats, and changes: data over holes, over data, over
# zeros, the same data again, zeros over data in three ways.
BASE = ["write -P 1 0 1M", "write -P 2 2M 512k", "write -P 3 5M 1000k",
        "write -P 0 7M 128k"]
CHANGES = ["write -P 9 100k 1", "write -P 1 512k 128k", "write -P 9 1200k 90k",
           "write -z 2M 64k", "write -P 0 2176k 128k",
           "write -z 2304k 10k", "write -P 0 5M 3k", "write -P 9 7M 4k",
           "discard 5300k 64k", "write -z 7400k 64k", "write -P 0 7500k 64k",
           "write -P 3 8190k 2k"]


def converted():
    """The same disk as model.qcow2, in formats of others."""
    for image_format in "raw", "qed", "vpc":
        path = f"base.{image_format}"
        options = ["-o", "force_size=on"] if image_format == "vpc" else []
        qemu.img("convert", "-f", "qcow2", "-O", image_format, *options,
                 "model.qcow2", path)
        yield disk_of(path, image_format)


def onto_formats(check, top, bases):
    model = bases[0]
    for base in bases:
        check.exports(top, Qcow2(diff=base),
                      Qcow2(diff=base, backing=base.path),
                      Qcow2(diff=base, backing=base.path, detect=True),
                      Qcow2(diff=base, backing=base.path, compression="zlib"))
    for cluster in 512, "4k", "2M":
        check.exports(top, Qcow2(cluster, diff=model,
                                 backing="model.qcow2", bits=8))
    check.exports(top, Qcow2(diff=model, backing="model.qcow2"),
                  Qcow2(diff=bases[1]), pipe=True)
    # The format that is recorded can be told.
    shutil.copy("base.raw", "other.img")
    check.exports(top, Qcow2(diff=bases[1], backing="other.img",
                             backing_format="raw"))


def all_or_nothing(check, top, bases):
    """Nothing has changed; everything has; against nothing."""
    model = bases[0]
    check.exports(model, *(Qcow2(diff=base, backing=base.path)
                           for base in bases))
    check.exports(raw("a.raw", 3 * MIB, (0, 3 * MIB)), Qcow2(
        diff=raw("b.raw", 3 * MIB, (0, 3 * MIB)), backing="b.raw"))
    nothing = raw("nothing.raw", 8 * MIB)
    check.exports(top, Qcow2(diff=nothing, backing="nothing.raw"))
    check.exports(nothing, Qcow2(diff=model, backing="model.qcow2"),
                  Qcow2(diff=nothing), Qcow2("4k", diff=model, detect=True))


def overlays(check, bases):
    """An overlay against what it is based on, which it shares."""
    model = bases[0]
    overlay = make("overlay.qcow2", "8M", *CHANGES,
                   backing=("model.qcow2", "qcow2"))
    check.exports(overlay, Qcow2(diff=model, backing="model.qcow2"),
                  Qcow2(diff=overlay))
    middle = make("middle.qcow2", "8M", "write -P 7 6M 80k",
                  backing=("base.vpc", "vpc"))
    check.exports(middle, Qcow2(diff=bases[3], backing="base.vpc"),
                  Qcow2("4k", diff=model, backing="model.qcow2"))


def sizes(check, top, bases):
    """Longer and shorter than the base, by nothing whole."""
    model = bases[0]
    for size in 512, 3 * MIB + 512, 8 * MIB - 512, 8 * MIB + 512, 20 * MIB:
        changes = ["write -P 8 0 1", f"write -P 8 {size - 300} 300"]
        sized = make("sized.qcow2", size, *changes)
        check.exports(sized, *(Qcow2(diff=base, backing=base.path)
                               for base in bases[:2]))
    for size in 1, 70001, 8 * MIB - 1, 8 * MIB + 1:
        odd = raw("odd.raw", size, (size - 1, 1))
        check.exports(odd, Qcow2(diff=model, backing="model.qcow2"))
        check.exports(top, Qcow2(diff=odd, backing="odd.raw"))


def chains(check, model):
    """Chains at random, against one another."""
    for n in range(6):
        one = make(f"one{n}.qcow2", "2M", count=12, cluster=4096,
                   options=["cluster_size=4k"], backing=("model.qcow2",
                                                         "qcow2"))
        two = make(f"two{n}.qcow2", "2M", count=12,
                   backing=(f"one{n}.qcow2", "qcow2"))
        check.exports(two, Qcow2(diff=one, backing=one.path),
                      Qcow2(diff=model, backing=model.path))
        check.exports(one, Qcow2("1k", diff=two, backing=two.path))


def vhd_below(check):
    """A differencing VHD: QEMU cannot read it, so the reader of VHDs does."""
    base = vhd("base.vhd", 4 * MIB, (0, MIB), (2 * MIB, 512))
    vhd("child.vhd", 4 * MIB, (512, 512), (3 * MIB, 4096),
        kind=vhd_image.DIFFERENCING, parent_uuid=base.uuid,
        parent_time=base.time, locators=vhd_image.libvhd_locators("base.vhd"))
    below, child = Disk.by_reader("base.vhd"), Disk.by_reader("child.vhd")
    check.exports(child, Qcow2(diff=below, backing="base.vhd"))
    check.exports(below, Qcow2(diff=child))


def main():
    with Checker() as check:
        model = make("model.qcow2", "8M", *BASE)
        top = make("top.qcow2", "8M", *BASE, *CHANGES)
        bases = [model, *converted()]
        onto_formats(check, top, bases)
        all_or_nothing(check, top, bases)
        overlays(check, bases)
        sizes(check, top, bases)
        chains(check, model)
        vhd_below(check)


if __name__ == "__main__":
    main()
