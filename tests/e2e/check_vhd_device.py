#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make VHDs that have room before their footer, padding behind it, and a
block that is lost, for vdisk check to see as files and on devices."""

from vhd_image import DYNAMIC, KIB, MIB, UNUSED, Batmap, Vhd


def image(name, **options):
    vhd = Vhd(DYNAMIC, 16 * MIB, batmap=Batmap(), align=4096, **options)
    vhd.fill_random(0, 2 * MIB)
    vhd.fill_random(5 * MIB, 100 * KIB)
    vhd.write(name)


def room_before(footer):
    return bytes(5 * MIB) + footer


def main():
    image("room.vhd", end_footer=room_before)
    image("padded.vhd", padding=bytes(5 * MIB))
    image("lost.vhd", end_footer=room_before, bat_extra={0: UNUSED})


if __name__ == "__main__":
    main()
