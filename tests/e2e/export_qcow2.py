#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""vdisk export -O qcow2: layout and content of disks of all sizes."""

from export_check import Checker, MIB, Qcow2, TIB
from export_images import everything, make, raw


def contents(check):
    disk = everything("disk.qcow2")
    check.exports(disk, Qcow2(), Qcow2(detect=True))
    check.exports(disk, Qcow2(), pipe=True)
    check.exports(make("zeros.qcow2", "8M", "write -P 0 0 2M",
                       "write -P 1 3M 1", "write -P 0 7M 1M"),
                  Qcow2(), Qcow2(detect=True))


def sizes(check):
    """Disks that are not whole clusters, and those around the borders of
    clusters and tables."""
    for size in (512, 4096, 65536 - 512, 65536, 65536 + 512,
                 (512 << 20) - 512, 512 << 20, (512 << 20) + 512):
        check.exports(raw("size.raw", size, (0, 1), (size - 1, 1)), Qcow2())
    for size in 1, 511, 513, 65535, 65537, 3 * MIB + 1:
        check.exports(raw("odd.raw", size, (size - 1, 1)), Qcow2())


def none_and_all(check):
    """Without data there are no L2 tables, and of no disk no L1."""
    for size in 0, 512, 10 * MIB, 5 * TIB:
        check.exports(raw("empty.raw", size), Qcow2())
        check.exports(raw("empty.raw", size), Qcow2(), pipe=True)
    # All of it is data.
    check.exports(raw("full.raw", 3 * MIB, (0, 3 * MIB)), Qcow2(),
                  Qcow2(cluster=512))


def far_apart(check):
    """Far apart, and more than a cluster of L1; this takes several refcount
    blocks with the smallest clusters."""
    far = make("far.qcow2", "5T", "write -P 1 0 1", "write -P 2 700G 200k",
               "write -P 3 4397509640192 300k", "write -P 4 5497558138368 512",
               options=["cluster_size=256k"])
    check.exports(far, Qcow2())
    check.exports(far, Qcow2(cluster="2M"))
    check.exports(make("wide.qcow2", "300M", count=40, cluster=512,
                       longest=3 * MIB),
                  Qcow2(cluster=512), Qcow2(cluster=512, detect=True))


def edges(check):
    """Data that begins and ends anywhere in a cluster, and from one to
    another."""
    check.exports(raw("edges.raw", 8 * MIB, (65535, 2), (262144 - 4096, 4096),
                      (327680, 4096), (5 * MIB + 4096, 3 * 65536)),
                  Qcow2(), Qcow2(cluster=4096), Qcow2(cluster="2M"))


def main():
    with Checker() as check:
        contents(check)
        sizes(check)
        none_and_all(check)
        far_apart(check)
        edges(check)


if __name__ == "__main__":
    main()
