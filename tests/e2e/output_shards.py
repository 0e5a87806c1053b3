#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What shards cost: together they read next to nothing twice, and take the
CPU time of the whole and that of starting so many programs.

  output_shards.py [MIB]      of an image with so much data

Bytes that are read and written are counted exactly; time is printed, and
has a bound that only something like a second walk over all data exceeds.
"""

import os
import random
import subprocess
import sys

import qemu
from export_check import MIB, VDISK, Wrong
from verify import count_check

SHARDS = 8
PER_PROCESS = 0.1               # seconds of CPU time that are no fault
UUID = "--uuid=00112233-4455-6677-8899-aabbccddeeff"
OUTPUTS = [["raw"], ["qcow2"], ["qcow2", "--cluster-size=4k"],
           ["vhd", UUID], ["xva"], ["chunked"]]


def make(mib):
    """Runs of data of some MiB, an eighth of the disk being holes."""
    rng = random.Random(1)
    block = rng.randbytes(MIB)
    with open("data.raw", "wb") as file:
        for at in range(0, mib * MIB * 8 // 7, MIB):
            if at // MIB % 16 < 14:
                file.seek(at)
                file.write(block[at // MIB % 7:])
        file.truncate(mib * MIB * 8 // 7 // MIB * MIB)
    qemu.img("convert", "-f", "raw", "-O", "qcow2", "data.raw", "disk.qcow2")
    os.unlink("data.raw")


def cost(command):
    """Bytes read and written, and seconds of CPU time."""
    process = subprocess.Popen(command)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with open(f"/proc/{process.pid}/io", encoding="ascii") as file:
        io = dict(line.split(": ") for line in file)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Wrong(f"{command}: status {process.returncode}")
    return (int(io["rchar"]), int(io["wchar"]),
            usage.ru_utime + usage.ru_stime)


def check(output):
    command = [VDISK, "export", "--no-flush", "-O", *output]
    whole = cost([*command, "--shard=1/1", "disk.qcow2", "whole"])
    shards = [sum(column) for column in zip(*(
        cost([*command, f"--shard={k}/{SHARDS}", "disk.qcow2", "parts"])
        for k in range(1, SHARDS + 1)))]
    ratio = [b / a for a, b in zip(whole, shards)]
    print("%s: read %.3f, written %.3f, CPU time %.3f (%.3f s, %.3f s) of "
          "the whole" % (" ".join(output), *ratio, whole[2], shards[2]))
    subprocess.run(["cmp", "whole", "parts"], check=True)
    os.unlink("whole")
    os.unlink("parts")
    # Where two meet a block of an XVA is read twice, for its checksum.
    if any(b > 1.01 * a + SHARDS * MIB
           for a, b in zip(whole[:2], shards[:2])):
        raise Wrong(f"{output}: {shards} of {whole}")
    if shards[2] > 1.5 * whole[2] + SHARDS * PER_PROCESS:
        raise Wrong(f"{output}: {shards[2]} s, the whole {whole[2]} s")
    count_check()


make(int(sys.argv[1]) if len(sys.argv) > 1 else 96)
for each in OUTPUTS:
    check(each)
