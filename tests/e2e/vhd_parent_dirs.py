#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A VHD must not lead to files that its user did not mean: its parent lies in
its directory or below, or in one that was allowed."""

import os

from vhd_check import Checker
from vhd_image import (DIFFERENCING, DYNAMIC, KIB, Locator, MIB, Vhd, macx,
                       macx_quoted, w2ku, w2ru)


def child_of(parent, path, locators):
    vhd = Vhd(DIFFERENCING, MIB, block_size=64 * KIB, locators=locators,
              parent_uuid=parent.uuid, parent_time=parent.time)
    vhd.fill_random(100 * KIB, 200 * KIB)
    return vhd.write(path)


def outside(check, base, path):
    """Every way out of the directory is refused, unless it is allowed."""
    here, there, far = (check.path(n) for n in ("here", "there", "far"))
    ways = {
        "W2ru": w2ru("..\\there\\base.vhd"),
        "W2ru with dots": w2ru(".\\below\\..\\..\\there\\base.vhd"),
        "W2ku": w2ku("..\\there\\base.vhd"),
        "W2ku of Unix": w2ku(base.path),
        "W2ru of Unix": w2ru(base.path),
        "MacX": macx("../there/base.vhd"),
        "MacX absolute": macx(base.path),
        "MacX URL": macx_quoted(base.path),
        "symbolic link": w2ru(".\\link.vhd"),
        "link of a directory": macx("./linked/base.vhd"),
    }
    for what, locator in ways.items():
        top = child_of(base, path, [locator])
        check.refuses(path, "backing-dir", what=what)
        check.refuses(path, "backing-dir", "backing-dir=" + far, what=what)
        check.refuses(path, "backing-dir", f"backing-dir={here}/below",
                      what=what)
        if what in ("W2ku of Unix", "W2ru of Unix"):
            continue
        for allowed in there, check.directory, "/", f"{far}/../there/.":
            check.reads([top, base], "backing-dir=" + allowed, what=what)
        check.reads([top, base], "backing-dir=" + far,
                    "backing-dir=" + there, what=what)

    child_of(base, path, [w2ru("..\\there\\no such.vhd")])
    check.refuses(path, r"\.\./there/no such\.vhd")


def alike(check, base, path):
    """A directory whose name only starts the same."""
    os.mkdir(check.path("here-too"))
    base.write(check.path("here-too/base.vhd"))
    child_of(base, path, [macx(base.path)])
    check.refuses(path, "backing-dir")
    base.write(check.path("there/base.vhd"))


def one_of_two(check, base, path):
    """One that may not be used, and one that may."""
    base.write(check.path("here/below/base.vhd"))
    top = child_of(base, path, [w2ru("..\\there\\base.vhd"),
                                macx("./below/base.vhd")])
    check.reads([top, base], oracle=None)


def link_to_the_child(check, base, path):
    """A link to the child: its directory is where the link is."""
    os.symlink(path, check.path("far/child.vhd"))
    base.write(check.path("far/local.vhd"))
    top = child_of(base, path, [w2ru(".\\local.vhd")])
    top.path = check.path("far/child.vhd")
    check.reads([top, base])


def directory_of_each_layer(check, base, path):
    """Each layer has a directory of its own."""
    there, far = check.path("there"), check.path("far")
    base.write(check.path("far/base.vhd"))
    middle = child_of(base, check.path("there/middle.vhd"),
                      [w2ru("..\\far\\base.vhd")])
    top = child_of(middle, path, [w2ru("..\\there\\middle.vhd")])
    check.refuses(path, "backing-dir", "backing-dir=" + there)
    check.refuses(path, "backing-dir", "backing-dir=" + far)
    check.reads([top, middle, base], "backing-dir=" + there,
                "backing-dir=" + far)
    base.write(check.path("there/base.vhd"))
    middle = child_of(base, check.path("there/middle.vhd"),
                      [w2ru(".\\base.vhd")])
    top = child_of(middle, path, [w2ru("..\\there\\middle.vhd")])
    check.reads([top, middle, base], "backing-dir=" + there)


def no_files(check, base, path):
    """What is no file."""
    for url in (b"nbd://localhost/x", b"nbd+unix:///?socket=/x",
                b"http://localhost/base.vhd", b"json:{}", b"file:"):
        child_of(base, path, [Locator(b"MacX", url)])
        check.refuses(path, "parent", what=str(url))
        check.refuses(path, "parent", "backing-dir=/", what=str(url))
    for special in "/dev/zero", "/dev/null", "/proc/self/mem":
        child_of(base, path, [macx(special)])
        check.refuses(path, "backing-dir", what=special)
        check.refuses(path, special, "backing-dir=/", what=special)
    os.mkfifo(check.path("here/fifo"))
    child_of(base, path, [macx("./fifo")])
    check.refuses(path, "fifo")


def main():
    with Checker() as check:
        for folder in "here", "here/below", "there", "far":
            os.mkdir(check.path(folder))
        base = Vhd(DYNAMIC, MIB, block_size=64 * KIB)
        base.fill_random(0, 400 * KIB)
        base.write(check.path("there/base.vhd"))
        os.symlink("../there/base.vhd", check.path("here/link.vhd"))
        os.symlink("../there", check.path("here/linked"))
        path = check.path("here/child.vhd")
        outside(check, base, path)
        alike(check, base, path)
        one_of_two(check, base, path)
        link_to_the_child(check, base, path)
        directory_of_each_layer(check, base, path)
        no_files(check, base, path)


if __name__ == "__main__":
    main()
