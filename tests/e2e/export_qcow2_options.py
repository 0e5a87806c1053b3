#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""vdisk export -O qcow2: every cluster size and width of refcounts, and data
files."""

from export_check import Checker, MIB, Qcow2
from export_images import everything, raw

CLUSTERS = [512, "1k", 2048, "4k", "8k", "16k", "32k", 65536, "128k", "256k",
            "512k", "1M", "2M"]
BITS = [1, 2, 4, 8, 16, 32, 64]


def clusters_and_widths(check, disk):
    for n, cluster in enumerate(CLUSTERS):
        check.exports(disk, Qcow2(cluster, BITS[n % 7]))
    for n, bits in enumerate(BITS):
        check.exports(disk, Qcow2(CLUSTERS[n * 5 % 4], bits), pipe=True)


def refcount_blocks(check):
    """Several refcount blocks, and a table of several clusters."""
    full = raw("full.raw", 2 * MIB, (0, 2 * MIB))
    for bits in BITS:
        check.exports(full, Qcow2(512, bits))
    # The last refcount block is just full, or has one entry.
    for clusters in range(119, 129):
        check.exports(raw("block.raw", clusters * 512, (0, clusters * 512)),
                      Qcow2(512, 32))


def data_files(check, disk):
    for cluster in 512, "4k", None, "2M":
        check.exports(disk, Qcow2(cluster, data_file="data.raw"))
        check.exports(disk, Qcow2(cluster, data_file="d", raw_data=True))
    check.exports(disk, Qcow2(data_file="data.raw"),
                  Qcow2(data_file="data.raw", raw_data=True, bits=64),
                  pipe=True)
    check.exports(raw("odd.raw", MIB + 1, (MIB, 1)),
                  Qcow2(data_file="x", raw_data=True),
                  Qcow2(data_file="x"))
    for size in 0, MIB:
        check.exports(raw("empty.raw", size),
                      Qcow2(data_file="y", raw_data=True),
                      Qcow2(data_file="y"))


def main():
    with Checker() as check:
        disk = everything("disk.qcow2", options=["cluster_size=4k"])
        clusters_and_widths(check, disk)
        refcount_blocks(check)
        data_files(check, disk)


if __name__ == "__main__":
    main()
