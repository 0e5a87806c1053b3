#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Write a VHD that several scripts look at.

  vhd_samples.py sectors FILE    blocks of which some sectors are present
  vhd_samples.py blocks FILE     small blocks, every third, a part of each
  vhd_samples.py damaged FILE    no footer at the end, which is warned about
  vhd_samples.py chain FOLDER    child.vhd over base.vhd
  vhd_samples.py astray FOLDER   the same; of the child's locators only the
                                 second leads to the base
"""

import os
import sys

from vhd_image import (DIFFERENCING, DYNAMIC, MIB, Vhd, macx, missing, w2ku,
                       w2ru)


def sectors(path):
    vhd = Vhd(DYNAMIC, 16 * MIB)
    for n in range(40):
        vhd.fill(n * 51200, b"x" * (512 * (n + 1)))
    vhd.write(path)


def blocks(path):
    vhd = Vhd(DYNAMIC, MIB, block_size=4096)
    for n in range(0, 256, 3):
        vhd.fill(n * 4096, b"y" * 1024)
    vhd.write(path)


def damaged(path):
    Vhd(DYNAMIC, MIB, end_footer=missing).write(path)


def chain(folder):
    """Blocks 0 and 3 of the base, 3 and 5 of the child."""
    base = Vhd(DYNAMIC, 16 * MIB)
    base.fill(0, b"a" * 512)
    base.fill(6 * MIB, b"b" * 512)
    base.write(os.path.join(folder, "base.vhd"))
    child = Vhd(DIFFERENCING, 16 * MIB, parent_uuid=base.uuid,
                parent_time=base.time, parent_name="base.vhd",
                locators=[w2ru(".\\base.vhd")])
    child.fill(10 * MIB + 512, b"c" * 1024)
    child.fill(6 * MIB, b"d" * 512)
    child.write(os.path.join(folder, "child.vhd"))


def astray(folder):
    base = Vhd(DYNAMIC, MIB, time=5)
    base.fill_random(0, MIB)
    base.write(os.path.join(folder, "base.vhd"))
    Vhd(DIFFERENCING, MIB, parent_uuid=base.uuid, parent_time=5,
        locators=[w2ru(".\\gone.vhd"), macx("./base.vhd"),
                  w2ku("C:\\x\\other.vhd")]).write(
                      os.path.join(folder, "child.vhd"))


def main():
    what, path = sys.argv[1:]
    {"sectors": sectors, "blocks": blocks, "damaged": damaged,
     "chain": chain, "astray": astray}[what](path)


if __name__ == "__main__":
    main()
