#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A dynamic or differencing VHD has two footers, and one of them will do.
With none the image is refused."""

from vhd_check import Checker
from vhd_image import (DIFFERENCING, DYNAMIC, KIB, MIB, Vhd, altered,
                       bad_checksum, bad_cookie, bad_reserved, cut_511,
                       garbage, libvhd_locators, missing, whole, zeroes)


def image(check, name, kind=DYNAMIC, **options):
    vhd = Vhd(kind, MIB, block_size=64 * KIB, **options)
    vhd.fill_random(64 * KIB, 100 * KIB)
    # Noise at the end of the file, where a footer is missing.
    vhd.fill_random(MIB - 4 * KIB, 4 * KIB)
    return vhd.write(check.path(name))


def two_footers(check, base):
    """Each way in which one of them, or both, can be damaged."""
    for kind in DYNAMIC, DIFFERENCING:
        options = {}
        below = []
        if kind == DIFFERENCING:
            options = dict(locators=libvhd_locators("base.vhd"),
                           parent_uuid=base.uuid, parent_time=base.time)
            below = [base]
        for end in (whole, cut_511, missing, bad_cookie, bad_checksum,
                    bad_reserved, zeroes, garbage):
            for copy in (whole, missing, bad_cookie, bad_checksum,
                         bad_reserved, zeroes, garbage):
                what = f"{kind}-{end.__name__}-{copy.__name__}"
                vhd = image(check, what + ".vhd", kind, end_footer=end,
                            footer_copy=copy, **options)
                if whole in (end, copy) or end == cut_511:
                    check.reads([vhd] + below, what=what)
                else:
                    check.refuses(vhd.path, "footer", "format=vhd",
                                  what=what)
                    check.refuses(vhd.path, "footer|not recognized",
                                  what=what)


def warnings(check, base):
    """Good ones need no word, and damaged ones get one."""
    check.reads([base], silent=True)
    vhd = image(check, "warned.vhd", end_footer=bad_checksum)
    check.reads([vhd], warns="footer: checksum 0x[0-9a-f]*, expected 0x")


def padding(check):
    """As on a volume: zeros or older bytes behind the footer."""
    for n, padding in enumerate([bytes(1), bytes(512), bytes(4096),
                                 bytes(MIB), b"\xa5" * 3 * MIB,
                                 b"conectix" * 64]):
        vhd = image(check, f"padding-{n}.vhd", padding=padding)
        check.reads([vhd])
        vhd = image(check, f"padding-{n}.vhd", padding=padding,
                    end_footer=cut_511)
        check.reads([vhd])
        vhd = image(check, f"padding-{n}.vhd", padding=padding,
                    footer_copy=zeroes)
        check.refuses(vhd.path, "footer", "format=vhd")


def differing(check):
    """They differ: the end counts, the copy may be older.  What makes it
    another disk is told."""
    for older, told in (
            (altered(48, (2 * MIB).to_bytes(8, "big")),
             "current size 2097152 and not 1048576: using the footer at"),
            (altered(60, DIFFERENCING.to_bytes(4, "big")), "type 4 and not 3"),
            (altered(68, bytes(16)),
             "UUID 00000000-0000-0000-0000-0{12} and")):
        for end in whole, cut_511:
            vhd = image(check, "older-copy.vhd", footer_copy=older,
                        end_footer=end)
            check.reads([vhd], warns="footer copy: " + told, what=told)
    vhd = image(check, "older-copy.vhd", footer_copy=altered(24, bytes(4)))
    check.reads([vhd], silent=True)


def no_disks(check, base):
    """What is neither fixed, dynamic nor differencing, and no disk at all."""
    for kind in 0, 1, 5, 6, 0xffffffff:
        wrong = altered(60, kind.to_bytes(4, "big"))
        vhd = image(check, f"type-{kind}.vhd", footer_copy=wrong,
                    end_footer=wrong)
        check.refuses(vhd.path, "footer.*type")
    for size in 0, 1, 511:
        with open(check.path(f"short-{size}.vhd"), "wb") as file:
            file.write(base.footer()[:size])
        check.refuses(file.name, "not recognized|footer|empty")
    with open(check.path("only-footer.vhd"), "wb") as file:
        file.write(base.footer())
    check.refuses(file.name, "header")


def main():
    with Checker() as check:
        base = image(check, "base.vhd")
        two_footers(check, base)
        warnings(check, base)
        padding(check)
        differing(check)
        no_disks(check, base)


if __name__ == "__main__":
    main()
