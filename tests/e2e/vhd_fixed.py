#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Fixed VHDs: all of the disk is data, and the footer is no part of it.
They are recognized by their footer, though QEMU takes them for raw."""

from vhd_check import Checker
from vhd_image import (DYNAMIC, FIXED, KIB, MIB, Vhd, altered, bad_checksum,
                       bad_cookie, bad_reserved, cut_511, garbage, missing,
                       zeroes)

# Sector 0 of a disk that wants to be taken for something else.
QCOW2 = (b"QFI\xfb" + (3).to_bytes(4, "big")).ljust(512, b"\0")
QED = b"QED\0".ljust(512, b"\0")


def fixed(check, name, size=MIB, head=b"", **options):
    vhd = Vhd(FIXED, size, **options)
    vhd.fill_random(0, min(size, 300 * KIB))
    if head:
        vhd.fill(0, head)
    return vhd.write(check.path(name))


def good(check):
    for size in 512, 1024, 65536, 65536 + 512, 1000 * 1000, 12345:
        check.reads([fixed(check, f"{size}.vhd", size)], silent=True)
    vhd = fixed(check, "formats.vhd")
    for name in "auto", "vhd", "vpc":
        check.reads([vhd], "format=" + name)
    check.reads([fixed(check, "511.vhd", end_footer=cut_511)])
    check.reads([fixed(check, "zeroes.vhd", head=bytes(512))])


def written_by_the_guest(check):
    """What the guest writes must not choose the format."""
    for name, head in ("qcow2", QCOW2), ("qed", QED):
        vhd = fixed(check, name + ".vhd", head=head)
        check.refuses(vhd.path, "could be vhd or " + name)
        check.reads([vhd], "format=vhd")
    # A whole dynamic VHD inside a fixed one, as a nested host has it: the
    # footer at the end counts.
    inner = Vhd(DYNAMIC, 4 * MIB, block_size=64 * KIB)
    inner.fill_random(64 * KIB, 4096)
    inner.write(check.path("inner.vhd"))
    with open(inner.path, "rb") as file:
        head = file.read()
    check.reads([fixed(check, "nested.vhd", head=head)])


def no_footer(check):
    """No footer to be found."""
    for damage in missing, bad_cookie, garbage, zeroes:
        vhd = fixed(check, f"{damage.__name__}.vhd", end_footer=damage)
        check.refuses(vhd.path, "not recognized")
        check.refuses(vhd.path, "footer", "format=vhd")
    for damage in bad_checksum, bad_reserved:
        vhd = fixed(check, f"{damage.__name__}.vhd", end_footer=damage)
        check.refuses(vhd.path, "footer.*checksum 0x.*expected 0x")
    # Sector 0 is the guest's: a footer there is not the image's.
    vhd = fixed(check, "forged.vhd", end_footer=missing,
                head=Vhd(FIXED, 512 * KIB).footer())
    check.refuses(vhd.path, "footer")


def cut(check):
    """The disk does not fit into the file."""
    vhd = fixed(check, "cut.vhd", size=MIB)
    vhd.size = vhd.virtual_size = 512 * KIB
    vhd.end_footer = altered(48, (2 * MIB).to_bytes(8, "big"))
    vhd.write(vhd.path)
    check.refuses(vhd.path, "2097152")


def main():
    with Checker() as check:
        check.random("fixed", 80)
        good(check)
        written_by_the_guest(check)
        no_footer(check)
        cut(check)


if __name__ == "__main__":
    main()
