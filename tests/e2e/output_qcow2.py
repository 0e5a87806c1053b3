# SPDX-License-Identifier: BSD-3-Clause
"""Compare qcow2 outputs with exports: of all cluster sizes, widths of
refcounts and kinds of data file."""

import qemu
from export_check import GIB, MIB, TIB
from export_images import raw
from output_check import OutputChecker
from output_images import images

CLUSTERS = [512 << n for n in range(13)]
BITS = [1 << n for n in range(7)]


def passes(path):
    qemu.img("check", "-q", "-f", "qcow2", path)


def options_of(n):
    return (f"cluster-size={CLUSTERS[n % 13]}",
            f"refcount-bits={BITS[n % 7]}")


with OutputChecker("qcow2") as check:
    n = 0
    for path in images():
        check.same(path, then=passes)
        for data_file in (), ("data-file=data",), ("data-file-raw=data",):
            for n in range(n + 1, n + 4):
                check.same(path, *options_of(n), *data_file,
                           then=None if data_file else passes)
    for n in range(13):
        check.same("all.qcow2", *options_of(n), then=passes)
    # More than one L2 table, L1 clusters and refcount blocks; tables that
    # are empty between others that are not.
    raw("long.raw", 3 * GIB + 1, (0, 1), (GIB, MIB), (2 * GIB - 700, 1400),
        (3 * GIB, 1))
    for cluster in 2048, 4096, 65536:
        check.same("long.raw", f"cluster-size={cluster}", then=passes)
    qemu.create("huge.qcow2", "qcow2", 63 * TIB)
    qemu.io("huge.qcow2", "qcow2", ["write -P 1 100G 1", "write -P 2 31T 3M",
                                    f"write -P 3 {63 * TIB - 1} 1"])
    check.same("huge.qcow2", then=passes)
    check.same("huge.qcow2", "cluster-size=2M", then=passes)
    # The last refcount block is just full, or has one entry.
    for clusters in range(119, 129):
        raw("block.raw", clusters * 512, (0, clusters * 512))
        check.same("block.raw", "cluster-size=512", "refcount-bits=32",
                   then=passes)

    check.refused("all.qcow2", "cluster-size", "cluster-size=513")
    check.refused("all.qcow2", "cluster-size", "cluster-size=4M")
    check.refused("all.qcow2", "refcount-bits", "refcount-bits=3")
    check.refused("all.qcow2", "data-file-raw", "data-file=a",
                  "data-file-raw=b")
    check.refused("all.qcow2", "compression", "compression=zlib")
    check.refused("all.qcow2", "names do not fit.* than cluster-size=512",
                  "cluster-size=512", "data-file=" + 500 * "x")
    raw("large.raw", 1 << 40)
    check.refused("large.raw", "larger clusters than cluster-size=512",
                  "cluster-size=512")
