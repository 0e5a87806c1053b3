#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Run vdisk export, and print the most memory it took, in KiB.

  export_memory.py run ARG...       output goes nowhere
  export_memory.py blocked ARG...   nobody reads the pipe for a while
  export_memory.py make SIZE FILE   a disk of this size: 100 MiB of data in
                                    one piece, 64 pieces apart
"""

import os
import subprocess
import sys
import time

import qemu
import randomops
from export_check import VDISK

MIB = 1 << 20


def finish(process):
    """Its peak, if it ends well."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"status {process.returncode}")
    print(usage.ru_maxrss)


def run(args):
    finish(subprocess.Popen([VDISK, "export", *args],
                            stdout=subprocess.DEVNULL))


def blocked(args):
    process = subprocess.Popen([VDISK, "export", *args],
                               stdout=subprocess.PIPE)
    time.sleep(0.7)
    while os.read(process.stdout.fileno(), MIB):
        pass
    finish(process)


def make(size, path):
    size = randomops.parse_size(size)
    qemu.create(path, "qcow2", size)
    commands = ["write -P 1 100M 50M", "write -P 2 150M 50M"]
    step = (size - 300 * MIB) // 64
    commands += [f"write -P {n % 255 + 1} {300 * MIB + n * step} 64k"
                 for n in range(64)]
    qemu.io(path, "qcow2", commands)


def main():
    what, *args = sys.argv[1:]
    if what == "make":
        make(*args)
    elif what == "blocked":
        blocked(args)
    else:
        run(args)


if __name__ == "__main__":
    main()
