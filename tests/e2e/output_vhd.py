# SPDX-License-Identifier: BSD-3-Clause
"""Compare VHD outputs with exports: dynamic and fixed, of all block sizes
and roundings."""

from export_check import GIB, MIB, TIB
from export_images import raw
from output_check import OutputChecker
from output_images import images

UUID = "uuid=00112233-4455-6677-8899-aabbccddeeff"
BLOCKS = [4096 << n for n in range(13)]

with OutputChecker("vhd") as check:
    n = 0
    for path in images():
        if path == "empty.raw":
            continue
        check.same(path, UUID)
        check.same(path, UUID, "fixed=true")
        check.same(path, UUID, "fixed=true", "round=1M")
        for n in range(n + 1, n + 4):
            check.same(path, UUID, f"block-size={BLOCKS[n % 13]}")
        check.same(path, UUID, "round=4M", "block-size=64k")
    raw("long.raw", 3 * GIB + 1, (0, 1), (GIB, MIB), (2 * GIB - 700, 1400),
        (3 * GIB, 1))
    for block in 4096, 2 * MIB:
        check.same("long.raw", UUID, f"block-size={block}")

    check.refused("empty.raw", "empty", UUID)
    check.refused("odd.raw", "block-size", "block-size=2048")
    check.refused("odd.raw", "uuid", "uuid=0011")
    check.refused("odd.raw", "round", "round=3")
    check.refused("odd.raw", "time", "time=yesterday")
    check.refused("odd.raw", "fixed", "fixed=perhaps")
    check.refused("odd.raw", "block-size.*fixed|fixed.*block-size",
                  "block-size=64k", "fixed=true")
    raw("large.raw", 3 * TIB)
    check.refused("large.raw", "2040 GiB", UUID)
