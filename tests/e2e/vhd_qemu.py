#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Dynamic and fixed VHDs that QEMU made and wrote to: its geometry, its
rounding of sizes, its bitmaps."""

import random

from vhd_check import Checker, SEED, run


def written_by_qemu(check):
    """Before and after something was written to them."""
    rng = random.Random(SEED)
    for subformat in "dynamic", "fixed":
        for force_size in "off", "on":
            for size in 1 << 20, 3 << 20, 10 << 20, 33333760:
                image = check.path(f"{subformat}-{force_size}-{size}.vhd")
                run("qemu-img", "create", "-q", "-f", "vpc", "-o",
                    f"subformat={subformat},force_size={force_size}", image,
                    str(size))
                check.reads_as_qemu(image)
                writes = []
                for _ in range(rng.randrange(1, 12)):
                    offset = rng.randrange(size - 70000)
                    length = rng.randrange(1, 70000)
                    writes += ["-c", f"write -P {rng.randrange(256)} "
                                     f"{offset} {length}"]
                run("qemu-io", "-f", "vpc", *writes, image)
                check.reads_as_qemu(image)


def large(check):
    """Above 127 GiB the geometry says nothing."""
    image = check.path("large.vhd")
    run("qemu-img", "create", "-q", "-f", "vpc", "-o", "force_size=on",
        image, "200G")
    run("qemu-io", "-f", "vpc", "-c", "write -P 7 199G 1M", image)
    check.has_size(image, 200 << 30)


def main():
    with Checker() as check:
        written_by_qemu(check)
        large(check)


if __name__ == "__main__":
    main()
