#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compare what vdisk map prints of images with what it must.

  map_qemu.py same [-f FORMAT] IMAGE...
  map_qemu.py images OPTION...       as for random_images.py
  map_qemu.py chains [--count N] [--depth LEAST-MOST]

The document of --output=qemu, with the --qemu-version that is installed,
must be that of 'qemu-img map --output=json', byte for byte, for the whole
disk and for random ranges of it; the other dialects must agree with it
among themselves.
"""

import argparse
import random
import re
import shlex
import sys

import expect
import map_dialects
import qcow2_edit
import qemu
import random_chains
import random_images
import randomops
from verify import FAILURES, Mismatch, count_check


def qemu_version():
    """The --qemu-version for the qemu-img that is installed: the key
    "compressed" came with 8.2."""
    text = qemu.img("--version").decode()
    version = re.search(r"version (\d+)\.(\d+)", text)
    return "10.0" if tuple(map(int, version.groups())) >= (8, 2) else "7.2"


QEMU_VERSION = qemu_version()


def first_difference(ours, theirs):
    """Where two texts differ, a few lines of each."""
    ours, theirs = ours.splitlines(), theirs.splitlines()
    for i, (a, b) in enumerate(zip(ours + [""], theirs + [""])):
        if a != b:
            return "line %d\n  vdisk: %s\n  qemu:  %s" % (
                i + 1, "\n         ".join(ours[i:i + 2]),
                "\n         ".join(theirs[i:i + 2]))
    return "%d and %d lines" % (len(ours), len(theirs))


def same_range(path, image_format, extra, window):
    """Compare one range, (start, length), or the whole disk."""
    ours_range, theirs_range = [], []
    if window:
        ours_range = ["--start=%d" % window[0], "--length=%d" % window[1]]
        theirs_range = ["--start-offset=%d" % window[0],
                        "--max-length=%d" % window[1]]
    theirs = qemu.img("map", "-U", "--output=json", "-f", image_format,
                      *theirs_range, path).decode()
    ours = map_dialects.vdisk_map(
        path, "--output=qemu", "--qemu-version=" + QEMU_VERSION,
        "--format=" + image_format, *ours_range, *extra)
    if ours != theirs:
        raise Mismatch("%s %s: %s" % (path, ours_range,
                                      first_difference(ours, theirs)))
    count_check()


def same(path, image_format, rng=None, extra=()):
    """Everything of one image."""
    layers = qemu.chain(path, image_format)
    expect.settle_chain(layers)
    same_range(path, image_format, extra, None)
    size = layers[0].size
    for _ in range(3 if rng else 0):
        start = rng.randrange(size + 1)
        length = rng.randrange(size - start + 1)
        # QEMU asks for the status of whole sectors.
        same_range(path, image_format, extra,
                   (start - start % 512, length - length % 512))
    map_dialects.agree(path, "--format=" + image_format, *extra)
    count_check(1, 0)


def same_images(argv):
    """Random images of one kind."""
    sys.argv[1:] = argv
    args = random_images.arguments()
    maker = random_images.Maker(args)

    def one(number, rng):
        path = "random%d.img" % number
        try:
            options, size = maker.make(path, number, rng)
            if args.odd_size:
                qcow2_edit.set_size(path, size - rng.randrange(1, 512))
            try:
                same(path, args.format, rng)
            except FAILURES:
                print("options: %s; size: %d" % (" ".join(options), size))
                raise
        finally:
            random_images.remove(path)

    return random_images.run(args.count, one, shlex.join(argv))


def same_chains(argv):
    """Random chains."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--depth", default="2-6")
    parser.add_argument("--size", default="100k-10M")
    parser.add_argument("--commands", default="0-25")
    args = parser.parse_args(argv)
    patterns = randomops.make_patterns(random.Random(random_images.SEED))

    def one(number, rng):
        maker = random_chains.ChainMaker(args, number, rng, patterns)
        try:
            same(*maker.make(), rng)
        except FAILURES:
            print("chain, base first: " + ", ".join(maker.told))
            raise
        finally:
            random_images.remove(maker.prefix)

    return random_images.run(args.count, one, shlex.join(argv))


def same_named(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("-f", dest="format", default="qcow2")
    parser.add_argument("image", nargs="+")
    args = parser.parse_args(argv)
    for path in args.image:
        same(path, args.format, random.Random(path))
        print("ok: map of " + path)
    return 0


def main():
    commands = {"same": same_named, "images": same_images,
                "chains": same_chains}
    return commands[sys.argv[1]](sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
