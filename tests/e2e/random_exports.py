#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Export random images and chains of every format, in random ways, and read
back what comes out.

  random_exports.py --count 40 --ways 3

Seeds as for random_images.py.
"""

import argparse
import glob
import os
import random
import shutil
import sys

import export_check
import qemu
import randomops
import vhd_random
from export_check import (Chunked, Disk, KIB, MAYBE, MIB, Qcow2, Raw, Vhd,
                          Xva, export)
from export_images import pattern, raw_disk
from random_chains import ChainMaker
from random_images import SEED, run
from randomops import RandomOps
from verify import Mismatch

WEIGHTS = {"write": 6, "zero": 2, "unmap": 1, "discard": 2}
CLUSTERS = [512, "1k", 2048, "4k", "8k", 16384, "32k", None, "128k", "256k",
            "512k", "1M", "2M"]


class Maker:
    """Makes sources of random kinds."""

    def __init__(self):
        self.patterns = randomops.make_patterns(random.Random(SEED))

    def image(self, path, rng):
        """One image that QEMU writes."""
        kind = rng.choice(["qcow2", "qcow2", "qed", "vpc"])
        options, cluster = [], 64 * KIB
        if kind == "qcow2":
            cluster = rng.choice([512, 4096, 16384, 65536, MIB])
            options = [f"cluster_size={cluster}"]
            if cluster >= 16384 and rng.random() < 0.3:
                options.append("extended_l2=on")
            elif rng.random() < 0.2:
                options.append("compat=0.10")
        elif kind == "vpc":
            options = ["force_size=on"]
        size = rng.randrange(1, 8192) * 512
        qemu.create(path, kind, size, options)
        ops = RandomOps(rng, size, cluster, WEIGHTS, self.patterns,
                        longest=512 * KIB)
        commands = ops.commands(rng.randrange(30))
        if commands:
            qemu.io(path, kind, commands, unmap=rng.random() < 0.5)
        if kind == "vpc":
            return Disk.by_reader(path, qemu_reads=True)
        if kind == "qcow2" and rng.random() < 0.2:
            qemu.img("convert", "-c", "-f", kind, "-O", kind, path,
                     path + ".packed")
            os.replace(path + ".packed", path)
        return Disk.by_qemu(path, kind)

    @staticmethod
    def raw(path, rng):
        """Any size, holes of any size that the file system has."""
        size = rng.randrange(1, 4 * MIB)
        with open(path, "wb") as file:
            file.truncate(size)
            for _ in range(rng.randrange(12)):
                at = rng.randrange(size)
                length = min(rng.choice([1, 700, 4096, 200000]), size - at)
                file.seek(at)
                file.write(pattern(rng, length) if rng.random() < 0.8
                           else bytes(length))
        return raw_disk(path)

    def chain(self, path, rng):
        """Formats that QEMU mixes."""
        number = int(path[6:].partition(".")[0]) * 2
        number += path.endswith(".other")
        args = argparse.Namespace(depth="2-4", size="100k-3M",
                                  commands="0-15")
        top, image_format = ChainMaker(args, number, rng,
                                       self.patterns).make()
        return Disk.by_qemu(top, image_format)

    @staticmethod
    def vhd(path, rng):
        """VHDs and chains of them, by the generator."""
        kind = rng.choice(["dynamic", "chain", "chain", "fixed"])
        case = vhd_random.make_case(kind, SEED, rng.randrange(1 << 30),
                                    path + ".vhds")
        data = [(offset, offset + length) for offset, length, state
                in case["map"] if state == 0]
        disk = Disk(case["image"], case["raw"], data, image_format="vpc",
                    qemu_reads=False)
        disk.warning = MAYBE
        return disk

    def make(self, path, rng):
        kind = rng.choice([self.image, self.image, self.raw, self.chain,
                           self.vhd])
        return kind(path, rng)


# --- How to export -------------------------------------------------------

def maybe(rng, values):
    """One of them, or most often none."""
    return rng.choice(values) if rng.random() < 0.4 else None


def random_qcow2(rng, other):
    compression = maybe(rng, ["zlib", "zstd"])
    way = Qcow2(rng.choice(CLUSTERS), compression=compression,
                detect=rng.random() < 0.2)
    if compression:
        way.bits = maybe(rng, [16, 32, 64])
    else:
        way.bits = maybe(rng, [1, 2, 4, 8, 16, 32, 64])
        if rng.random() < 0.2:
            way.data_file = "export.data"
            way.raw_data = rng.random() < 0.5
            way.detect = way.loose = False
            return way
    if other and rng.random() < 0.5:
        way.diff = other
        if os.path.dirname(other.path) == "":
            way.backing = other.path
    return way


def random_vhd(rng, other):
    way = Vhd(maybe(rng, [4096, "16k", "64k", "512k", "8M"]),
              detect=rng.random() < 0.2)
    if other and other.format == "vpc" and rng.random() < 0.6:
        way.parent = other
    elif rng.random() < 0.2:
        way.block = None
        way.fixed = True
    return way


def random_way(rng, other):
    """An export; 'other' is a disk to make a difference to."""
    kind = rng.randrange(7)
    detect = rng.random() < 0.3
    if kind < 2:
        return random_qcow2(rng, other)
    if kind < 4:
        return random_vhd(rng, other)
    if kind == 4:
        return Raw(detect=detect, prealloc=not detect and rng.random() < 0.2)
    if kind == 5:
        return Xva(detect=detect, prefix=maybe(rng, ["Ref:1", "Ref:99"]),
                   checksum=maybe(rng, ["sha1", "xxhash"]))
    return Chunked(detect=detect)


def can_pipe(way):
    if isinstance(way, Raw):
        return not way.prealloc
    return not (way.detect and isinstance(way, (Qcow2, Vhd)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--ways", type=int, default=3)
    args = parser.parse_args()
    maker = Maker()

    def one(number, rng):
        # Two disks: the second can be the difference to the first.
        prefix = f"random{number}"
        told = []
        try:
            other = maker.make(prefix + ".other", rng)
            disk = maker.make(prefix + ".img", rng)
            for _ in range(args.ways):
                way = random_way(rng, other)
                pipe = can_pipe(way) and rng.random() < 0.4
                told = [disk.path, other.path, str(way), f"pipe={pipe}"]
                export(disk, way, f"{prefix}.out", pipe)
                export_check.count_check(1, 1)
        except export_check.FAILURES as error:
            raise Mismatch("%s: %s: %s" % ("; ".join(told),
                                           type(error).__name__,
                                           error)) from error
        finally:
            if not os.environ.get("VDISK_KEEP"):
                remove(prefix, f"chain{number * 2}",
                       f"chain{number * 2 + 1}")

    return run(args.count, one, "exports")


def remove(*prefixes):
    for prefix in prefixes:
        for path in glob.glob(prefix + "[.-]*"):
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)


if __name__ == "__main__":
    sys.exit(main())
