#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make a chain with a bit of everything: top.qcow2 over middle.qcow2 over
base.raw, with data, zeros, holes and compressed clusters.

  mixed_chain.py MIB COUNT COUNT COUNT

The disk's size, and how many commands write to each file, base first.
VDISK_SEED says which.
"""

import os
import random
import sys

import qemu
import randomops


def main():
    size, *counts = map(int, sys.argv[1:])
    size <<= 20
    rng = random.Random(os.environ["VDISK_SEED"])
    patterns = randomops.make_patterns(rng)

    def fill(path, image_format, cluster, count, **weights):
        commands = randomops.RandomOps(rng, size, cluster, weights,
                                       patterns).commands(count)
        packed = [c for c in commands if c.startswith("write -c")]
        others = [c for c in commands if not c.startswith("write -c")]
        for turn in filter(None, (packed, others)):
            qemu.io(path, image_format, turn)

    qemu.create("base.raw", "raw", size)
    fill("base.raw", "raw", 4096, counts[0], write=3, zero=1)
    qemu.create("middle.qcow2", "qcow2", size, ["cluster_size=4k"],
                ("base.raw", "raw"))
    fill("middle.qcow2", "qcow2", 4096, counts[1], write=3, zero=1,
         compressed=5)
    qemu.create("top.qcow2", "qcow2", size, ["cluster_size=64k"],
                ("middle.qcow2", "qcow2"))
    fill("top.qcow2", "qcow2", 65536, counts[2], write=1, zero=1,
         compressed=3)


if __name__ == "__main__":
    main()
