#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Which size of the footer counts depends on the creator, unless the user
# says it with size=.
. "$(dirname "$0")/functions.sh"
requires nbdcopy --version

python3 - <<'END' || exit 1
from vhd_check import Checker
from vhd_image import *

SMALL, LARGE = (100, 4, 17), (150, 4, 17)       # around 4 MiB
CURRENT = [b"win ", b"qem2", b"d2v ", b"tap\0", b"CTXS", b"caml", b"vbox",
           b"vs  ", b"wa\0\0", b"\0\0\0\0", b"what"]
CHS = [b"vpc ", b"qemu"]


def image(check, name, kind, creator, chs, virtual_size):
    vhd = Vhd(kind, 4 * MIB, creator=creator, chs=chs, block_size=256 * KIB,
              virtual_size=virtual_size,
              bat_entries=round_up(8 * MIB, 256 * KIB) // (256 * KIB))
    vhd.fill_random(0, SECTOR)
    vhd.fill_random(3 * MIB + 512 * KIB, 512 * KIB)
    if kind != FIXED:
        vhd.fill_random(4 * MIB, 512 * KIB)
    return vhd.write(check.path(name))


with Checker() as check:
    for creator in CURRENT + CHS:
        name = creator.hex()
        for kind in FIXED, DYNAMIC:
            for chs in SMALL, LARGE, MAX_CHS:
                if kind == FIXED and chs == LARGE:
                    continue
                rule = 4 * MIB
                if creator in CHS and chs != MAX_CHS:
                    rule = chs_size(chs)
                vhd = image(check, f"{name}.vhd", kind, creator, chs, rule)
                check.reads([vhd], what=f"{creator} {chs}", silent=True)
                vhd.virtual_size = 4 * MIB
                check.reads([vhd], "size=current", oracle=["current"],
                            what=f"{creator} {chs} size=current")
                if chs == MAX_CHS:
                    continue
                vhd.virtual_size = chs_size(chs)
                check.reads([vhd], "size=chs", oracle=["chs"],
                            what=f"{creator} {chs} size=chs")
    check.refuses(check.path("77696e20.vhd"), "size=.*auto.*current.*chs",
                  "size=small")

    # The rule goes for each layer by itself: the parent's end is a hole.
    base = image(check, "base.vhd", DYNAMIC, b"vpc ", SMALL,
                 chs_size(SMALL))
    top = Vhd(DIFFERENCING, 4 * MIB, creator=b"win ", chs=SMALL,
              block_size=64 * KIB, locators=[w2ru(".\\base.vhd")],
              parent_uuid=base.uuid, parent_time=base.time)
    top.write(check.path("top.vhd"))
    check.reads([top, base])

    # original_size says nothing.
    vhd = Vhd(DYNAMIC, 4 * MIB, original_size=2 * MIB)
    check.reads([vhd.write(check.path("resized.vhd"))])
END
