# SPDX-License-Identifier: BSD-3-Clause
"""Images of every format whose outputs are compared: small, of all sizes,
with all kinds of extents, chains and empty ones among them."""

from export_check import KIB, MIB
from export_images import everything, make, raw, vhd


def images():
    """Their paths."""
    paths = []

    def add(disk, path):
        del disk
        paths.append(path)

    add(everything("all.qcow2", options=["cluster_size=4k"]), "all.qcow2")
    add(make("base.vpc", "5M", "write -P 1 0 100k", "write -P 2 4M 70k",
             image_format="vpc"), "base.vpc")
    add(make("top.qcow2", "9M", "write -z 0 64k", "write -P 3 8M 1",
             "write -P 4 4100k 3k", backing=("base.vpc", "vpc")),
        "top.qcow2")
    add(make("some.qed", "6M", image_format="qed", count=20), "some.qed")
    add(vhd("some.vhd", 7 * MIB, (0, 512), (3 * MIB + 512, 1024),
            (7 * MIB - 512, 512)), "some.vhd")
    add(raw("empty.raw", 0), "empty.raw")
    add(raw("holes.raw", 3 * MIB), "holes.raw")
    add(raw("byte.raw", 1, (0, 1)), "byte.raw")
    add(raw("odd.raw", 5 * MIB + 300, (0, 1), (2 * MIB, 64 * KIB),
            (5 * MIB + 299, 1)), "odd.raw")
    add(raw("full.raw", MIB + 512, (0, MIB + 512)), "full.raw")
    return paths
