#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""vdisk export -O qcow2 with compression: methods, levels and cluster sizes;
contents that compress well, a little, and not at all."""

import os
import random

import qcow2_layout
import qemu
from export_check import Checker, Chunked, Disk, MIB, Qcow2, Raw, Vhd, Xva, run
from export_images import everything, raw, raw_disk


def settings(check):
    disk = everything("disk.qcow2")
    for compression in "zlib", "zstd":
        check.exports(disk, Qcow2(compression=compression))
        for cluster in 512, "4k", "2M":
            check.exports(disk, Qcow2(cluster, compression=compression))
        for level in 1, 9:
            check.exports(disk, Qcow2(compression=compression, level=level))
        check.exports(disk, Qcow2(compression=compression, bits=64))


def mixtures(check):
    """What does not compress, what does, and what compresses to almost
    nothing, so that hundreds of clusters share one of the file."""
    rng = random.Random(1)
    with open("mixed.raw", "wb") as file:
        for n in range(40):
            file.write(rng.choice([rng.randbytes(65536), b"a" * 65536,
                                   bytes(65536), b"%07d\n" % n * 8192,
                                   rng.randbytes(40000).ljust(65536, b"x")]))
        file.write(rng.randbytes(100))
    mixed = raw_disk("mixed.raw")
    check.exports(mixed, *(Qcow2(cluster, compression=compression)
                           for cluster in (None, "4k", "1M")
                           for compression in ("zlib", "zstd")))
    return mixed


def letters(check):
    """Each cluster is one byte, over and over."""
    with open("letters.raw", "wb") as file:
        for n in range(160):
            file.write(bytes([n + 1]) * 65536)
    check.exports(raw_disk("letters.raw"), Qcow2(compression="zlib"),
                  Qcow2(compression="zstd"))


def many_in_one_cluster(check):
    """Many more than 255 share a cluster."""
    with open("more.raw", "wb") as file:
        for n in range(9000):
            file.write(b"%c" % (n % 250 + 1) * 2048)
    check.exports(raw_disk("more.raw"),
                  Qcow2(2048, compression="zlib"),
                  Qcow2(2048, compression="zstd"))


def sizes(check):
    for size in 0, MIB:
        check.exports(raw("empty.raw", size), Qcow2(compression="zlib"))
    for size in 1, 512, 65537, 3 * MIB + 77:
        check.exports(raw("odd.raw", size, (0, 1), (size - 1, 1)),
                      Qcow2(compression="zlib"), Qcow2(compression="zstd"))


def compressed_already(check):
    """What the source has compressed."""
    qemu.img("convert", "-c", "-f", "raw", "-O", "qcow2", "mixed.raw",
             "packed.qcow2")
    packed = Disk.by_qemu("packed.qcow2")
    check.exports(packed, Raw(), Qcow2(), Vhd(), Xva(), Chunked(),
                  Qcow2(compression="zlib"), Qcow2(compression="zstd"))


def worth_it(check, mixed):
    """What compresses takes little, and noise is not made longer."""
    run("-O", "qcow2", "--compression=zlib", "--format=raw", "letters.raw",
        "small.qcow2")
    check.equal("10 MiB of letters take little", os.path.getsize(
        "small.qcow2") < MIB, True)
    run("-O", "qcow2", "-c", "--format=raw", "mixed.raw", "c.qcow2")
    layout = qcow2_layout.Layout("c.qcow2", compression="zlib")
    noise = [n for n in range(40) if len(set(mixed.bytes_at(
        n * 65536 + 50000, (n + 1) * 65536))) > 200]
    check.equal("noise is stored as it is", layout.data, noise)


def main():
    with Checker() as check:
        settings(check)
        mixed = mixtures(check)
        letters(check)
        many_in_one_cluster(check)
        sizes(check)
        compressed_already(check)
        worth_it(check, mixed)


if __name__ == "__main__":
    main()
