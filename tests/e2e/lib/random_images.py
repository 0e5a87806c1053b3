#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make many small random images of one kind and verify each.

  random_images.py --count 60 --format qcow2 --option cluster_size=512,4k \\
      --ops write=5,zero=2,discard --size 1M-64M

An option with several values (separated by commas) takes them in turn.
Each image depends only on VDISK_SEED, the arguments and its number;
VDISK_ONLY=NUMBER makes that one alone, VDISK_SCALE=N makes N times as
many (0.1 a tenth).
"""

import argparse
import glob
import os
import random
import shlex
import shutil
import sys

import qcow2_edit
import qemu
import randomops
from randomops import RandomOps, parse_size
from verify import FAILURES, verify

SEED = os.environ.get("VDISK_SEED", "1")


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--format", default="qcow2")
    parser.add_argument("--option", action="append", default=[],
                        metavar="KEY=VALUE[,VALUE]...",
                        help="option of qemu-img create")
    parser.add_argument("--size", default="512k-16M", metavar="LEAST-MOST")
    parser.add_argument("--ops", default="write=6,zero=2,unmap=1,discard=2",
                        type=randomops.parse_weights)
    parser.add_argument("--commands", default="5-60",
                        help="how many commands, least-most")
    parser.add_argument("--longest", default="1M", type=parse_size,
                        help="the most bytes one command covers")
    parser.add_argument("--between", default="",
                        help="what is done between two rounds of writing: "
                        "snapshot, bitmap, grow, shrink")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--data-file", action="store_true",
                        help="with an external data file")
    parser.add_argument("--odd-size", action="store_true",
                        help="cut the disk to a size that is no multiple "
                        "of 512 (qcow2 only)")
    parser.add_argument("--param", action="append", default=[],
                        help="parameter of the plugin")
    parser.add_argument("--warning", help="what nbdkit warns of")
    parser.add_argument("--compressed-copy", action="store_true",
                        help="verify a copy made with qemu-img convert -c")
    return parser.parse_args()


class Maker:
    """Makes the images of one run."""

    def __init__(self, args):
        self.args = args
        self.least, self.most = map(parse_size, args.size.split("-"))
        self.options = [(key, values.split(","))
                        for key, _, values in
                        (o.partition("=") for o in args.option)]
        self.patterns = randomops.make_patterns(random.Random(SEED))

    def options_of(self, number):
        """Options of an image: the first varies fastest."""
        chosen = []
        for key, values in self.options:
            chosen.append("%s=%s" % (key, values[number % len(values)]))
            number //= len(values)
        return chosen

    def random_size(self, rng):
        size = rng.randrange(self.least, self.most + 1)
        if rng.random() < 0.3:
            size -= size % (1 << 20)
        return max(size - size % 512, 512)

    def make(self, path, number, rng):
        args = self.args
        options = self.options_of(number)
        size = self.random_size(rng)
        if args.data_file:
            options.append("data_file=%s.data" % path)
        qemu.create(path, args.format, size, options)
        cluster = 65536
        for option in options:
            if option.startswith("cluster_size="):
                cluster = parse_size(option.partition("=")[2])
        size = qemu.chain(path, args.format)[0].size
        for turn in range(args.rounds):
            if turn > 0:
                size = self.between(path, size, rng)
            ops = RandomOps(rng, size, cluster, args.ops, self.patterns,
                            longest=max(args.longest, cluster))
            least, most = map(int, args.commands.split("-"))
            self.write(path, ops, rng.randrange(least, most + 1), rng)
        if args.compressed_copy:
            copy = [o for o in options if not o.startswith("prealloc")]
            qemu.img("convert", "-c", "-f", args.format, "-O", args.format,
                     *(["-o", ",".join(copy)] if copy else []),
                     path, path + ".copy")
            os.replace(path + ".copy", path)
        return options, size

    def write(self, path, ops, count, rng):
        """Write at random.  QEMU ruins an image where compressed and
        other writes alternate in one session (it fills up a host cluster
        that has been freed meanwhile), so they take turns."""
        unmap = rng.random() < 0.6
        for part in (count // 2, count - count // 2):
            commands = ops.commands(part)
            compressed = [c for c in commands if c.startswith("write -c")]
            others = [c for c in commands if not c.startswith("write -c")]
            for turn in filter(None, (compressed, others)):
                qemu.io(path, self.args.format, turn, unmap=unmap)

    def between(self, path, size, rng):
        """Something other than writing, and the size after it."""
        for what in filter(None, self.args.between.split(",")):
            name = "name%d" % rng.randrange(1 << 30)
            if what == "snapshot":
                qemu.img("snapshot", "-c", name, path)
            elif what == "bitmap":
                qemu.img("bitmap", "--add", path, name)
            elif what == "grow":
                size += rng.randrange(1, 64) * rng.choice([512, 65536, 1 << 20])
                qemu.img("resize", "-q", "-f", self.args.format, path,
                         str(size))
            elif what == "shrink" and size > 1 << 20:
                size -= rng.randrange(size // 1024) * 512
                qemu.img("resize", "-q", "--shrink", "-f", self.args.format,
                         path, str(size))
        return size


def numbers(count):
    only = os.environ.get("VDISK_ONLY")
    if only:
        return [int(only)]
    scale = float(os.environ.get("VDISK_SCALE", "1"))
    return range(max(round(count * scale), 1))


def remove(*prefixes):
    """Remove files whose names start so, unless they are to be kept."""
    if os.environ.get("VDISK_KEEP"):
        return
    for prefix in prefixes:
        for name in glob.glob(glob.escape(prefix) + "*"):
            os.unlink(name)


def run(count, one, name):
    """Call one (number, rng) for each image; report failures.  Gives the
    exit status."""
    failed = 0
    for number in numbers(count):
        rng = random.Random("%s %s %d" % (SEED, name, number))
        try:
            one(number, rng)
        except FAILURES as e:
            print("image %d of %s: %s: %s" % (number, name,
                                              type(e).__name__, e))
            print("again: VDISK_SEED=%s VDISK_ONLY=%d VDISK_KEEP=1" % (
                SEED, number), flush=True)
            failed += 1
            if failed == 5:
                print("too many failures, giving up")
                break
    return 1 if failed else 0


def main():
    args = arguments()
    maker = Maker(args)

    def one(number, rng):
        path = "random%d.img" % number
        try:
            options, size = maker.make(path, number, rng)
            oracle_path = None
            if args.odd_size:
                oracle_path = path + ".whole"
                shutil.copy(path, oracle_path)
                size -= rng.randrange(1, 512)
                qcow2_edit.set_size(path, size)
            try:
                verify(path, args.format, args.param, size,
                       oracle_path, warning=args.warning, rng=rng)
            except FAILURES:
                print("options: %s; size: %d" % (" ".join(options), size))
                raise
        finally:
            remove(path)

    return run(args.count, one, shlex.join(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
