#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""How a differencing VHD finds its parent: locators of every kind, the name,
and what is refused or warned about."""

import os

from vhd_check import Checker, run
from vhd_image import (DIFFERENCING, DYNAMIC, FIXED, KIB, MAX_CHS, MIB, Vhd,
                       libvhd_locators, macx, macx_quoted, w2ku, w2ru, wi2r)

NAMES = ["base.vhd", "with space.vhd", "100%.vhd", "a%20b.vhd",
         "b\u00e4se.vhd", "\u2603\U0001d6d2.vhd", "x" * 100 + ".vhd"]


def base_image(path, seed=0):
    vhd = Vhd(DYNAMIC, MIB, block_size=64 * KIB, seed=seed)
    vhd.fill_random(0, 400 * KIB)
    return vhd.write(path)


def child_image(path, parent, locators=(), **options):
    settings = dict(parent_uuid=parent.uuid, parent_time=parent.time)
    settings.update(options)
    vhd = Vhd(DIFFERENCING, MIB, block_size=64 * KIB, locators=locators,
              **settings)
    vhd.fill_random(100 * KIB, 200 * KIB)
    return vhd.write(path)


def every_kind(check):
    """Every kind alone, beside the child and in a directory below."""
    for name in NAMES:
        for below in ["", "sub dir/deeper"] if name in NAMES[:2] else [""]:
            folder = check.folder()
            os.makedirs(os.path.join(folder, below), exist_ok=True)
            path = os.path.join(below, name)
            windows = path.replace("/", "\\")
            base = base_image(os.path.join(folder, path))
            child = os.path.join(folder, "child.vhd")
            lost = w2ku("C:\\old\\" + windows)
            ways = {
                "W2ru": [w2ru(".\\" + windows)],
                "W2ru without dot": [w2ru(windows)],
                "W2ru with NUL": [w2ru(".\\" + windows, "\0")],
                "W2ru in bytes": [w2ru(".\\" + windows).in_bytes()],
                "W2ku relative": [w2ku(".\\" + windows)],
                "W2ku absolute first": [lost, w2ru(".\\" + windows)],
                "MacX": [macx("./" + path)],
                "MacX URL, relative": [macx_quoted("./" + path)],
                "MacX URL": [macx_quoted(os.path.join(folder, path))],
                "libvhd": libvhd_locators(path),
                "obsolete first": [wi2r("other.vhd"),
                                   w2ru(".\\" + windows)],
                "eighth": [lost] * 7 + [w2ru(".\\" + windows)],
                "missing first": [w2ru(".\\no.vhd"),
                                  macx("./" + path)],
            }
            if not below:
                ways.update({
                    "last part of W2ku": [lost],
                    "name": [],
                    "name, locator is lost": [lost],
                    "name, locators are old": [w2ru(".\\old\\" + windows),
                                               macx("./old/" + path)],
                    "name, locator is obsolete": [wi2r("other.vhd")],
                })
            for what, locators in ways.items():
                options = {}
                if what.startswith("name"):
                    options["parent_name"] = name
                top = child_image(child, base, locators, **options)
                check.reads([top, base], what=f"{what}: {path!r}",
                            silent=True)


def precedence(check, base, path):
    """A relative locator wins over the name, and a file that is not the parent
    over nothing."""
    top = child_image(path, base, [w2ru(".\\sub\\base.vhd")],
                      parent_name="base.vhd")
    check.reads([top, base], what="locator before name")
    top = child_image(path, base,
                      [w2ru(".\\base.vhd"), macx("./sub/base.vhd")])
    check.reads([top, base], what="first is another VHD")
    top = child_image(path, base, [macx("./sub/base.vhd")],
                      locators_first=True, header_offset=1536)
    check.reads([top, base], what="locators before the BAT")


def not_the_parent(check, base, other, path):
    """What has the name of the parent is not the parent."""
    folder = os.path.dirname(path)
    child_image(path, base, libvhd_locators("base.vhd"))
    check.refuses(path, "UUID", what="UUID differs")
    child_image(path, other, libvhd_locators("base.vhd"),
                parent_uuid=bytes(15) + b"\1")
    check.refuses(path, "UUID", what="UUID differs")
    with open(os.path.join(folder, "junk.vhd"), "wb") as file:
        file.write(b"junk" * 10000)
    child_image(path, base, libvhd_locators("junk.vhd"))
    check.refuses(path, r"junk\.vhd", what="parent is no VHD")
    child_image(path, base, libvhd_locators("."))
    check.refuses(path, "parent", what="parent is a directory")


def other_formats(check, base, path):
    """The child says that it is a VHD: it is not looked for another format,
    neither where it could be one nor where it is one."""
    folder = os.path.dirname(path)
    run("qemu-img", "create", "-f", "qcow2",
        os.path.join(folder, "other.qcow2"), "1M")
    child_image(path, base, libvhd_locators("other.qcow2"))
    check.refuses(path, r"other\.qcow2.*footer", what="parent is qcow2")
    fixed = Vhd(FIXED, MIB)
    fixed.fill(0, (b"QFI\xfb" + (3).to_bytes(4, "big")).ljust(512, b"\0"))
    fixed.write(os.path.join(folder, "fixed.vhd"))
    top = child_image(path, fixed, libvhd_locators("fixed.vhd"))
    check.reads([top, fixed], what="parent has another magic inside")


def no_parent(check, base, path):
    """It is not there, or nothing says where."""
    child_image(path, base, libvhd_locators("gone.vhd"))
    check.refuses(path, r"parent.*gone\.vhd", what="parent is missing")
    child_image(path, base, [], parent_name="gone.vhd")
    check.refuses(path, r"parent.*gone\.vhd", what="parent is missing")
    child_image(path, base, [w2ku("C:\\old\\gone.vhd")])
    check.refuses(path, "parent", what="parent is on Windows")
    child_image(path, base)
    check.refuses(path, "parent", what="parent is not named")


def time_stamps(check, base, path):
    """Only a warning; Xen's tools record another time to begin with."""
    for creator in b"win ", b"vpc ", b"tap\0":
        top = child_image(path, base, [w2ru(".\\sub\\base.vhd")],
                          parent_time=12345, creator=creator, chs=MAX_CHS)
        xen = creator == b"tap\0"
        check.reads([top, base], warns=None if xen else "time stamp",
                    silent=xen, what=f"{creator} time stamp differs")


def main():
    with Checker() as check:
        every_kind(check)
        folder = check.folder()
        os.mkdir(os.path.join(folder, "sub"))
        base = base_image(os.path.join(folder, "sub", "base.vhd"))
        other = base_image(os.path.join(folder, "base.vhd"), seed=1)
        path = os.path.join(folder, "child.vhd")
        precedence(check, base, path)
        not_the_parent(check, base, other, path)
        other_formats(check, base, path)
        no_parent(check, base, path)
        time_stamps(check, base, path)


if __name__ == "__main__":
    main()
