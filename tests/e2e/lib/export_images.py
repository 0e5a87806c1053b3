# SPDX-License-Identifier: BSD-3-Clause
"""Make the sources of the export tests: small disks that have something of
everything, each with what an oracle says it holds."""

import os
import random

import expect
import qemu
import vhd_image
from export_check import Disk, KIB, MIB, data_extents, number
from randomops import RandomOps

SEED = os.environ.get("VDISK_SEED", "1")
WEIGHTS = {"write": 6, "zero": 2, "unmap": 1, "discard": 2}


def disk_of(path, image_format):
    if image_format == "vpc":
        return Disk.by_reader(path, qemu_reads=True)
    if image_format == "raw":
        return raw_disk(path)
    return Disk.by_qemu(path, image_format)


def make(path, size="10M", *commands, image_format="qcow2", options=(),
         backing=None, count=0, cluster=64 * KIB, longest=MIB):
    """An image with what these qemu-io commands write, and then 'count'
    random ones; its Disk."""
    rng = random.Random(f"{SEED} {path}")
    options = list(options)
    if image_format == "vpc":
        options.append("force_size=on")
    qemu.create(path, image_format, number(size), options, backing)
    ops = RandomOps(rng, number(size), cluster, WEIGHTS, longest=longest)
    commands = list(commands) + ops.commands(count)
    if commands:
        qemu.io(path, image_format, commands, unmap=count > 0)
    return disk_of(path, image_format)


def pattern(rng, length):
    """Bytes that are neither all zeros nor all the same."""
    return (b"%08x" % rng.randrange(1 << 32) * (length // 8 + 1))[:length]


def raw(path, size, *ranges):
    """A raw file of any size, with data at (offset, length), holes
    elsewhere."""
    rng = random.Random(f"{SEED} {path}")
    with open(path, "wb") as file:
        file.truncate(size)
        for offset, length in ranges:
            file.seek(offset)
            file.write(pattern(rng, length))
    return raw_disk(path)


def raw_disk(path):
    """The disk of a raw file: its map is where the file has data."""
    expect.settle(path)
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        data = [(0, status.st_size)]
        if status.st_blocks * 512 < status.st_size:
            data = list(data_extents(file))
    return Disk(path, path, data, "--format=raw")


def vhd(path, size, *ranges, kind=vhd_image.DYNAMIC, **options):
    """A VHD with exactly these sectors, of which the generator knows."""
    image = vhd_image.Vhd(kind, size, seed=path, **options)
    for offset, length in ranges:
        image.fill_random(offset, length)
    image.write(path)
    return image


def everything(path, size="8M", **options):
    """Data that ends anywhere, zeros that were written, zero clusters, and
    holes; the last cluster has data."""
    last = number(size) - 700
    return make(path, size, "write -P 1 100k 300k", "write -P 2 1M 1",
                "write -P 0 2M 200k", "write -P 3 2500k 64k",
                "write -z 3M 256k", "write -P 4 3000k 512",
                f"write -P 5 {last} 700", "write -P 6 4M 64k",
                "write -P 7 5000001 70001", **options)
