#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""vdisk export -O chunked: what chunks there are of disks of all sizes, and
that exactly the data is in them."""

import chunked_reader
from export_check import Checker, Chunked, Disk, MIB, TIB, run
from export_images import everything, make, raw, vhd


def disks(check):
    disk = everything("disk.qcow2")
    check.exports(disk, Chunked(), Chunked(detect=True))
    check.exports(disk, Chunked(), Chunked(detect=True), pipe=True)


def ends(check):
    """Data is rounded to 4 KiB, but not beyond the end of the disk."""
    for size in 1, 511, 4095, 4096, 4097, MIB + 5, 5 * MIB + 4095:
        check.exports(raw("ends.raw", size, (0, 1), (size - 1, 1)),
                      Chunked(), Chunked(detect=True))
    for size in 0, 1, 8 * MIB:
        check.exports(raw("empty.raw", size), Chunked())
        check.exports(raw("empty.raw", size), Chunked(), pipe=True)


def contents(check):
    """All of it is data; much of it is; little, and far away."""
    check.exports(raw("full.raw", 5 * MIB + 1, (0, 5 * MIB + 1)), Chunked())
    check.exports(make("small.qcow2", "4M", count=60, cluster=512,
                       options=["cluster_size=512"]),
                  Chunked(), Chunked(detect=True))
    check.exports(make("far.qcow2", "5T", "write -P 1 700G 200k",
                       f"write -P 4 {5 * TIB - 512} 512",
                       options=["cluster_size=256k"]), Chunked())


def sectors(check):
    """Sectors that share 4 KiB, and some that do not."""
    vhd("sectors.vhd", 4 * MIB, *((n * 2560, 512) for n in range(300)),
        (3 * MIB - 512, 1024))
    check.exports(Disk.by_reader("sectors.vhd"), Chunked())


def zeros(check):
    """Written zeros are data, unless they are looked for."""
    disk = make("zeros.qcow2", "8M", "write -P 0 0 4M", "write -P 1 6M 1")
    check.exports(disk, Chunked(), Chunked(detect=True))
    run("-O", "chunked", "--detect-zeroes", "zeros.qcow2", "zeros.chunked")
    check.equal("zeros are no data if they are looked for",
                chunked_reader.read("zeros.chunked", 8 * MIB)[0][0] >= 4 *
                MIB, True)


def main():
    with Checker() as check:
        disks(check)
        ends(check)
        contents(check)
        sectors(check)
        zeros(check)


if __name__ == "__main__":
    main()
