#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Chains of VHDs, and of QCOW2, QED, raw and VHDs mixed, at random: their
layers, and differences of those.

  views_chains.py --count 20 KIND

KIND is vhd or mixed.  All layers together are the active disk; each layer of
a mixed chain alone is what QEMU reads of it.  Seeds as for random_images.py.
"""

import argparse
import itertools
import os
import random
import shlex
import shutil
import sys

import expect
import qemu
import randomops
import servers
import vhd_random
import views
from random_chains import ChainMaker
from random_images import SEED, remove, run
from verify import FAILURES, Mismatch, count_check

DIFFERENCES = 12


def check_chain(path, params, layers, oracle, rng):
    """'oracle' gives the bytes of a layer alone, or None."""
    with servers.vdisk(path, *params) as server:
        names = views.names_of(server)
        if names != ["active"] + ["layer/%d" % n for n in range(layers)]:
            raise Mismatch("exports: %s" % names)
        active = views.View(server, "active")
        together = views.View(server, "layer/0-%d" % (layers - 1))
        together.must_have(active.data, "the active disk")
        several = [active]
        for n in range(layers):
            view = views.View(server, "layer/%d" % n)
            content = oracle(n)
            if content is not None:
                view.must_have(content, "the layer alone")
            several.append(view)
        for _ in range(3):
            first, last = sorted(rng.choices(range(layers), k=2))
            several.append(views.View(server, "layer/%d-%d" % (first, last)))
        pairs = list(itertools.product(several, repeat=2))
        for a, b in rng.sample(pairs, min(len(pairs), DIFFERENCES)):
            views.check_difference(server, a, b)
    if server.errors and "warning: " not in server.errors:
        raise Mismatch("nbdkit printed: " + server.errors)
    count_check(1, len(several) + DIFFERENCES)


def vhd(number, rng):
    directory = "vhd%d" % number
    try:
        case = vhd_random.make_case("chain", SEED, number, directory)
        with open(case["raw"], "rb") as f:
            content = f.read()

        def oracle(_):
            return None

        check_chain(case["image"], ["backing-dir=/", "format=vhd"],
                    len(case["files"]), oracle, rng)
        with servers.vdisk(case["image"], "backing-dir=/",
                           "export=layer/0-%d" % (len(case["files"]) - 1)
                           ) as server:
            views.View(server, "any name").must_have(content, "the disk")
    finally:
        if not os.environ.get("VDISK_KEEP"):
            shutil.rmtree(directory, ignore_errors=True)


def mixed(args, patterns):
    def one(number, rng):
        maker = ChainMaker(args, number, rng, patterns)
        try:
            path, image_format = maker.make()
            layers = qemu.chain(path, image_format)
            expect.settle_chain(layers)

            def oracle(n):
                if layers[n].format != "raw":
                    return views.whole_layer(layers[n].path,
                                             layers[n].format)
                # QEMU makes a raw disk end with a sector.
                with open(layers[n].path, "rb") as f:
                    return f.read()

            check_chain(path, ["backing-dir=/"], len(layers), oracle, rng)
        except FAILURES:
            print("chain, base first: " + ", ".join(maker.told))
            raise
        finally:
            remove(maker.prefix)
    return one


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("kind", choices=["vhd", "mixed"])
    args = parser.parse_args()
    args.size, args.commands, args.depth = "100k-3M", "0-15", "2-5"
    patterns = randomops.make_patterns(random.Random(SEED))
    one = vhd if args.kind == "vhd" else mixed(args, patterns)
    return run(args.count, one, shlex.join(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
