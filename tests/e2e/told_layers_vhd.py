#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""VHDs by the user's word: a parent that has moved, or has another UUID,
dynamic disks and raw ones under others, and names that differ in case."""

import os

from vhd_check import Checker
from vhd_image import (DIFFERENCING, DYNAMIC, KIB, MIB, Raw, Vhd, macx, w2ku,
                       w2ru)


def make(path, kind, seed, start, **options):
    vhd = Vhd(kind, MIB, block_size=64 * KIB, seed=seed, **options)
    vhd.fill_random(start, 300 * KIB)
    return vhd.write(path)


def child_of(parent, path, *locators, **options):
    return make(path, DIFFERENCING, 2, 200 * KIB, locators=locators,
                **{"parent_uuid": parent.uuid, "parent_time": parent.time,
                   **options})


def moved(check):
    os.makedirs("elsewhere/deep")
    base = make("elsewhere/base.vhd", DYNAMIC, 1, 0)
    middle = child_of(base, "elsewhere/deep/middle.vhd", w2ru(".\\gone.vhd"))
    top = make("top.vhd", DIFFERENCING, 3, 600 * KIB,
               locators=[w2ku("C:\\vms\\middle.vhd")],
               parent_uuid=middle.uuid, parent_time=middle.time)
    check.refuses(top.path, "No such file")
    # They are the user's word: no backing-dir is needed.
    check.reads([top, middle, base], "layer=" + middle.path,
                "layer=" + base.path, oracle=None, silent=True)
    # Alone, and with a part of them.
    alone = Vhd(DYNAMIC, MIB, block_size=64 * KIB, seed=3)
    alone.fill_random(600 * KIB, 300 * KIB)
    alone.write("alone.vhd")
    alone.path = top.path
    check.reads([alone], "layer=none", oracle=None, silent=True)
    check.reads([top, as_if_alone(middle)], "layer=" + middle.path,
                oracle=None, warns="middle.vhd: parent '.*gone.vhd' is not "
                "followed: layer names no layer under this one")


def as_if_alone(vhd):
    vhd.kind = DYNAMIC
    return vhd


def other_ids(check):
    base = make("base.vhd", DYNAMIC, 1, 0)
    other = make("other.vhd", DYNAMIC, 4, 0)
    child = child_of(base, "child.vhd", w2ru(".\\other.vhd"))
    ids = "child.vhd: header: parent UUID .*, but .*other.vhd has UUID"
    advice = r".*\(ignore-parent-id=true opens it all the same\)"
    check.refuses(child.path, ids + advice)
    check.refuses(child.path, ids + advice, "layer=other.vhd")
    for params in ["ignore-parent-id=true"], ["layer=other.vhd",
                                              "ignore-parent-id=on"]:
        check.reads([child, other], *params, oracle=None,
                    warns="warning: .*" + ids)
    # The right one wins, whichever name comes first.
    child = child_of(base, "both.vhd", w2ru(".\\other.vhd"),
                     macx("./base.vhd"))
    check.reads([child, base], "ignore-parent-id=true", oracle=None,
                silent=True)


def dynamic_over_others(check):
    """What records no parent has layers under it all the same."""
    full = Raw(os.urandom(500 * KIB) + bytes(MIB - 500 * KIB))
    full.write("full.raw")
    first = make("first.vhd", DYNAMIC, 5, 100 * KIB)
    second = make("second.vhd", DYNAMIC, 6, 350 * KIB)
    check.reads([second, first, full], "layer=first.vhd", "layer=full.raw",
                "layer-format=raw", oracle=None, silent=True)
    check.refuses(second.path, r"full.raw: not recognized .*"
                  r"layer-format=raw says so, after layer=full.raw",
                  "layer=first.vhd", "layer=full.raw")


def case(check):
    os.makedirs("Disks")
    base = make("Disks/Base \u00c4.vhd", DYNAMIC, 1, 0)
    written = "BASE \u00e4.VHD"
    child = child_of(base, "Disks/child.vhd", w2ku("C:\\Disks\\" + written))
    check.refuses(child.path, "No such file")
    check.refuses(child.path, "No such file", "parent-case=exact")
    check.reads([child, base], "parent-case=ignore", oracle=None, silent=True)
    below = child_of(base, "below.vhd", w2ru(".\\Disks\\" + written))
    check.reads([below, base], "parent-case=ignore", oracle=None, silent=True)
    # Directories are taken as they are, and are no parents.
    below = child_of(base, "other.vhd", w2ru(".\\DISKS\\" + written))
    check.refuses(below.path, "No such file", "parent-case=ignore")
    os.makedirs("Disks/base \u00e4.vhd")
    check.reads([child, base], "parent-case=ignore", oracle=None, silent=True)
    # Several: nobody knows which.
    make("Disks/base \u00e4.VHD", DYNAMIC, 7, 0)
    check.refuses(child.path, "2 files differ from it in no more than case: "
                  "'Base .*.vhd', 'base .*.VHD'", "parent-case=ignore")
    # One that is called just so is no question.
    make("Disks/" + written, DYNAMIC, 1, 0)
    check.reads([child, base], "parent-case=ignore", oracle=None, silent=True)


def case_and_confinement(check):
    """What may not be opened is not looked for, and nothing is told of
    it."""
    os.makedirs("inside")
    base = make("Secret.vhd", DYNAMIC, 1, 0)
    up = child_of(base, "inside/up.vhd", w2ru("..\\SECRET.vhd"))
    check.refuses(up.path, r"parent '\.\./SECRET.vhd': No such file",
                  "parent-case=ignore")
    check.reads([up, base], "parent-case=ignore", "backing-dir=.",
                oracle=None, silent=True)
    # A link is found by its name, and leads where it must not.
    os.symlink("../Secret.vhd", "inside/Link.vhd")
    link = child_of(base, "inside/link-child.vhd", w2ru(".\\LINK.VHD"))
    check.refuses(link.path, "leads to .*/Secret.vhd, outside the directory",
                  "parent-case=ignore")


def main():
    with Checker() as check:
        top = os.getcwd()
        for part in (moved, other_ids, dynamic_over_others, case,
                     case_and_confinement):
            os.makedirs(os.path.join(top, part.__name__))
            os.chdir(os.path.join(top, part.__name__))
            part(check)


main()
