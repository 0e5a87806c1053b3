#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A chain that comes back to where it was is refused at once, under whatever
name."""

import os

from vhd_check import Checker
from vhd_image import DIFFERENCING, MIB, Vhd, macx

LOOP = "loop|itself|already|again|own"


def loop(check, names, references):
    """Files that each have one of the others for a parent."""
    folder = check.folder()
    os.mkdir(os.path.join(folder, "sub"))
    images = [Vhd(DIFFERENCING, MIB, seed=name) for name in names]
    for n, vhd in enumerate(images):
        parent = images[(n + 1) % len(images)]
        vhd.locators = [macx(references[n])]
        vhd.parent_uuid, vhd.parent_time = parent.uuid, parent.time
        vhd.write(os.path.join(folder, names[n]))
    return os.path.join(folder, names[0])


def back_to_the_start(check):
    check.refuses(loop(check, ["a.vhd"], ["./a.vhd"]), LOOP)
    check.refuses(loop(check, ["a.vhd"], ["./sub/.././a.vhd"]), LOOP)
    check.refuses(loop(check, ["a", "b"], ["./b", "./a"]), LOOP)
    check.refuses(loop(check, list("abcd"), ["b", "c", "d", "a"]), LOOP)


def back_to_the_middle(check):
    """Not to where it began."""
    path = loop(check, ["a", "b", "c"], ["b", "c", "a"])
    vhd = Vhd(DIFFERENCING, MIB, locators=[macx("./b")],
              parent_uuid=Vhd(DIFFERENCING, MIB, seed="b").uuid)
    vhd.write(os.path.join(os.path.dirname(path), "start"))
    check.refuses(vhd.path, LOOP)


def by_links(check):
    for link in os.link, os.symlink:
        path = loop(check, ["a", "b"], ["b", "alias"])
        folder = os.path.dirname(path)
        link(path, os.path.join(folder, "alias"))
        check.refuses(path, LOOP, what=link.__name__)
    path = loop(check, ["a"], ["sub/alias"])
    folder = os.path.dirname(path)
    os.symlink("../a", os.path.join(folder, "sub", "alias"))
    check.refuses(path, LOOP)
    check.refuses(path, LOOP, "format=vhd", "backing-dir=/")


def main():
    with Checker() as check:
        back_to_the_start(check)
        back_to_the_middle(check)
        by_links(check)


if __name__ == "__main__":
    main()
