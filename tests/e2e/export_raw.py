#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""vdisk export to raw: sparse files, files that are allocated, pipes; holes
are kept, and found if they are looked for."""

from export_check import Checker, MIB, Raw
from export_images import everything, make, raw

WAYS = Raw(), Raw(detect=True), Raw(prealloc=True)


def contents(check):
    disk = everything("disk.qcow2")
    check.exports(disk, *WAYS)
    check.exports(disk, *WAYS[:2], pipe=True)


def raw_files(check):
    """A file of the same kind, whose holes are kept, and whose data ends
    anywhere."""
    for size in 1, 511, 4096, 70001, 5 * MIB + 77:
        middle = size // 2
        disk = raw("odd.raw", size, (0, 1), (middle, min(5000, size) // 2),
                   (size - 1, 1))
        check.exports(disk, *WAYS)
        check.exports(disk, Raw(), pipe=True)
    disk = raw("long.raw", 40 * MIB, (MIB, 9 * MIB), (20 * MIB + 1, MIB))
    check.exports(disk, *WAYS)


def nothing(check):
    """Nothing at all."""
    for size in 0, 5 * MIB:
        check.exports(raw("empty.raw", size), *WAYS)
        check.exports(raw("empty.raw", size), Raw(), pipe=True)


def elsewhere(check):
    """Data in the source's file that is not where it is on the disk."""
    check.exports(make("small.qcow2", count=40, cluster=512,
                       options=["cluster_size=512"]), *WAYS)
    check.exports(make("large.qcow2", "20M", count=20,
                       options=["cluster_size=2M"]), *WAYS)


def main():
    with Checker() as check:
        contents(check)
        raw_files(check)
        nothing(check)
        elsewhere(check)


if __name__ == "__main__":
    main()
