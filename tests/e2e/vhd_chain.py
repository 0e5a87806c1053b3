#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Chains of differencing VHDs: random ones, deep ones, children larger and
smaller than their parents, chains of nothing."""

from vhd_check import Checker
from vhd_image import (DIFFERENCING, DYNAMIC, GIB, KIB, MIB, SECTOR, Vhd,
                       libvhd_locators)


def chain(check, sizes, fill, unit=64 * KIB):
    """Write layers of these sizes, top first, each filled by a function of
    its depth."""
    layers = []
    for depth in reversed(range(len(sizes))):
        options = {}
        if layers:
            options = dict(parent_uuid=layers[0].uuid,
                           parent_time=layers[0].time,
                           locators=libvhd_locators(f"{depth + 1}.vhd"))
        vhd = Vhd(DIFFERENCING if layers else DYNAMIC, sizes[depth],
                  block_size=unit, seed=depth, **options)
        fill(vhd, depth)
        layers.insert(0, vhd.write(check.path(f"{depth}.vhd")))
    return layers


def thirty_layers(check):
    """Thirty layers, and each has the last word on a few sectors."""
    def fill(vhd, depth):
        for n in range(4):
            vhd.fill_random((depth * 61 + n * 977) % 4000 * SECTOR,
                            (n + 1) * 8 * SECTOR)
    check.reads(chain(check, [2 * MIB] * 30, fill), what="thirty layers")


def interleaved(check):
    """A sector each, interleaved."""
    def fill(vhd, depth):
        for n in range(depth, vhd.size // SECTOR, 8):
            vhd.fill_random(n * SECTOR, SECTOR)
    check.reads(chain(check, [256 * KIB] * 8, fill), what="interleaved")


def sizes(check):
    """Of different sizes: what was past a layer's end does not come back when
    a layer above it is longer."""
    def fill(vhd, depth):
        if depth % 2:
            vhd.fill_random(depth * 4 * KIB, 8 * KIB)
        else:
            vhd.fill_random(0, vhd.size // 2)
            vhd.fill_random(vhd.size - SECTOR, SECTOR)
    for units in ([1, 2], [2, 1], [1, 1], [3, 1, 3], [1, 3, 1],
                  [1, 2, 3, 4], [4, 3, 2, 1], [4, 1, 4, 2, 4],
                  [2, 4, 1, 4, 2]):
        check.reads(chain(check, [n * 192 * KIB for n in units], fill),
                    what=f"sizes {units}")
        check.reads(chain(check, [n * 100 * KIB + SECTOR for n in units],
                          fill, unit=8 * KIB), what=f"sizes {units}, odd")
    check.reads(chain(check, [192 * KIB, 10 * KIB, 192 * KIB],
                      lambda vhd, depth: depth == 2 and
                      vhd.fill_random(0, 192 * KIB)), what="short middle")


def holes(check):
    """Nothing but holes, with and without blocks."""
    check.reads(chain(check, [MIB] * 3, lambda vhd, depth: None),
                what="no blocks")
    check.reads(chain(check, [MIB] * 3, lambda vhd, depth: vhd.allocate(2)),
                what="empty blocks")
    check.reads(chain(check, [MIB] * 3, lambda vhd, depth: depth == 2 and
                      vhd.fill_random(0, MIB)), what="only the base")
    check.reads(chain(check, [2040 * GIB] * 3, lambda vhd, depth:
                      vhd.fill_random(depth * 700 * GIB, SECTOR),
                      unit=2 * MIB), big=True, what="large and empty")


def main():
    with Checker() as check:
        check.random("chain", 100)
        thirty_layers(check)
        interleaved(check)
        sizes(check)
        holes(check)


if __name__ == "__main__":
    main()
