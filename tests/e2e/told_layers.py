#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Chains by the user's word: layers of QCOW2 and QED that record nothing, or
something that is not so, over a base of any format, at random.

  told_layers.py --count 20

What the options layer and layer-format make of them is what QEMU makes of a
json: name that says the same.  With layer=none each is what QEMU reads of it
over nothing.  Seeds as for random_images.py.
"""

import argparse
import json
import os
import random
import shlex
import sys

import qemu
import randomops
import servers
import views
from random_images import SEED, remove, run
from verify import FAILURES, Mismatch, count_check

VDISK = os.environ["VDISK"]
WEIGHTS = {"write": 6, "zero": 2, "unmap": 1, "discard": 2}
CLUSTERS = {"qcow2": [512, 4096, 65536, 1 << 18],
            "qed": [4096, 65536, 1 << 20]}


class Layer:
    """One image.  'named' is what an option has to say of its format, None
    if nothing."""

    def __init__(self, path, kind, named):
        self.path, self.kind, self.named = path, kind, named


def make_layer(rng, path, kind, patterns, is_base):
    size = rng.randrange(200, 6000) * 512
    cluster = 4096
    named = None
    if kind in CLUSTERS:
        cluster = rng.choice(CLUSTERS[kind])
        options = ["cluster_size=%d" % cluster]
        if kind == "qcow2" and rng.random() < 0.3:
            options.append("compat=0.10")
        qemu.create(path, kind, size, options)
    else:
        qemu.create(path, kind, size)
        named = "raw" if kind == "raw" else "vhd"
    size = qemu.chain(path, kind)[0].size
    ops = randomops.RandomOps(rng, size, cluster, WEIGHTS, patterns,
                              longest=max(1 << 19, cluster))
    commands = ops.commands(rng.randrange(1, 15))
    if commands:
        qemu.io(path, kind, commands, unmap=rng.random() < 0.5)
    # What is recorded must not matter: a file that is not there, of a
    # format nobody knows, or that is the wrong one.
    if kind == "qcow2" and not is_base and rng.random() < 0.4:
        qemu.img("rebase", "-q", "-u", "-f", kind, "-b", "gone.img",
                 "-F", rng.choice(["raw", "qcow2", "vmdk"]), path)
        named = "qcow2"
    return Layer(path, kind, named)


def make_chain(rng, prefix, patterns):
    """The top first."""
    count = rng.randrange(2, 6)
    layers = []
    for n in range(count):
        is_base = n == count - 1
        kind = rng.choice(["raw", "vpc", "qcow2", "qed"] if is_base
                          else ["qcow2", "qcow2", "qed"])
        path = "%s%d.img" % (prefix, n)
        layers.append(make_layer(rng, path, kind, patterns, is_base))
    # A child that records a format says it for the next one.
    for child, layer in zip(layers, layers[1:]):
        if child.named == "qcow2" or layer.kind == "raw" or \
                rng.random() < 0.3:
            layer.named = {"vpc": "vhd"}.get(layer.kind, layer.kind)
    return layers


def qemu_name(layers):
    """The json: name that QEMU is to open."""
    node = None
    for layer in reversed(layers):
        file = {"driver": "file", "filename": layer.path}
        over = {"driver": layer.kind, "file": file}
        if layer.kind in CLUSTERS:
            over["backing"] = node
        node = over
    return "json:" + json.dumps(node)


def options_of(layers, rng):
    """Names and values of options, in one of the ways to say them."""
    options = [("layer", layer.path) for layer in layers[1:]]
    if rng.random() < 0.5:
        return options + [("layer-format", "%d:%s" % (n + 1, layer.named))
                          for n, layer in enumerate(layers[1:])
                          if layer.named]
    options = []
    for layer in layers[1:]:
        options.append(("layer", layer.path))
        if layer.named:
            options.append(("layer-format", layer.named))
    return options


def content(path):
    with open(path, "rb") as f:
        return f.read()


def by_qemu(layers, to):
    qemu.img("convert", "-O", "raw", qemu_name(layers), to)
    return content(to)


def by_tool(layers, options, to):
    qemu.run(VDISK, "export", "-O", "raw",
             *["--%s=%s" % option for option in options], layers[0].path, to)
    return content(to)


def must_be(found, wanted, what):
    if found != wanted:
        raise Mismatch("%s: %d bytes, QEMU has %d, or others" % (
            what, len(found), len(wanted)))


def check(layers, rng):
    options = options_of(layers, rng)
    wanted = by_qemu(layers, "wanted")
    must_be(by_tool(layers, options, "found"), wanted, "export")
    with servers.vdisk(layers[0].path,
                       *["%s=%s" % option for option in options]) as server:
        views.View(server, "active").must_have(wanted, "the plugin")
        names = views.names_of(server)
    depths = ["layer/%d" % n for n in range(len(layers))]
    if [name for name in names if name.startswith("layer/")] != depths:
        raise Mismatch("exports: %s" % names)
    for layer in layers[:-1]:
        must_be(by_tool([layer], [("layer", "none")], "found"),
                by_qemu([layer], "wanted"), "alone")
    count_check(len(layers), len(layers) + 3)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=20)
    args = parser.parse_args()
    patterns = randomops.make_patterns(random.Random(SEED))

    def one(number, rng):
        prefix = "told%d-" % number
        layers = []
        try:
            layers = make_chain(rng, prefix, patterns)
            check(layers, rng)
        except FAILURES:
            print("top first: " + ", ".join(
                "%s (%s)" % (layer.kind, layer.named) for layer in layers))
            raise
        finally:
            remove(prefix)

    return run(args.count, one, shlex.join(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
