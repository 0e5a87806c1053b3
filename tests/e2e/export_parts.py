#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ranges and shards of every output that can be addressed, in any order:
together they are the straight export, byte for byte.

  export_parts.py FORMAT..."""

import os
import random
import subprocess
import sys

from export_check import Checker, Disk, MIB, VDISK, Wrong, run
from export_images import everything, make, raw, vhd

SEED = os.environ.get("VDISK_SEED", "1")
SCALE = float(os.environ.get("VDISK_SCALE", "1"))
UUID = "12345678-9abc-4def-8123-456789abcdef"

# Options of each format whose outputs have parts.
FORMATS = {
    "raw": [[]],
    "qcow2": [[], ["--cluster-size=4k", "--refcount-bits=64"],
              ["--cluster-size=2M"], ["--data-file-raw=data"]],
    "vhd": [[], ["--fixed"], ["--block-size=64k", "--round=1M"]],
    "xva": [[], ["--checksum=sha1", "--prefix=Ref:12"]],
    "chunked": [[]],
}


def straight(disk, output, options):
    """The whole, as it is written without parts, and the options that parts
    need for the same: the time is what they have by themselves."""
    env = dict(os.environ, SOURCE_DATE_EPOCH="946684800")
    if output == "vhd":
        options = [*options, "--uuid", UUID]
    run("-O", output, *options, *disk.args, disk.path, "whole", env=env)
    with open("whole", "rb") as file:
        return file.read(), options


def cuts(rng, size, count):
    """A partition of 0..size as a shuffled list of (first, last)."""
    points = sorted({0, size, *(rng.randrange(size) for _ in range(count))})
    parts = [(a, b - 1) for a, b in zip(points, points[1:])]
    rng.shuffle(parts)
    return parts


def ranges(rng, common, whole):
    """Pieces by --range, to a pipe or a file, one behind the other."""
    for number, (first, last) in enumerate(cuts(rng, len(whole), 6)):
        if number % 2:
            run(*common, f"--range={first}-{last}",
                "--threads=1", *common.source, "piece")
            with open("piece", "rb") as file:
                got = file.read()
            os.unlink("piece")
        else:
            got = subprocess.run(
                [VDISK, "export", *common, f"--range={first}-{last}",
                 *common.source, "-"], check=True, timeout=120,
                stdout=subprocess.PIPE).stdout
        if got != whole[first:last + 1]:
            raise Wrong(f"range {first}-{last} of {len(whole)}")


class Common(list):
    """Options, and the source."""

    def __init__(self, output, options, disk):
        super().__init__(["-O", output, *options, *disk.args])
        self.source = [disk.path]


def shards(rng, common, whole, count, junk):
    """All shards in random order, three at a time, into a file that may
    have something else in it."""
    if os.path.exists("parts"):
        os.unlink("parts")
    if junk:
        with open("parts", "wb") as file:
            file.write(b"junk" * (len(whole) // 4 + 1000))
    order = list(range(1, count + 1))
    rng.shuffle(order)
    for i in range(0, count, 3):
        running = [subprocess.Popen(
            [VDISK, "export", *common, f"--shard={k}/{count}",
             *common.source, "parts"]) for k in order[i:i + 3]]
        # All of them, even if one fails.
        status = [each.wait(timeout=120) for each in running]
        if any(status):
            raise Wrong(f"shards {order[i:i + 3]} of {count}: {status}")
    with open("parts", "rb") as file:
        if file.read() != whole:
            raise Wrong(f"{count} shards, order {order}")


def derived(common):
    """Without a UUID all shards have the same, and so has the whole."""
    run(*common, "--manifest=m", *common.source, "whole")
    with open("whole", "rb") as file:
        whole = file.read()
    run(*common, "--manifest=m", *common.source, "again")
    with open("again", "rb") as file:
        if file.read() != whole:
            raise Wrong("the same export has other bytes")
    shards(random.Random(SEED), common, whole, 3, False)


def disks():
    yield everything("all.qcow2")
    yield raw("odd.raw", 5 * MIB + 77, (MIB + 3, 2 * MIB), (5 * MIB, 70))
    yield raw("empty.raw", 3 * MIB)
    vhd("disk.vhd", 9 * MIB, (0, 70000 // 512 * 512), (5 * MIB, 3 * MIB))
    yield Disk.by_reader("disk.vhd")
    yield make("random.qcow2", "24M", count=60, longest=MIB)


def main():
    rng = random.Random(f"{SEED} parts")
    outputs = sys.argv[1:]

    with Checker() as check:
        for number, disk in enumerate(disks()):
            for output in outputs:
                options = FORMATS[output]
                if number > 1 and SCALE < 1:
                    options = options[:1]
                for each in options:
                    whole, told = straight(disk, output, each)
                    env = os.environ
                    env["SOURCE_DATE_EPOCH"] = "946684800"
                    common = Common(output, told, disk)
                    what = f"{disk.path} {' '.join(common)}"
                    check.attempt(f"{what}: ranges", ranges, rng, common,
                                  whole)
                    count = rng.choice((1, 2, 5, 8))
                    check.attempt(f"{what}: {count} shards", shards, rng,
                                  common, whole, count, rng.random() < .5)
                    del env["SOURCE_DATE_EPOCH"]
                if output == "vhd":
                    common = Common(output, [], disk)
                    check.attempt(f"{disk.path}: derived UUID", derived,
                                  common)


main()
