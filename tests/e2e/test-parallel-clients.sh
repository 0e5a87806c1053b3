#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Eight clients of one server, with many requests each in flight: bytes
# and block status stay right, with caches that hold everything and with
# caches that hold next to nothing.

. "$(dirname "$0")/functions.sh"

parallel ()
{
    python3 "$e2e/parallel_clients.py" "$@" || die "parallel_clients $*"
}

# A chain with compressed clusters and holes of all kinds.
python3 - <<'END'
import os
import random
import qemu
import randomops

rng = random.Random(os.environ["VDISK_SEED"])
patterns = randomops.make_patterns(rng)

def fill(path, image_format, cluster, weights, count):
    ops = randomops.RandomOps(rng, 64 << 20, cluster, weights, patterns)
    commands = ops.commands(count)
    packed = [c for c in commands if c.startswith("write -c")]
    others = [c for c in commands if not c.startswith("write -c")]
    for turn in filter(None, (packed, others)):
        qemu.io(path, image_format, turn)

qemu.create("base.raw", "raw", 64 << 20)
fill("base.raw", "raw", 4096, {"write": 3, "zero": 1}, 200)
qemu.create("middle.qcow2", "qcow2", 64 << 20, ["cluster_size=4k"],
            ("base.raw", "raw"))
fill("middle.qcow2", "qcow2", 4096,
     {"write": 3, "zero": 1, "compressed": 5}, 300)
qemu.create("top.qcow2", "qcow2", 64 << 20, ["cluster_size=64k"],
            ("middle.qcow2", "qcow2"))
fill("top.qcow2", "qcow2", 65536, {"write": 1, "zero": 1, "compressed": 3},
     100)
END
parallel qcow2 top.qcow2
parallel qcow2 top.qcow2 cache-size=64k
qemu-img convert -c -f qcow2 -O qcow2 -o compression_type=zstd top.qcow2 \
    packed.qcow2
parallel qcow2 packed.qcow2
parallel qcow2 packed.qcow2 cache-size=64k
qemu-img convert -f qcow2 -O vpc -o subformat=dynamic,force_size=on \
    top.qcow2 disk.vhd
parallel vpc disk.vhd
qemu-img convert -f qcow2 -O qed top.qcow2 disk.qed
parallel qed disk.qed cache-size=64k
