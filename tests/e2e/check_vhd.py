#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""VHDs for vdisk check.

  check_vhd.py random        check many, and compare with a model
  check_vhd.py unreadable    make some that cannot be checked
  check_vhd.py huge          make one of 2 TiB
"""

import os
import random
import shutil
import struct
import sys

import vhd_random
from vhd_image import DYNAMIC, FIXED, MAX_CHS, MIB, SECTOR, Vhd, zeroes
from vhd_verdict import Verdicts

HUGE = 1000000                  # blocks of 2 MiB


def random_ones():
    """Good ones, and some whose flaws the model of vhd_verdict knows."""
    seed = os.environ["VDISK_SEED"]
    scale = float(os.environ.get("VDISK_SCALE") or 1)
    only = os.environ.get("VDISK_ONLY")
    numbers = [int(only)] if only else range(max(round(100 * scale), 1))
    with Verdicts() as verdicts:
        for kind in "dynamic", "chain", "plain-dynamic":
            for number in numbers:
                check_random(verdicts, kind, number, seed)


def check_random(verdicts, kind, number, seed):
    directory = verdicts.path(f"{kind}-{number}")
    rng = random.Random(f"{kind} {seed} {number}")
    for layer in vhd_random.random_chain(rng, kind, directory):
        if isinstance(layer, Vhd) and layer.kind != FIXED:
            verdicts.agrees(layer, f"{kind}: VDISK_SEED={seed} "
                                   f"VDISK_ONLY={number}: {layer.path}")
    shutil.rmtree(directory)


def unreadable():
    """header.vhd and none.vhd, whose headers and footers are damaged."""
    Vhd(DYNAMIC, MIB, header_change=lambda header: header[:60] + b"\1" +
        header[61:]).write("header.vhd")
    Vhd(DYNAMIC, MIB, end_footer=zeroes, footer_copy=zeroes).write("none.vhd")


def huge():
    """huge.vhd: 2 TiB, all allocated, in a file that is nearly all holes."""
    vhd = Vhd(DYNAMIC, HUGE * 2 * MIB, chs=MAX_CHS, bat_entries=HUGE)
    vhd.bat_offset = 1536
    footer, first = vhd.footer(), 8192
    with open("huge.vhd", "wb") as file:
        file.write(footer + vhd.header())
        entries = range(first, first + HUGE * 4104, 4104)
        file.write(struct.pack(f">{HUGE}I", *entries))
        file.seek((first + HUGE * 4104) * SECTOR)
        file.write(footer)


def main():
    {"random": random_ones, "unreadable": unreadable, "huge": huge}[
        sys.argv[1]]()


if __name__ == "__main__":
    main()
