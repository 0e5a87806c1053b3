#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk info of VHDs: every value is what was written, and what QEMU shows
# too is as QEMU has it.
. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

cat > info.py <<'END'
import json
import os
import subprocess
import uuid

from vhd_image import *

checks = 0


def same(found, wanted, what):
    global checks
    checks += 1
    assert found == wanted, f"{what}: {found!r}, expected {wanted!r}"


def run(*argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout


def info(path, *options):
    """The document, and the format's part of it."""
    text = run(os.environ["VDISK"], "info", "--output=json", *options, path)
    document = json.loads(text)
    same(document["format"], "vpc", "format")
    same(document["format-specific"]["type"], "vhd", "type")
    return document, document["format-specific"]["data"]


def qemu_info(path):
    return json.loads(run("qemu-img", "info", "-U", "-f", "vpc",
                          "--output=json", path))


def qemu_version():
    words = run("qemu-img", "--version").split()
    return tuple(int(n) for n in words[2].split(b".")[:2])


def count():
    with open(os.environ["VDISK_COUNTS"], "a") as counts:
        print(1, checks, file=counts)
    print(f"ok: {checks} values")
END
export PYTHONPATH=$PYTHONPATH:$tmp

# --- Sizes ----------------------------------------------------------------

# Who takes which size is a matter of the creator, and of the reader.
python3 - <<'END' || exit 1
from info import *
import info as counter

VERSION = qemu_version()
# The rules changed between these; neither has the ones in between.
ORACLE = ("qemu-7.2" if VERSION <= (7, 2) else
          "qemu-10.0" if VERSION >= (10, 0) else None)
CREATORS = [b"vpc ", b"qemu", b"win ", b"qem2", b"d2v ", b"tap\0", b"tap ",
            b"CTXS", b"caml", b"vbox", b"vs  ", b"wa\0\0", b"\0\0\0\0",
            b"what"]
GEOMETRIES = [(100, 4, 17), (150, 4, 17), MAX_CHS, (65535, 17, 240),
              (0, 0, 0), (100, 0, 17)]
KNOWN_TO_7 = (b"win ", b"qem2", b"d2v ", b"tap\0", b"CTXS")


def seen_by(vhd, takes_chs):
    chs = chs_size(vhd.chs)
    return chs if takes_chs and chs != chs_size(MAX_CHS) else vhd.size


for kind in FIXED, DYNAMIC:
    for creator in CREATORS:
        for chs in GEOMETRIES:
            if creator in (b"vpc ", b"qemu") and chs in GEOMETRIES[3:]:
                continue        # nobody writes these, and QEMU differs
            vhd = Vhd(kind, 8 * MIB, creator=creator, chs=chs,
                      bat_entries=65536)
            if kind == DYNAMIC:
                vhd.virtual_size = 8 * MIB
                vhd.fill_random(0, 4096)
            vhd.write("sizes.vhd")
            what = f"{kind} {creator} {chs}"
            document, data = info("sizes.vhd")
            same(document["virtual-size"],
                 size_by_creator(creator, 8 * MIB, chs), what)
            same(data["chs-size"], chs_size(chs), what)
            same(data["geometry"], dict(zip(("cylinders", "heads",
                                             "sectors"), chs)), what)
            same(data["size-seen-by"],
                 {"qemu-7.2": seen_by(vhd, creator not in KNOWN_TO_7),
                  "qemu-10.0": seen_by(vhd, creator in (b"vpc ", b"qemu")),
                  "xenserver": 8 * MIB}, what)
            if ORACLE:
                same(qemu_info("sizes.vhd")["virtual-size"],
                     data["size-seen-by"][ORACLE], what + " qemu-img")
            same(data["aligned-to-1-mib"],
                 document["virtual-size"] % MIB == 0, what)
_, data = info("sizes.vhd", "--size=chs")
same(data["aligned-to-1-mib"], True, "no geometry")
counter.count()
END

# --- Everything else ------------------------------------------------------

python3 - <<'END' || exit 1
from info import *
import info as counter
import random

TYPES = {FIXED: "fixed", DYNAMIC: "dynamic", DIFFERENCING: "differencing"}
rng = random.Random(os.environ["VDISK_SEED"])


def text_of(code):
    """A creator as text; those here are printable but for padding."""
    return code.decode().rstrip("\0 ")


def time_of(stamp):
    return run("date", "--utc", "--date", f"@{EPOCH + stamp}",
               "+%Y-%m-%dT%H:%M:%SZ").decode().strip()


def check_footer(vhd, data):
    same(data["type"], TYPES[vhd.kind], "type")
    same(data["creator"], text_of(vhd.creator), "creator")
    same(data["creator-version"], f"{vhd.creator_version >> 16}."
         f"{vhd.creator_version & 0xffff}", "creator version")
    same(data["creator-host-os"], text_of(vhd.creator_os), "creator OS")
    same(data["uuid"], str(uuid.UUID(bytes=vhd.uuid)), "UUID")
    same(data["time-stamp"], time_of(vhd.time), "time stamp")
    same(data["original-size"], vhd.original_size, "original size")
    same(data["current-size"], vhd.size, "current size")
    same(data["saved-state"], bool(vhd.saved_state), "saved state")
    same(data["hidden"], False, "hidden")


def check_sparse(vhd, document, data):
    same(document["cluster-size"], vhd.block_size, "cluster size")
    same(data["block-size"], vhd.block_size, "block size")
    same(data["max-table-entries"], vhd.bat_entries, "entries")
    same(data["table-offset"], vhd.bat_offset, "table offset")
    blocks = -(-vhd.virtual_size // vhd.block_size)
    same(data["allocated-blocks"],
         sum(number < blocks for number in vhd.blocks), "blocks")
    same(data["batmap"], "valid" if vhd.batmap else "none", "batmap")


def check_parent(vhd, paths, parent):
    same(parent["uuid"], str(uuid.UUID(bytes=vhd.parent_uuid)), "parent")
    same(parent["time-stamp"], time_of(vhd.parent_time), "parent's time")
    same(parent["name"], vhd.parent_name, "parent's name")
    wanted = [{"code": locator.code.decode(), "offset": locator.offset,
               "space": locator.space, "length": locator.length,
               "path": path.replace("\\", "\\\\")}
              for locator, path in zip(vhd.locators, paths)]
    same(parent["locators"], wanted, "locators")


for number in range(30):
    kind = rng.choice([FIXED, DYNAMIC, DIFFERENCING])
    creator = rng.choice([b"tap\0", b"win ", b"qem2", b"caml", b"vpc "])
    size = rng.randrange(1, 20) * MIB + rng.choice([0, 512])
    windows = rng.choice([".\\", "C:\\disks\\"]) + "b\u00e4se \u2603.vhd"
    url = "./b%20\u00e4.vhd"
    locators, paths = [], []
    if kind == DIFFERENCING:
        paths = ["file://" + url, windows, "..\\x\\\U0001d6d2.vhd"]
        locators = [macx(url), w2ku(windows, "\0"), w2ru(paths[2])]
        if rng.random() < 0.5:
            locators = [locator.in_bytes() for locator in locators]
    vhd = Vhd(kind, size, creator=creator, chs=MAX_CHS,
              creator_version=rng.randrange(1 << 32) | 2,
              creator_os=rng.choice([b"Wi2k", b"Mac ", bytes(4)]),
              original_size=rng.randrange(1 << 63),
              time=rng.randrange(1 << 32), seed=number,
              saved_state=rng.randrange(2),
              block_size=2 * MIB if creator == b"tap\0"
              else rng.choice([64 * KIB, 2 * MIB]),
              batmap=Batmap() if creator == b"tap\0" else None,
              parent_uuid=rng.randbytes(16),
              parent_time=rng.randrange(1 << 32),
              parent_name=rng.choice(["", "b\u00e4se \u2603.vhd"]),
              locators=locators)
    for _ in range(rng.randrange(4)):
        vhd.fill_random(rng.randrange(size // SECTOR) * SECTOR, SECTOR)
    if kind != FIXED:
        vhd.bat_entries = -(-size // vhd.block_size) + rng.randrange(3000)
    vhd.write("image.vhd")
    document, data = info("image.vhd")
    same(document["virtual-size"], size, "virtual size")
    check_footer(vhd, data)
    if kind == FIXED:
        same(data["footer"], {"at-end": "valid", "copy": "none"}, "footer")
        same("cluster-size" in document, False, "cluster size")
        same("block-size" in data, False, "block size")
    else:
        same(data["footer"], {"at-end": "valid", "copy": "valid",
                              "identical": True}, "footer")
        check_sparse(vhd, document, data)
    if kind == DIFFERENCING:
        check_parent(vhd, paths, data["parent"])
    else:
        same("parent" in data, False, "parent")
    run(os.environ["VDISK"], "info", "image.vhd")
    text = run(os.environ["VDISK"], "info", "--output=json", "image.vhd")
    subprocess.run(["python3", "-m", "json.tool"], input=text, check=True,
                   stdout=subprocess.DEVNULL)
counter.count()
END

# --- Footers that differ, and what else is odd ------------------------------

python3 - <<'END' || exit 1
from info import *
import info as counter


def footer(**options):
    Vhd(DYNAMIC, MIB, **options).write("footer.vhd")
    return info("footer.vhd")[1]["footer"]


def checks_of(found, at_end, copy, identical):
    same(found["identical"], identical, "identical")
    for key, pattern in ("at-end", at_end), ("copy", copy):
        same(found[key].startswith(pattern), True, f"{key}: {found[key]}")


NO_COOKIE = 'no cookie "conectix"'
checks_of(footer(), "valid", "valid", True)
checks_of(footer(end_footer=cut_511), "valid", "valid", True)
checks_of(footer(end_footer=missing), NO_COOKIE, "valid", False)
checks_of(footer(padding=bytes(512)), NO_COOKIE, "valid", False)
checks_of(footer(end_footer=bad_checksum), "checksum 0x", "valid", False)
checks_of(footer(footer_copy=zeroes), "valid", NO_COOKIE, False)
checks_of(footer(footer_copy=altered(24, b"1234")), "valid", "valid", False)
checks_of(footer(footer_copy=altered(60, b"\0\0\0\2")), "valid", "type 2",
          False)

hidden = altered(85, b"\1")
Vhd(DYNAMIC, MIB, end_footer=hidden, footer_copy=hidden).write("hidden.vhd")
same(info("hidden.vhd")[1]["hidden"], True, "hidden")

# Bytes that are no text are none in the document either.
Vhd(DYNAMIC, MIB, creator=b"\x1b[\xff\"").write("creator.vhd")
same(info("creator.vhd")[1]["creator"], '\\x1b[\\xff"', "creator")

for lie, text in (({"checksum": 1}, "checksum 0x00000001, expected 0x"),
                  ({"version": 0x00010003}, "version 1.3, must be"),
                  ({"cookie": b"tdbatmaq"}, "none")):
    Vhd(DYNAMIC, 40 * MIB, batmap=Batmap(**lie)).write("batmap.vhd")
    found = info("batmap.vhd")[1]["batmap"]
    same(found.startswith(text), True, found)

# A locator that leads nowhere.
vhd = Vhd(DIFFERENCING, MIB, locators=libvhd_locators("base.vhd"),
          parent_name="base.vhd")
vhd.locators[1].length = 600
vhd.write("locator.vhd")
found = info("locator.vhd")[1]["parent"]["locators"]
same([("path" in entry, entry.get("error")) for entry in found],
     [(True, None), (False, "length 600, must be 1 to 512"), (True, None)],
     "locators")
counter.count()
END

# --- Images that QEMU made ------------------------------------------------

python3 - <<'END' || exit 1
from info import *
import info as counter

for options in ("subformat=dynamic", "subformat=fixed",
                "subformat=dynamic,force_size=on"):
    for size in "1M", "33333760", "200G":
        if "fixed" in options and size == "200G":
            continue
        if "force" not in options and size == "200G":
            size = "100G"
        run("qemu-img", "create", "-q", "-f", "vpc", "-o", options,
            "qemu.vhd", size)
        run("qemu-io", "-f", "vpc", "-c", "write -q 0 64k", "qemu.vhd")
        document, data = info("qemu.vhd")
        wanted = qemu_info("qemu.vhd")
        for key in ("virtual-size", "filename", "format", "actual-size",
                    "dirty-flag", "cluster-size"):
            same(document.get(key), wanted.get(key), f"{options} {key}")
        same(data["type"], "fixed" if "fixed" in options else "dynamic",
             "type")
        same(data["creator"], "qem2" if "force" in options else "qemu",
             "creator")
        same(data["creator-host-os"], "Wi2k", "OS")
        os.unlink("qemu.vhd")
counter.count()
END
