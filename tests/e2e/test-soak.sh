#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Clients that come and go, for SOAK_TIME seconds (12): what they read is
# right, and memory does not grow.  'make soak' takes longer.

. "$(dirname "$0")/functions.sh"

# A chain with a bit of everything, and images of all formats made of it.
python3 - <<'END'
import os
import random
import qemu
import randomops

SIZE = 48 << 20
rng = random.Random(os.environ["VDISK_SEED"])
patterns = randomops.make_patterns(rng)

def fill(path, image_format, cluster, weights, count):
    commands = randomops.RandomOps(rng, SIZE, cluster, weights,
                                   patterns).commands(count)
    packed = [c for c in commands if c.startswith("write -c")]
    others = [c for c in commands if not c.startswith("write -c")]
    for turn in filter(None, (packed, others)):
        qemu.io(path, image_format, turn)

qemu.create("base.raw", "raw", SIZE)
fill("base.raw", "raw", 4096, {"write": 3, "zero": 1}, 150)
qemu.create("middle.qcow2", "qcow2", SIZE, ["cluster_size=4k"],
            ("base.raw", "raw"))
fill("middle.qcow2", "qcow2", 4096,
     {"write": 3, "zero": 1, "compressed": 5}, 200)
qemu.create("top.qcow2", "qcow2", SIZE, ["cluster_size=64k"],
            ("middle.qcow2", "qcow2"))
fill("top.qcow2", "qcow2", 65536, {"write": 1, "zero": 1, "compressed": 3},
     80)
END
qemu-img convert -c -f qcow2 -O qcow2 -o compression_type=zstd top.qcow2 \
    zstd.qcow2
qemu-img convert -f qcow2 -O vpc -o subformat=dynamic,force_size=on \
    top.qcow2 disk.vhd
qemu-img convert -f qcow2 -O qed top.qcow2 disk.qed
qemu-img convert -f qcow2 -O raw top.qcow2 disk.raw
python3 "$e2e/soak.py" "${SOAK_TIME:-12}" \
    qcow2:top.qcow2,cache-size=256k qcow2:zstd.qcow2 vpc:disk.vhd \
    qed:disk.qed,cache-size=64k raw:disk.raw ||
    die "soak"
