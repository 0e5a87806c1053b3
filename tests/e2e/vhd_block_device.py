#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""VHDs on block devices, as Xen has them on logical volumes: the device is
larger than the image, and is reached by symbolic links."""

import os

from vhd_check import Checker, run
from vhd_image import (Batmap, DIFFERENCING, DYNAMIC, FIXED, KIB, MIB, Raw,
                       SECTOR, Vhd, libvhd_locators)

devices = []


def on_device(check, vhd, folder):
    """Put the image on a device, and a link to it in the folder."""
    path = vhd.path
    device = run("losetup", "--find", "--show", path).strip()
    devices.append(device)
    vhd.path = os.path.join(folder, os.path.basename(path) + "-volume")
    os.symlink(device, vhd.path)
    return vhd


def detach_all():
    while devices:
        run("losetup", "--detach", devices.pop())


def chains(check, folder):
    """Zeros behind the image, or what was on the volume before."""
    for padding in b"", bytes(MIB), b"\xa5" * MIB:
        base = Vhd(DYNAMIC, 16 * MIB, padding=padding, align=4096,
                   creator=b"tap\0", batmap=Batmap())
        base.fill_random(0, 2 * MIB)
        base.fill_random(5 * MIB, 100 * KIB)
        base.write(check.path("base"))
        check.reads([on_device(check, base, folder)])

        child = Vhd(DIFFERENCING, 16 * MIB, padding=padding, align=4096,
                    parent_uuid=base.uuid, parent_time=base.time,
                    locators=libvhd_locators("base-volume"))
        child.fill_random(MIB + SECTOR, 3 * MIB)
        child.write(check.path("child"))
        on_device(check, child, folder)
        check.refuses(child.path, "backing-dir")
        check.reads([child, base], "backing-dir=/dev")
        detach_all()
        os.unlink(base.path)
        os.unlink(child.path)


def over_raw_volumes(check, folder):
    """Over a raw volume."""
    raw = Raw(os.urandom(4 * MIB)).write(check.path("raw"))
    on_device(check, raw, folder)
    child = Vhd(DIFFERENCING, 8 * MIB, padding=bytes(MIB),
                locators=libvhd_locators("raw-volume"))
    child.fill_random(3 * MIB, 2 * MIB)
    child.write(check.path("child"))
    on_device(check, child, folder)
    check.reads([child, raw], "backing-dir=/dev")
    detach_all()
    os.unlink(child.path)


def fixed(check, folder):
    """A fixed VHD needs its footer at the very end."""
    vhd = Vhd(FIXED, 4 * MIB)
    vhd.fill_random(0, MIB)
    vhd.write(check.path("fixed"))
    check.reads([on_device(check, vhd, folder)])
    vhd = Vhd(FIXED, 4 * MIB, padding=bytes(MIB))
    vhd.write(check.path("fixed-padded"))
    on_device(check, vhd, folder)
    check.refuses(vhd.path, "not recognized")


def main():
    with Checker() as check:
        folder = check.folder()
        try:
            chains(check, folder)
            over_raw_volumes(check, folder)
            fixed(check, folder)
        finally:
            detach_all()


if __name__ == "__main__":
    main()
