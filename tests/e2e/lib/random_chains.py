#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make random chains of images that mix formats and verify each.

  random_chains.py --count 40 --depth 2-6

The base is raw, QCOW2, QED or a dynamic VHD, the overlays are QCOW2 and
QED; sizes, cluster sizes and versions differ from layer to layer.  Seeds
as for random_images.py.
"""

import argparse
import os
import random
import shlex
import sys

import qcow2_edit
import qemu
import randomops
from random_images import SEED, remove, run
from randomops import RandomOps, parse_size
from verify import FAILURES, verify

WEIGHTS = {"write": 6, "zero": 2, "unmap": 1, "discard": 2}


class ChainMaker:
    """Makes the layers of one chain, from the base up."""

    def __init__(self, args, number, rng, patterns):
        self.args = args
        self.rng = rng
        self.patterns = patterns
        self.prefix = "chain%d-" % number
        self.least, self.most = map(parse_size, args.size.split("-"))
        self.size = rng.randrange(self.least, self.most)
        self.told = []

    def _next_size(self):
        """Like the layer below, or longer, or shorter."""
        rng = self.rng
        size = self.size
        kind = rng.random()
        if kind < 0.3:
            size += rng.choice([512, 4096, 65536, 1 << 20]) * \
                rng.randrange(1, 5)
        elif kind < 0.5:
            size -= rng.randrange(size // 3)
        elif kind < 0.6:
            size = rng.randrange(self.least, self.most)
        return max(size - size % 512, 512)

    def _qcow2_options(self):
        rng = self.rng
        cluster = rng.choice([512, 1024, 4096, 16384, 65536, 65536, 1 << 18,
                              1 << 21])
        options = []
        if rng.random() < 0.25:
            options.append("compat=0.10")
        elif cluster >= 16384 and rng.random() < 0.4:
            options.append("extended_l2=on")
        return cluster, options

    def _qed_options(self):
        return (self.rng.choice([4096, 8192, 65536, 1 << 20]),
                ["table_size=%d" % self.rng.choice([2, 4, 8, 16])])

    def _base(self, path, kind):
        rng = self.rng
        if kind == "raw":
            size = self.size - rng.choice([0, 0, 0, rng.randrange(512)])
            with open(path, "wb") as f:
                f.truncate(size)
            return 4096
        if kind == "vpc":
            qemu.create(path, "vpc", self.size - self.size % 512,
                        rng.choice([(), ("force_size=on",)]))
            return 65536
        return None

    def layer(self, number, below):
        """Make one layer over 'below' (path, format).  Gives its own."""
        rng = self.rng
        kinds = ["qcow2", "qcow2", "qcow2", "qed"]
        if below is None:
            kinds = ["raw", "raw", "qcow2", "qed", "vpc"]
        kind = rng.choice(kinds)
        path = "%s%d.%s" % (self.prefix, number, kind)
        cluster = self._base(path, kind)
        if cluster is None:
            cluster, options = getattr(self, "_%s_options" % kind)()
            size = self._next_size()
            if below and below[1] == "vpc" and rng.random() < 0.7:
                size = qemu.chain(*below)[0].size
            options.append("cluster_size=%d" % cluster)
            qemu.create(path, kind, size, options, below)
            if kind == "qcow2" and below and below[1] != "raw" and \
                    rng.random() < 0.2:
                qcow2_edit.forget_backing_format(path)
        self.size = qemu.chain(path, kind)[0].size
        self.told.append("%s %d/%d" % (kind, self.size, cluster))
        self._write(path, kind, cluster)
        return path, kind

    def _write(self, path, kind, cluster):
        rng = self.rng
        least, most = map(int, self.args.commands.split("-"))
        ops = RandomOps(rng, self.size, cluster, WEIGHTS, self.patterns,
                        longest=max(1 << 19, cluster))
        # Of an odd raw file QEMU would write the whole last sector.
        size = os.stat(path).st_size
        commands = ops.commands(rng.randrange(least, most + 1))
        if commands:
            qemu.io(path, kind, commands, unmap=rng.random() < 0.5)
        if kind == "raw" and rng.random() < 0.7:
            os.truncate(path, size)

    def make(self):
        """The whole chain.  Gives path and format of the top."""
        least, most = map(int, self.args.depth.split("-"))
        below = None
        for number in range(self.rng.randrange(least, most + 1)):
            below = self.layer(number, below)
        return below


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--depth", default="2-6", metavar="LEAST-MOST")
    parser.add_argument("--size", default="100k-10M", metavar="LEAST-MOST")
    parser.add_argument("--commands", default="0-25",
                        help="how many commands a layer, least-most")
    args = parser.parse_args()
    patterns = randomops.make_patterns(random.Random(SEED))

    def one(number, rng):
        maker = ChainMaker(args, number, rng, patterns)
        try:
            path, image_format = maker.make()
            verify(path, image_format, rng=rng)
        except FAILURES:
            print("chain, base first: " + ", ".join(maker.told))
            raise
        finally:
            remove(maker.prefix)

    return run(args.count, one, shlex.join(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
